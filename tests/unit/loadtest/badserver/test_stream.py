"""What requests get, on a stepped clock; and the doctor's opinion of the good mode, on a virtual one."""

from __future__ import annotations

import asyncio

import pytest
from tests.virtual_time import run

from headwater.loadtest.badserver.faults import Faults, Kind
from headwater.loadtest.badserver.reply import Reply
from headwater.loadtest.badserver.shape import ROOT, Shape
from headwater.loadtest.badserver.stream import MAX_REMEMBERED, Hold, Stream
from headwater.loadtest.doctor.run import DoctorOptions, diagnose
from headwater.loadtest.doctor.values import Answer, Ask
from headwater.origin.hls import delta, reader

START = 1_700_000_000_000
HOST = "http://bad.example"
NEXT = START // 500
"""Number of the first part that is due after the start."""


def stream(*faults: str) -> Stream:
    return Stream(Shape(500, 4, 1_000), Faults.of(faults), START)


def reply(found: Reply | Hold) -> Reply:
    assert isinstance(found, Reply), found
    return found


def hold(found: Reply | Hold) -> int:
    """Milliseconds after the start at which to ask again."""
    assert isinstance(found, Hold), found
    return found.at_ms - START


def ask(made: Stream, path: str) -> Reply | Hold:
    return made.ask(f"{ROOT}/{path}".encode())


def test_a_blocking_reload_is_held_until_its_part() -> None:
    made = stream()
    msn, index = divmod(NEXT, 4)
    path = f"hd/index.m3u8?_HLS_msn={msn}&_HLS_part={index}"
    assert hold(ask(made, path)) == 500
    made.advance(START + 499)
    assert hold(ask(made, path)) == 500
    made.advance(START + 500)
    playlist = reader.read(reply(ask(made, path)).body.decode())
    assert playlist.open is not None
    assert playlist.open.parts[-1].uri == f"p{NEXT}.m4s"
    assert made.told.listed == 1


def test_a_delta_update_is_the_same_playlist() -> None:
    made = stream()
    full = reader.read(reply(ask(made, "sd/index.m3u8")).body.decode())
    update = reader.read(reply(ask(made, "sd/index.m3u8?_HLS_skip=YES")).body.decode())
    assert update.skipped > 0
    assert delta.merge(update, full).segments == full.segments


def test_a_hinted_part_is_held_and_others_are_not() -> None:
    made = stream()
    assert hold(ask(made, f"audio/p{NEXT}.m4s")) == 500
    assert reply(ask(made, f"audio/p{NEXT + 1}.m4s")).label == "404 part"
    made.advance(START + 500)
    good = reply(ask(made, f"audio/p{NEXT}.m4s"))
    assert (good.label, len(good.body), good.kind) == ("200 part", 100, None)
    assert reply(ask(made, f"audio/s{NEXT // 4 - 1}.m4s")).body == good.body * 4
    assert reply(ask(made, f"hd/s{NEXT // 4}.m4s")).label == "404 segment"


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("index.m3u8", "200 multivariant"), ("hd/init.mp4", "200 init"), ("uhd/index.m3u8", "404 none"),
        ("hd/x.m4s", "404 none"), ("hd/p1.m4s", "404 part"), ("hd/index.m3u8?_HLS_part=1", "400 playlist"),
        ("hd/index.m3u8?_HLS_msn=99999999999", "400 playlist"), ("hd/index.m3u8?" + "a&" * 40, "400 playlist"),
        ("hd/index.m3u8?_HLS_msn=%31", "200 playlist"), (f"hd/p{'9' * 16}.m4s", "404 none"),
    ],
)  # fmt: skip
def test_answers_of_the_moment(path: str, label: str) -> None:
    assert reply(ask(stream(), path)).label == label


def test_what_is_remembered_is_bounded() -> None:
    made = stream()
    for number in range(MAX_REMEMBERED + 10):
        ask(made, f"{number}")
    assert len(made._remembered) <= MAX_REMEMBERED


def test_a_delayed_part_is_listed_but_held() -> None:
    made = stream("part-delay=200")
    made.advance(START + 500)
    assert f"p{NEXT}.m4s" in reply(ask(made, "hd/index.m3u8")).body.decode().split("#EXT-X-PRELOAD-HINT")[0]
    assert hold(ask(made, f"hd/p{NEXT}.m4s")) == 700
    made.advance(START + 700)
    assert reply(ask(made, f"hd/p{NEXT}.m4s")).kind is Kind.PART_DELAY


@pytest.mark.parametrize(
    ("fault", "label", "kind"),
    [
        ("status=503", "503 part", Kind.STATUS), ("stall=100", "200 part", Kind.STALL),
        ("reset", "200 part", Kind.RESET), ("slow=8000", "200 part", Kind.SLOW),
    ],
)  # fmt: skip
def test_parts_are_spoilt(fault: str, label: str, kind: Kind) -> None:
    made = stream(fault)
    made.advance(START + 500)
    found = reply(ask(made, f"hd/p{NEXT}.m4s"))
    assert (found.label, found.kind) == (label, kind)
    assert reply(ask(made, f"hd/p{NEXT - 1}.m4s")).kind is None, "it was there before the server began"


def test_playlists_are_spoilt() -> None:
    early = reply(ask(stream("early"), f"hd/index.m3u8?_HLS_msn={NEXT // 4}&_HLS_part={NEXT % 4}"))
    assert (early.label, early.kind) == ("200 playlist", Kind.EARLY)
    assert f"p{NEXT}.m4s" not in early.body.decode().split("#EXT-X-PRELOAD-HINT")[0]
    made = stream("type")
    made.advance(START + 500)
    assert b"Content-Type: text/plain\r\n" in reply(ask(made, "hd/index.m3u8")).head


class _Client:
    """The doctor's client: asks the stream on the loop's clock."""

    def __init__(self, made: Stream) -> None:
        self._stream = made

    async def offers_http2(self, url: str) -> bool | None:
        return None

    async def fetch(self, ask: Ask) -> Answer:
        loop = asyncio.get_running_loop()
        sent = loop.time()
        while True:
            self._stream.advance(START + 1_000 * loop.time())
            found = self._stream.ask(ask.url.removeprefix(HOST).encode())
            if isinstance(found, Reply):
                break
            await asyncio.sleep((found.at_ms - START) / 1_000 - loop.time() + 1e-6)
        _, *lines = found.head.decode().splitlines()
        fields = (line.partition(": ") for line in lines)
        headers = {name.lower(): value for name, _, value in fields}
        now = loop.time()
        body = found.body if ask.method != "HEAD" else b""
        return Answer(ask, int(found.label[:3]), headers, body, ask.url, sent, now, now, now)


USUAL = {199, 202, 142, 138, 184}
"""It has no media in its boxes, no gzip, no TLS, no I-frames."""


@pytest.mark.parametrize("shape", [Shape(500, 4), Shape(200, 5), Shape(1_000, 4)])
def test_the_doctor_finds_nothing_in_the_playlists_of_the_good_mode(shape: Shape) -> None:
    url = f"{HOST}{ROOT}/index.m3u8"
    report = run(diagnose(_Client(Stream(shape, Faults(), START)), DoctorOptions(url, seconds=9.0)))
    assert len(report.recording.renditions[0].versions) > 8
    assert {finding.rule.number for finding in report.findings} == USUAL


@pytest.mark.parametrize(
    ("fault", "rules"), [("early,share=0.5", {80, 81, 82}), ("freeze,from=2,to=5", {19}), ("pace=1.5", {115})]
)
def test_the_doctor_finds_what_was_told(fault: str, rules: set[int]) -> None:
    url = f"{HOST}{ROOT}/index.m3u8"
    report = run(diagnose(_Client(stream(fault)), DoctorOptions(url, seconds=9.0)))
    assert {finding.rule.number for finding in report.findings} == USUAL | rules
