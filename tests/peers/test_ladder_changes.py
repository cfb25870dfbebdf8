"""The encoder changes resolution, frame rate, sample rate and codec while it sends, and comes back as another one."""

from __future__ import annotations

import asyncio
import itertools
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from headwater.loadtest.bench.capture import Heard, listen
from headwater.loadtest.bench.chromium import browser, figures, open_player, wait_playing
from headwater.loadtest.bench.processes import FFMPEG
from headwater.loadtest.bench.server import Headwater

from .flv_push import FlvPush
from .ladder import (
    LIP_S,
    RUNGS,
    SOUND,
    SOUND_TOML,
    Flashing,
    decode_audio,
    decode_video,
    lip_offsets,
    wait_offered,
)

pytestmark = [pytest.mark.peer, pytest.mark.heavy, pytest.mark.timeout(150)]

STREAM = "changes"
SECONDS = 6
"""Of each configuration."""
_HEVC = ("-c:v", "libx265", "-preset", "ultrafast", "-tune", "zerolatency", "-x265-params", "log-level=error")
SOURCES = (
    Flashing("first", seconds=SECONDS, gop=30),
    Flashing("second", size="852x480", fps="25", gop=25, audio_rate=44_100, seconds=SECONDS),
    Flashing("third", fps="30", gop=30, seconds=SECONDS, video=_HEVC),
)
AGAIN = Flashing("fourth", size="480x360", fps="24", gop=24, audio_rate=44_100, seconds=45)
AWAY_S = 2
LATENCY_S = 4.0
BACK = "([name, width]) => headwater.rendition === name && document.querySelector('video').videoWidth === width"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headwater]:
    """A server with ladders."""
    server = Headwater(tmp_path_factory.mktemp("changes") / "server", extra=SOUND_TOML).start()
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.text(), server.text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For what is encoded."""
    return tmp_path_factory.mktemp("files")


def flv(source: Flashing, folder: Path) -> Path:
    """`source` as an FLV file."""
    path = folder / f"{source.name}.flv"
    command = [FFMPEG, "-v", "error", "-y", "-i", str(source.make(folder)), "-map", "0", "-c", "copy", str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


def test_the_rungs_go_on_through_every_change(server: Headwater, folder: Path) -> None:
    files = [flv(source, folder) for source in SOURCES]
    AGAIN.make(folder)
    with browser() as chromium, FlvPush(server.ports["rtmp"], STREAM, files) as push:
        wait_offered(server, STREAM, [*RUNGS, SOUND])
        page = open_player(chromium, server.url(f"/live/{STREAM}/"))
        wait_playing(page)
        page.select_option("#quality", RUNGS[0])
        page.evaluate("window.sameDocument = true")
        heard = _hear(server, len(SOURCES) * SECONDS - 5)
        push.join(SECONDS)
        assert push.error is None
        page.wait_for_timeout(1_000 * AWAY_S)
        again = AGAIN.start(server, folder, STREAM)
        try:
            page.wait_for_timeout(4_000)
            # The viewer's choice comes back as soon as the ladder of the encoder that came back does.
            page.wait_for_function(BACK, arg=(RUNGS[0], 426), timeout=25_000)
            before = wait_playing(page, timeout_s=15)
            page.wait_for_timeout(3_000)
            after = figures(page)
        finally:
            again.kill()
        assert page.evaluate("window.sameDocument") is True
        page.context.close()
    assert after["time"] - before["time"] > 2.5 and after["latency"] < LATENCY_S, (before, after)
    assert (after["rendition"], after["width"]) == (RUNGS[0], 426), after
    _check(heard)
    # One encoder process made all of it: a change of the source is nothing to fail at.
    assert server.metric("headwater_encode_restarts_total", stream=STREAM) == 0


def _hear(server: Headwater, seconds: float) -> dict[str, Heard]:
    """Follow the rungs, in a thread: the browser's driver has the loop of this one."""

    def run() -> dict[str, Heard]:
        return asyncio.run(listen(server.url(f"/live/{STREAM}/"), [*RUNGS, SOUND], seconds))

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(run).result()


def _check(heard: dict[str, Heard]) -> None:
    """The rungs have one configuration for all of it, hardly a hole, and picture and sound stay together."""
    shared = sorted(set.intersection(*(set(one.whole()) for one in heard.values())))
    assert len(shared) >= 4
    sound = decode_audio(heard[SOUND], shared)
    for name in RUNGS:
        assert not heard[name].errors, heard[name].errors
        decoded = decode_video(heard[name], shared)
        assert decoded.size == {"240p": (426, 240), "144p": (256, 144)}[name]
        offsets = lip_offsets(decoded, sound)
        assert len(offsets) >= len(shared)
        assert max(map(abs, offsets)) < LIP_S, offsets
        missing = sum(b - a for a, b in itertools.pairwise(decoded.times) if b - a > 0.05 and b - a < 1.9)
        assert missing < 1.0, "more than a second is gone at the changes"


def test_a_rung_has_one_init_section_for_all_of_it(server: Headwater) -> None:
    for name in (*RUNGS, SOUND):
        status, body = server.get(f"/live/{STREAM}/{name}/index.m3u8")
        assert status == 200
        assert len(set(re.findall(r'URI="(init-[^"]+)"', body.decode()))) == 1, name
