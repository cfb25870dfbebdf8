"""The encoder process is killed, stopped, and made to fail while people watch: they stay where they are."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from headwater.loadtest.bench.chromium import browser, figures, open_player, wait_playing
from headwater.loadtest.bench.processes import Peer, wait_until
from headwater.loadtest.bench.server import Headwater

from .ladder import RUNGS, TOML, Flashing, busiest_worker, summary, wait_offered

pytestmark = [pytest.mark.peer, pytest.mark.heavy, pytest.mark.timeout(150)]

STREAM = "faults"
NOTICED_S = 1.5
"""From a fault to its notice: 1 s without a sign of life, and half a second between two signs."""
RECOVERED_S = 3.0
"""From the notice to a picture that moves for good."""
STILL_S = 0.5
"""A picture that stands longer than this is seen to stand."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headwater]:
    """A server whose stream has a ladder."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "sitecustomize.py").write_text(FAULTY)
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    server = Headwater(folder / "server", extra=TOML, env={"PYTHONPATH": path}).start()
    push: Peer | None = None
    try:
        push = Flashing(STREAM, seconds=120).start(server, folder)
        wait_offered(server, STREAM, ["source", *RUNGS])
        yield server
    finally:
        if push is not None:
            push.kill()
        server.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser."""
    with browser() as found:
        yield found


@dataclass
class Viewer:
    """A page that plays one rendition; `still()` are the times when its picture stood."""

    page: Page
    rendition: str
    stalls: int = 0

    def mark(self) -> None:
        """From now on."""
        self.page.evaluate("window.sameDocument = true")
        self.page.evaluate(
            """() => {
                const video = document.querySelector('video');
                window.moves = [];
                let last = -1;
                clearInterval(window.sampler);
                window.sampler = setInterval(() => {
                    const now = (performance.timeOrigin + performance.now()) / 1e3;
                    if (video.currentTime !== last) window.moves.push(now);
                    last = video.currentTime;
                }, 30);
            }"""
        )
        self.stalls = figures(self.page)["stalls"]

    def still(self) -> list[tuple[float, float]]:
        """Unix times from and to of each time that the picture stood for longer than `STILL_S`."""
        moves: list[float] = self.page.evaluate("[...window.moves, (performance.timeOrigin + performance.now()) / 1e3]")
        return [(a, b) for a, b in itertools.pairwise(moves) if b - a > STILL_S]


def _unix() -> float:
    return time.time_ns() / 1e9


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


def fail(pid: int) -> None:
    """An exception out of nothing, wherever the worker is: see `FAULTY`."""
    os.kill(pid, signal.SIGUSR1)


FAULTY = """
import signal, sys

def fail(*_):
    raise RuntimeError("forced by the test")

if "-m" in sys.orig_argv and any("encode.worker" in word for word in sys.orig_argv):
    signal.signal(signal.SIGUSR1, fail)
"""
"""What Python loads before anything else in each process of the server (`sitecustomize`)."""


@pytest.fixture(scope="module")
def viewers(server: Headwater, chromium: Browser) -> list[Viewer]:
    """One on the source, one on a rung."""
    found = []
    for name, width in (("source", 640), (RUNGS[0], 426)):
        page = open_player(chromium, server.url(f"/live/{STREAM}/"))
        wait_playing(page)
        page.select_option("#quality", name)
        page.wait_for_function("(width) => document.querySelector('video').videoWidth === width", arg=width)
        found.append(Viewer(page, name))
    return found


@pytest.mark.parametrize("fault", [kill, stop, fail], ids=["SIGKILL", "SIGSTOP", "exception"])
def test_viewers_stay(server: Headwater, viewers: list[Viewer], fault: Callable[[int], None], tmp_path: Path) -> None:
    source, rung = viewers
    rung.page.wait_for_timeout(1_500)
    for viewer in viewers:
        viewer.mark()
    source.page.wait_for_timeout(500)
    lost = server.metric("headwater_encode_restarts_total", stream=STREAM)
    pid, began = busiest_worker(server), _unix()
    fault(pid)
    wait_until(
        lambda: server.metric("headwater_encode_restarts_total", stream=STREAM) > lost,
        timeout_s=10,
        what="the fault is noticed",
    )
    noticed = _unix()
    assert noticed - began < NOTICED_S
    rung.page.wait_for_timeout(1_000 * (RECOVERED_S + 1.5))
    _sees_nothing(source)
    stood = rung.still()
    print(
        f"{fault.__name__}: noticed after {noticed - began:.2f} s, stood",
        [(round(a - noticed, 2), round(b - noticed, 2)) for a, b in stood],
    )
    assert all(until < noticed + RECOVERED_S for _, until in stood), [(a - noticed, b - noticed) for a, b in stood]
    seen = figures(rung.page)
    assert rung.page.evaluate("window.sameDocument") is True and seen["reloads"] == 0, seen
    assert (seen["rendition"], seen["width"]) == (rung.rendition, 426), seen
    assert seen["latency"] < 4, seen
    assert summary(server, STREAM)["ladder"]["state"] == "running"
    assert busiest_worker(server) != pid
    assert not Path(f"/proc/{pid}").exists()


def _sees_nothing(viewer: Viewer) -> None:
    seen = figures(viewer.page)
    assert viewer.still() == []
    assert seen["stalls"] == viewer.stalls and seen["reloads"] == 0, seen
    assert seen["rendition"] == "source", seen
