"""What encoders send, with the ladder on: odd rates, fields, turned and stretched pictures, long GOPs, one track."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import pytest
from av.video.frame import VideoFrame
from tests.profile import WHOLE

from headwater.loadtest.bench.capture import Heard, listen
from headwater.loadtest.bench.processes import Peer
from headwater.loadtest.bench.server import Headwater
from headwater.loadtest.fragments import boxes

from .ladder import (
    LIP_S,
    SOUND,
    SOUND_TOML,
    Flashing,
    check_boundaries,
    decode_audio,
    decode_video,
    lip_offsets,
    media,
    variants,
    wait_offered,
)

pytestmark = [pytest.mark.peer, pytest.mark.alone, pytest.mark.timeout(180)]

FOLLOW_S = 8
SMALL = SOUND_TOML.replace("height = 240", "height = 144", 1).replace("height = 144\n[ingest", "height = 90\n[ingest")
KEEP = '[[ingest.encode.stream]]\nname = "keep-*"\nlong_gop = "keep-source"\n'
FIELDS = '[[ingest.encode.stream]]\nname = "fields"\n[[ingest.encode.stream.rungs]]\nheight = 180\n'


@dataclass(frozen=True)
class Case:
    """A source, and what becomes of it."""

    source: Flashing
    sizes: dict[str, tuple[int, int]]
    """Of each rung."""
    fps: Fraction = Fraction(30)
    """Of the rungs."""
    unlisted: tuple[str, ...] = ()
    """Renditions that players are not offered."""
    sound: bool = True
    follow_s: float = FOLLOW_S

    @property
    def names(self) -> list[str]:
        sounds = ["audio", SOUND] if self.sound else []
        listed = ["source"] if self.sizes else []
        return [name for name in [*listed, *self.sizes, *sounds] if name not in self.unlisted]


WIDE = {"144p": (256, 144), "90p": (160, 90)}
TALL = {"144p": (144, 256), "90p": (90, 160)}


def _source(name: str, **more: Any) -> Flashing:
    return dataclasses.replace(Flashing(name, size="320x180", seconds=40), **more)


ALL = {
    case.source.name: case
    for case in (
        Case(_source("ntsc", fps="30000/1001"), WIDE, Fraction(30_000, 1_001)),
        Case(
            _source("vfr", filters="select='lt(mod(t,4),2)+not(mod(n,3))'", output=("-fps_mode", "vfr")),
            WIDE,
        ),
        Case(
            _source("fields", fps="50", gop=50, filters="tinterlace=mode=interleave_top,setfield=tff",
                     video=("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-x264-params", "tff=1"),
                     output=("-flags:v", "+ildct+ilme")),
            {"180p": (320, 180)},
            Fraction(25),
        ),
        Case(_source("portrait", size="180x320"), TALL),
        Case(_source("turned", push=("-bsf:v", "h264_metadata=display_orientation=insert:rotate=90")), WIDE),
        Case(_source("stretched", size="240x180", filters="setsar=4/3"), WIDE),
        Case(_source("drop-gop10", gop=300), WIDE, unlisted=("source",), follow_s=13),
        Case(_source("keep-gop10", gop=300), WIDE, follow_s=14),
        Case(_source("sound-only", video=()), {}),
        Case(_source("picture-only", audio=()), WIDE, sound=False),
    )
}  # fmt: skip
AT_ONCE = 5
CASES = ALL if WHOLE else {name: ALL[name] for name in ("fields", "turned", "stretched", "drop-gop10", "keep-gop10")}
LIPS = [name for name, case in CASES.items() if case.sizes and case.sound and name != "turned"]
"""Cases with picture and sound whose flash is as wide as the picture."""
FRAMED = [name for name, case in CASES.items() if case.sizes and name != "keep-gop10"]
"""Cases whose segments are two seconds long, with video."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headwater]:
    """One server for all sources."""
    server = Headwater(tmp_path_factory.mktemp("sources") / "server", extra=SMALL + KEEP + FIELDS).start()
    yield server
    code = server.stop()
    assert code == 0
    assert "Traceback" not in server.text(), server.text()


@pytest.fixture(scope="module")
def outcomes(
    server: Headwater, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Heard] | BaseException]:
    """All sources, a round at a time: what each rendition delivered."""
    folder = tmp_path_factory.mktemp("files")
    for case in CASES.values():
        case.source.make(folder)

    async def one(case: Case) -> dict[str, Heard]:
        push: Peer = case.source.start(server, folder)
        try:
            await asyncio.to_thread(wait_offered, server, case.source.name, case.names, timeout_s=60)
            found = await listen(server.url(f"/live/{case.source.name}/"), case.names, case.follow_s)
            # Listed by now, though not at first: a long GOP is seen to be long only when it is.
            assert variants(server, case.source.name).keys() == set(case.names)
            return found
        finally:
            push.kill()

    async def run() -> dict[str, dict[str, Heard] | BaseException]:
        found: dict[str, dict[str, Heard] | BaseException] = {}
        for start in range(0, len(CASES), AT_ONCE):
            names = list(CASES)[start : start + AT_ONCE]
            results = await asyncio.gather(*(one(CASES[name]) for name in names), return_exceptions=True)
            found.update(zip(names, results, strict=True))
        return found

    return asyncio.run(run())


def heard_of(outcomes: dict[str, dict[str, Heard] | BaseException], name: str) -> dict[str, Heard]:
    """One case's outcome; its own failure when it had one."""
    found = outcomes[name]
    if isinstance(found, BaseException):
        raise found
    return found


def frame_lengths(case: Case) -> dict[str, float]:
    """Seconds of a sample of each rendition."""
    lengths = {name: 1024 / 48_000 if name.startswith("audio") else float(1 / case.fps) for name in case.names}
    if case.source.name == "vfr":
        lengths["source"] = 0.1
    return lengths


@pytest.mark.parametrize("name", CASES)
def test_renditions_are_aligned_and_whole(outcomes: dict[str, dict[str, Heard] | BaseException], name: str) -> None:
    case, heard = CASES[name], heard_of(outcomes, name)
    check_boundaries(heard, frame_lengths(case))
    assert {one.rendition: one.gaps for one in heard.values() if one.gaps} == {}


@pytest.mark.parametrize("name", FRAMED)
def test_rungs_have_their_size_and_every_frame(
    outcomes: dict[str, dict[str, Heard] | BaseException], name: str
) -> None:
    case, heard = CASES[name], heard_of(outcomes, name)
    shared = check_boundaries(heard, frame_lengths(case))
    for rung, size in case.sizes.items():
        decoded = decode_video(heard[rung], shared)
        assert decoded.size == size
        wanted = float(case.fps) * sum(_length(heard[rung], msn) for msn in shared)
        assert abs(len(decoded.times) - wanted) < 1.5
        steps = Counter(round((b - a) * float(case.fps), 1) for a, b in itertools.pairwise(sorted(decoded.times)))
        assert set(steps) <= {0.9, 1.0, 1.1}, steps


def _length(one: Heard, msn: int) -> float:
    parts = one.whole()[msn]
    return parts[-1].end - parts[0].start


@pytest.mark.parametrize("name", LIPS)
def test_picture_and_sound_belong_together(outcomes: dict[str, dict[str, Heard] | BaseException], name: str) -> None:
    case, heard = CASES[name], heard_of(outcomes, name)
    shared = check_boundaries(heard, frame_lengths(case))
    sounds = [decode_audio(heard[sound], shared) for sound in ("audio", SOUND)]
    # At 10 frames per second a flash is up to a frame late in the source itself.
    allowed = LIP_S + (0.1 if name == "vfr" else 0)
    for rung in case.sizes:
        picture = decode_video(heard[rung], shared)
        for sound in sounds:
            offsets = lip_offsets(picture, sound)
            assert len(offsets) >= len(shared)
            assert max(map(abs, offsets)) < allowed, (rung, offsets)


def test_fields_are_made_frames(outcomes: dict[str, dict[str, Heard] | BaseException], server: Headwater) -> None:
    """Neighbouring rows differ less than every second one: there is no comb in what moves."""
    heard = heard_of(outcomes, "fields")
    shared = check_boundaries(heard, frame_lengths(CASES["fields"]))
    assert comb(heard["source"], shared) > 1.0
    assert comb(heard["180p"], shared) < 0.9


def comb(one: Heard, msns: list[int]) -> float:
    """Differences between neighbouring rows over those between rows two apart, of the moving half."""
    near = far = 0
    with av.open(io.BytesIO(media(one, msns[:1])), "r") as container:
        for frame in itertools.islice(container.decode(video=0), 5, 25):
            assert isinstance(frame, VideoFrame)
            plane, width = frame.planes[0], frame.width
            data = bytes(plane)
            rows = [data[y * plane.line_size :][:width] for y in range(frame.height // 2 + 8, frame.height)]
            near += sum(
                sum(abs(a - b) for a, b in zip(x[::3], y[::3], strict=True)) for x, y in itertools.pairwise(rows)
            )
            far += sum(
                sum(abs(a - b) for a, b in zip(x[::3], y[::3], strict=True))
                for x, y in zip(rows, rows[2:], strict=False)
            )
    return near / far


def test_a_long_gop_is_cut_regularly_and_its_source_is_not_offered(
    outcomes: dict[str, dict[str, Heard] | BaseException],
) -> None:
    heard = heard_of(outcomes, "drop-gop10")
    for rung in WIDE:
        lengths = [_length(heard[rung], msn) for msn in heard[rung].whole()]
        # The first ones may be from before the GOP was known to be long.
        assert max(lengths) < 4.3 and all(1.9 < length < 2.1 for length in lengths[-3:]), lengths


def test_a_long_gop_is_kept_whole_where_that_is_wanted(
    outcomes: dict[str, dict[str, Heard] | BaseException],
) -> None:
    """The source is offered, and wherever it is cut, the rungs can be joined."""
    heard = heard_of(outcomes, "keep-gop10")
    shared = check_boundaries(heard, frame_lengths(CASES["keep-gop10"]))
    for rung in WIDE:
        for msn in shared:
            frames = len(decode_video(heard[rung], [msn]).times)
            assert abs(frames - 30 * _length(heard[rung], msn)) < 0.5, (rung, msn)


def test_turned_pictures_are_upright(outcomes: dict[str, dict[str, Heard] | BaseException]) -> None:
    """What was sent lying on its side stands in the middle of each rung, in its own shape."""
    heard = heard_of(outcomes, "turned")
    shared = check_boundaries(heard, frame_lengths(CASES["turned"]))
    with av.open(io.BytesIO(media(heard["144p"], shared[:1])), "r") as container:
        for frame in itertools.islice(container.decode(video=0), 5, 30):
            assert isinstance(frame, VideoFrame)
            plane = frame.planes[0]
            rows = [bytes(plane)[y * plane.line_size :][: frame.width] for y in range(0, frame.height, 8)]
            # 144 rows of a picture of 9 : 16 are 81 columns; the bars beside it are black.
            assert max(max(row[:72] + row[-72:]) for row in rows) < 24
            assert max(max(row[90:-90]) for row in rows) > 60


def test_rungs_have_square_pixels(outcomes: dict[str, dict[str, Heard] | BaseException], server: Headwater) -> None:
    heard = heard_of(outcomes, "stretched")
    for rung in WIDE:
        assert b"pasp" not in heard[rung].init or _pasp(heard[rung].init) == (1, 1)
    assert any(kind == b"moov" for kind, _, _ in boxes(heard["144p"].init))
    assert server.metric("headwater_encode_decode_errors_total") == 0


def _pasp(init: bytes) -> tuple[int, int]:
    at = init.index(b"pasp") + 4
    return int.from_bytes(init[at : at + 4]), int.from_bytes(init[at + 4 : at + 8])
