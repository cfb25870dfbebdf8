"""Publishing over SRT, from ffmpeg to the viewers at the edge: as over RTMP. The rest of it: test_srt_callers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.profile import WHOLE

from headwater.loadtest.bench.server import Headwater
from headwater.loadtest.bench.srtpeers import Call, ffmpeg_caller

from .checks import *  # noqa: F403  # the tests of every outcome
from .matrix import Outcome, watch
from .sources import SOURCES, Source, x264

pytestmark = [pytest.mark.peer, pytest.mark.heavy, pytest.mark.timeout(300)]

KEY = "publish-key-of-all"
PASSPHRASE = "only-for-this-stream"
LATENCY_MS = 2_000
"""Costs nothing, as what is in order is passed on at once. Why so much: a test machine may be busy elsewhere for a
second, and what its kernel dropped meanwhile has to come again."""
AT_ONCE = 11
WRAP_S = 2**33 / 90_000
"""Time stamps of MPEG-TS start again after that: 26.5 hours."""

SOURCES_OF_TS = {
    source.name: source
    for source in (
        *(SOURCES[name] for name in ("h264-aac", "hevc-aac", "b-frames", "fps-29.97", "fps-59.94", "fps-25", "fps-5",
                                     "audio-only", "video-only", "late-audio", "aac-8k", "ac3")),
        Source("languages", x264(30), ("-c:a", "aac", "-b:a", "96k", "-metadata:s:a:0", "language=eng",
                                       "-metadata:s:a:1", "language=deu"), audio_tracks=2),
        Source("latm", x264(30), push=("-mpegts_flags", "latm")),
        Source("eac3", x264(30), ("-c:a", "eac3", "-b:a", "128k")),
        Source("opus", x264(30), ("-c:a", "libopus", "-b:a", "96k")),
        Source("wrap", x264(30), push=("-output_ts_offset", f"{WRAP_S - 8:.3f}", "-mpegts_copyts", "1")),
        Source("hevc-b-frames", ("-c:v", "libx265", "-preset", "ultrafast", "-g", "60", "-x265-params",
                                 "log-level=error:info=0:bframes=3:b-adapt=0", "-tag:v", "hvc1")),
    )
}  # fmt: skip
ENCRYPTED = ("h264-aac", "b-frames", "hevc-aac", "languages")
"""Pushed with AES-256 as well."""
CASES = (
    [*SOURCES_OF_TS, *(f"{name}-aes" for name in ENCRYPTED)]
    if WHOLE
    else ["h264-aac-aes", "b-frames", "hevc-b-frames", "late-audio", "video-only", "languages-aes", "ac3", "latm",
          "eac3", "opus", "wrap"]
)  # fmt: skip
LANGUAGES = [case for case in CASES if case.startswith("languages")]

RULES = "".join(
    [f'\n[[ingest.publish]]\nname = "*"\nkey = "{KEY}"\n']
    + [f'\n[[ingest.publish]]\nname = "{name}-aes"\nkey = "{KEY}"\npassphrase = "{PASSPHRASE}"\n' for name in ENCRYPTED]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of sources and logs."""
    return tmp_path_factory.mktemp("srt-publish")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Headwater]:
    """One server for all."""
    server = Headwater(folder / "server", extra=RULES).start()
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.text(), server.text()


def stream_of(case: str) -> str:
    """The stream name of a case."""
    return case.replace(".", "-")


def call(server: Headwater, name: str) -> Call:
    """How a stream is published: with its passphrase when it has one, else with the key."""
    if name.endswith("-aes"):
        return server.srt(name, latency_ms=LATENCY_MS, passphrase=PASSPHRASE, key_bytes=32)
    return server.srt(name, latency_ms=LATENCY_MS, key=KEY)


@pytest.fixture(scope="module")
def outcomes(server: Headwater, folder: Path) -> dict[str, Outcome | BaseException]:
    """All cases, some at a time."""
    for case in CASES:
        SOURCES_OF_TS[case.removesuffix("-aes")].make(folder)

    async def one(case: str) -> Outcome:
        source, name = SOURCES_OF_TS[case.removesuffix("-aes")], stream_of(case)
        command = ffmpeg_caller(source.make(folder), call(server, name), options=source.push)
        return await watch(server, source, folder, name, command)

    async def run() -> dict[str, Outcome | BaseException]:
        found: dict[str, Outcome | BaseException] = {}
        for start in range(0, len(CASES), AT_ONCE):
            cases = CASES[start : start + AT_ONCE]
            results = await asyncio.gather(*(one(case) for case in cases), return_exceptions=True)
            found.update(zip(cases, results, strict=True))
        return found

    return asyncio.run(run())


@pytest.fixture(params=CASES)
def outcome(request: pytest.FixtureRequest, outcomes: dict[str, Outcome | BaseException]) -> Outcome:
    """One case's outcome; its own failure when it had one."""
    found = outcomes[request.param]
    if isinstance(found, BaseException):
        raise found
    return found


@pytest.mark.parametrize("case", LANGUAGES)
def test_languages_are_renditions_of_their_own(outcomes: dict[str, Outcome | BaseException], case: str) -> None:
    found = outcomes[case]
    assert isinstance(found, Outcome)
    media = [line for line in found.multivariant.splitlines() if "TYPE=AUDIO" in line]
    assert [re.findall(r'LANGUAGE="(\w+)"', line) for line in media] == [["en"], ["de"]]
    assert len({re.findall(r'NAME="(.*?)"', line)[0] for line in media}) == 2
