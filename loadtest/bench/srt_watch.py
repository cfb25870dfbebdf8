"""720p over SRT through a bad network, watched in Chromium: no stall, sound and picture together.

ffmpeg pushes a source that flashes and beeps; its SRT goes through a proxy that loses 5 % in each direction with a
round trip of 100 ms; the latency is 600 ms. A page plays it. What must hold after the first seconds:

    stalls      none
    content     the decoded stream's tones begin within 40 ms of their flashes
    picture     the page shows frames within 40 ms of its own clock, which follows the sound
    loss        nothing is given up: all that the network lost came again
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from headwater.loadtest.udpproxy import Link

from .avsync import SOURCE_S, make_source, skews
from .chromium import browser, figures, open_player, wait_playing
from .network import in_process
from .processes import Peer
from .server import Headwater
from .srtpeers import ffmpeg_caller

STREAM = "field"
LATENCY_MS = 600
NETWORK = Link(loss=0.05, delay_s=0.05)
"""Of each direction."""
LARGEST_SKEW_S = 0.04
LADDER = "\n[ingest.encode]\nenabled = true\n"
SETTLE_S = 8
"""After the start of playback; what the player's first seconds are is another matter."""
LOOK_S = 30
DECODE_S = 6
"""Decoded at each look."""

TROUBLE = re.compile(r"\b(warning|error|critical)\b", re.IGNORECASE)

OBSERVE = """() => {
    const video = document.querySelector('video');
    window.skews = [];
    const shown = (_, frame) => {
        const ahead = (frame.expectedDisplayTime - performance.now()) / 1000;
        window.skews.push(frame.mediaTime - video.currentTime - ahead);
        if (window.skews.length > 3000) window.skews.shift();
        video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback(shown);
}"""


@dataclass
class Findings:
    """What the run saw; `problems` is empty when all of it held."""

    seconds: float = 0
    stalls: int = 0
    latency_s: float = 0
    """Of the player at the end; NaN while it has nothing to play."""
    content_s: list[float] = field(default_factory=list)
    """From each flash to its tone, in the delivered stream."""
    picture_s: list[float] = field(default_factory=list)
    """Median distance of the shown frames from the page's clock, at each look."""
    packets: dict[str, float] = field(default_factory=dict)
    """The server's counters of the stream."""
    problems: list[str] = field(default_factory=list)


@contextlib.contextmanager
def published(folder: Path, source: Path, *, ladder: bool, seed: int = 5) -> Iterator[Headwater]:
    """A server, and `source` on its way to it as `STREAM` through the bad network."""
    server = Headwater(folder / "srt", extra=LADDER if ladder else "").start()
    push: Peer | None = None
    try:
        with in_process(server.ports["srt"], NETWORK, NETWORK, seed, folder) as port:
            call = dataclasses.replace(server.srt(STREAM, latency_ms=LATENCY_MS), port=port)
            push = Peer(ffmpeg_caller(source, call, loop=True), folder / "srt-push.log")
            server.wait_playable(STREAM, timeout_s=40)
            yield server
            if push.returncode is not None:
                raise RuntimeError(f"the publisher ended: {push.text()[-500:]}")
            push.kill()
    finally:
        if push is not None:
            push.kill()
        server.stop()


def run(
    folder: Path, *, seconds: float, ladder: bool, say: Callable[[str], None], source_s: int = SOURCE_S
) -> Findings:
    """Watch it for `seconds`; `say` prints progress. `source_s`: length of the file that is pushed in a loop."""
    found = Findings(seconds=seconds)
    with published(folder, make_source(folder, source_s), ladder=ladder) as server, browser() as chromium:
        page = open_player(chromium, server.url(f"/live/{STREAM}/"))
        wait_playing(page)
        page.wait_for_timeout(1_000 * SETTLE_S)
        page.evaluate(OBSERVE)
        began, start = time.monotonic(), figures(page)
        diary = Diary(server, start)
        while (left := began + seconds - time.monotonic()) > 0:
            page.wait_for_timeout(1_000 * min(left, LOOK_S))
            _look(server, page, start, found)
            say(f"{time.monotonic() - began:.0f} s: {found.stalls} stalls, {found.latency_s:.1f} s behind live")
            for line in diary.news(figures(page)):
                say(f"    {line}")
        _judge(start, figures(page), time.monotonic() - began, found)
        found.packets = _packets(server)
    if found.packets["dropped"]:
        found.problems.append(f"{found.packets['dropped']:.0f} packets were given up")
    if not found.packets["lost"]:
        found.problems.append("the network lost nothing")
    return found


class Diary:
    """What page and server tell of trouble: without it nobody knows what a stall came from."""

    def __init__(self, server: Headwater, start: dict[str, Any]) -> None:
        self._server = server
        self._told = len(server.text())
        self._since_ms = max((error["at"] for error in start["errors"]), default=0)
        self._reloads = start["reloads"]

    def news(self, now: dict[str, Any]) -> Iterator[str]:
        """Since the last call."""
        for error in now["errors"]:
            if error["at"] > self._since_ms:
                fatal = ", fatal" if error["fatal"] else ""
                yield f"page, {error['at'] / 1e3:.1f} s after it was opened: {error['kind']} {error['detail']}{fatal}"
        self._since_ms = max((error["at"] for error in now["errors"]), default=self._since_ms)
        if now["reloads"] > self._reloads:
            yield f"page: the player began anew, {now['reloads'] - self._reloads} times"
            self._reloads = now["reloads"]
        text = self._server.text()
        fresh, self._told = text[self._told :], len(text)
        yield from (line for line in fresh.splitlines() if TROUBLE.search(line))


def _look(server: Headwater, page: Page, start: dict[str, Any], found: Findings) -> None:
    found.picture_s.append(statistics.median(page.evaluate("window.skews.splice(0)")))
    now = figures(page)
    found.stalls = now["stalls"] - start["stalls"]
    found.latency_s = math.nan if now["latency"] is None else now["latency"]
    found.content_s += skews(server.url(f"/live/{STREAM}/index.m3u8"), DECODE_S)


def _judge(start: dict[str, Any], now: dict[str, Any], elapsed_s: float, found: Findings) -> None:
    if now["stalls"] > start["stalls"]:
        found.problems.append(f"{now['stalls'] - start['stalls']} stalls")
    if now["time"] - start["time"] < 0.95 * elapsed_s:
        found.problems.append(f"{now['time'] - start['time']:.1f} s were played in {elapsed_s:.1f} s")
    for what, values in (("content", found.content_s), ("picture", found.picture_s)):
        worst = max(values, key=abs, default=1.0)
        if abs(worst) > LARGEST_SKEW_S:
            found.problems.append(f"{what}: sound and picture are {1e3 * worst:.0f} ms apart")


def _packets(server: Headwater) -> dict[str, float]:
    return {
        name: server.metric(f"headwater_srt_{name}_packets_total")
        for name in ("lost", "retransmitted", "belated", "dropped")
    }
