"""Most of the CPU is taken away from the encoder: quality goes in the order that is documented, time does not, and all
of it comes back."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page

from headwater.loadtest.bench.chromium import browser, figures, open_player, wait_playing
from headwater.loadtest.bench.processes import Peer, cpu_seconds
from headwater.loadtest.bench.server import Headwater
from headwater.origin.hls import reader

from .burner import competing
from .ladder import Flashing, busiest_worker, summary, variants, wait_offered

pytestmark = [pytest.mark.peer, pytest.mark.alone, pytest.mark.timeout(180)]

STREAM = "overload"
CHANGES = "headwater_encode_level_changes_total"
RUNGS = ("270p", "180p", "144p")
TOML = """
[ingest.encode]
enabled = true
[[ingest.encode.rungs]]
height = 270
preset = "fast"
[[ingest.encode.rungs]]
height = 180
preset = "fast"
[[ingest.encode.rungs]]
height = 144
preset = "fast"
[ingest.encode.overload]
step_down_after_s = 1.5
step_up_after_s = 2
"""
"""A slow preset on small pictures: the encoder has something to do, and nobody else has."""
LEFT = (0.5, 0.4, 0.3, 0.2)
"""Part of the CPU time that the ladder needs which it is left with: less and less until it has given up enough."""
ENOUGH = 3
"""The level at which that is: half the frame rate."""
STEP_S = 4
LOADED_S = 5
"""How long it is held there."""
CALM_S = 3
BACK_S = 40
LATENCY_S = 4.0


@dataclass
class Log:
    """What was seen while the load was on, and after."""

    levels: list[int] = field(default_factory=list)
    latency: list[float] = field(default_factory=list)
    shed: list[set[str]] = field(default_factory=list)
    words: set[str] = field(default_factory=set)

    def look(self, server: Headwater, page: Page) -> None:
        """Once."""
        level = _level(server)
        if not self.levels or self.levels[-1] != level:
            self.levels.append(level)
        seen = figures(page)
        for latency in (seen["clockLatency"], seen["latency"]):
            if latency is not None:
                self.latency.append(latency)
        missing = {"source", *RUNGS} - variants(server, STREAM).keys()
        if missing and missing not in self.shed:
            self.shed.append(missing)
            _shed_rung_is_alive(server, max(missing))
        self.words.add(page.inner_text("[data-figure=ladder]"))


def _level(server: Headwater) -> int:
    return int(server.metric("headwater_encode_level", stream=STREAM))


def _shed_rung_is_alive(server: Headwater, name: str) -> None:
    """Its playlist goes on, in GAP, and does not end: players that read it neither fail nor stop."""
    status, body = server.get(f"/live/{STREAM}/{name}/index.m3u8")
    assert status == 200
    assert not reader.read(body.decode()).ended


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Headwater]:
    """A server whose stream has a ladder of three rungs."""
    server = Headwater(tmp_path / "server", extra=TOML).start()
    push: Peer | None = None
    try:
        push = Flashing(STREAM, seconds=120).start(server, tmp_path)
        wait_offered(server, STREAM, ["source", *RUNGS])
        yield server
    finally:
        if push is not None:
            push.kill()
        server.stop()


def test_quality_goes_and_comes_back_and_latency_stays(server: Headwater, tmp_path: Path) -> None:
    with browser() as chromium:
        page = open_player(chromium, server.url(f"/live/{STREAM}/"))
        wait_playing(page)
        page.select_option("#quality", RUNGS[-1])
        page.wait_for_function("document.querySelector('video').videoWidth === 256")
        worker, needed = _calm(server, page)
        seen = Log()
        with competing(worker, tmp_path) as burner:
            for left in LEFT:
                burner.take(1 - left * needed)
                _watch(seen, server, page, STEP_S)
                if max(seen.levels) >= ENOUGH:
                    break
            _watch(seen, server, page, LOADED_S)
        loaded, highest = seen.levels[:], max(seen.levels)
        after = Log()
        deadline = time.monotonic() + BACK_S
        while after.levels[-1:] != [0] and time.monotonic() < deadline:
            _watch(after, server, page, 0.5)
        page.wait_for_timeout(2_500)
        final = figures(page)
        page.context.close()
    print("needed", needed, "levels", loaded, after.levels, "latency", max(seen.latency), max(after.latency))
    assert highest >= ENOUGH and 0 not in loaded[loaded.index(highest) :], loaded
    assert after.levels[-1] == 0, after.levels
    assert max(seen.latency + after.latency) < LATENCY_S
    assert final["rendition"] == RUNGS[-1]
    _steps_were_counted_and_said(server, highest)
    assert variants(server, STREAM).keys() >= {"source", *RUNGS}
    assert busiest_worker(server) == worker, "it was replaced instead of helped"
    assert any(word not in ("full quality", "–") for word in seen.words), seen.words
    assert summary(server, STREAM)["ladder"]["level"] == 0


def _calm(server: Headwater, page: Page) -> tuple[int, float]:
    """The worker, and the cores that it needs for all of the ladder: seen while nothing is given up."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        worker = busiest_worker(server)
        steps = server.metric(CHANGES, stream=STREAM)
        before, began = cpu_seconds(worker), time.monotonic()
        page.wait_for_timeout(1_000 * CALM_S)
        needed = (cpu_seconds(worker) - before) / (time.monotonic() - began)
        if _level(server) == 0 and server.metric(CHANGES, stream=STREAM) == steps:
            return worker, needed
    raise AssertionError("something else keeps this machine too busy for a ladder of small pictures")


def _watch(seen: Log, server: Headwater, page: Page, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seen.look(server, page)
        page.wait_for_timeout(200)


def _steps_were_counted_and_said(server: Headwater, highest: int) -> None:
    """Each step is one level, in the log and in the counters. Nothing else: a machine that gets faster or slower under
    the load makes the ladder climb and step down again."""
    steps = re.findall(r"ladder steps (down|up).*?step=(\d+)", server.text())
    level = 0
    for way, said in steps:
        level += 1 if way == "down" else -1
        assert int(said) == level, steps
    assert level == 0 and max(int(said) for _, said in steps) >= highest, steps
    for way in ("down", "up"):
        assert server.metric(CHANGES, stream=STREAM, direction=way) == sum(step[0] == way for step in steps)
