"""Headless Chromium that watches player pages, and what it saw."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

EXECUTABLE = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    # Several pages play at once: none of them may be slowed down for being in the background.
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
]
SMALL: ViewportSize = {"width": 400, "height": 300}
"""Of a page, pixels: drawn by the processor, each picture costs as many."""
LOOK_S = 0.25
"""Between two looks at a page that is to play."""
FIGURES = """() => {
    const video = document.querySelector('video');
    const stallingMs = stallBegan === null ? 0 : performance.now() - stallBegan;
    const {currentTime: time, paused, videoWidth: width} = video;
    return {...window.headwater, stallingMs, time, paused, width};
}"""
"""What `figures` are, of a player page. `stallingMs`: of a stall that lasts, which `stalledMs` does not have yet."""


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """One Chromium for the length of a `with` block."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=EXECUTABLE, args=FLAGS)
        try:
            yield chromium
        finally:
            chromium.close()


def open_player(chromium: Browser, url: str) -> Page:
    """Open a player page in a context of its own."""
    page = chromium.new_context(viewport=SMALL).new_page()
    page.goto(url)
    return page


def figures(page: Page) -> dict[str, Any]:
    """What the page says of itself (`window.headwater`), and where its video is."""
    found = page.evaluate(FIGURES)
    assert isinstance(found, dict)
    return found


def _moves(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether there is a picture, and it has moved."""
    # The clock of a player may move with a seek before there is anything to see.
    return bool(now["width"] and now["time"] > before["time"] > 0 and now["firstFrameMs"] is not None)


def wait_playing(page: Page, *, timeout_s: float = 40) -> dict[str, Any]:
    """Wait until the picture moves; AssertionError with the page's figures when it does not."""
    return until_moving(lambda: figures(page), lambda: page.wait_for_timeout(1_000 * LOOK_S), timeout_s)


def until_moving(
    look: Callable[[], dict[str, Any] | None], pause: Callable[[], None], timeout_s: float
) -> dict[str, Any]:
    """`look` at a page's figures (None: it has none yet) with a `pause` between until its picture moves: the last ones.

    AssertionError with what was seen when it does not.
    """
    deadline = time.monotonic() + timeout_s
    before = look()
    while time.monotonic() < deadline:
        pause()
        now = look()
        if before is not None and now is not None and _moves(before, now):
            return now
        before = now
    raise AssertionError(f"not playing after {timeout_s} s: {before}")


def wait_state(page: Page, state: str, *, timeout_s: float = 20) -> dict[str, Any]:
    """Wait until the page says that it is in `state`; AssertionError with its figures when it never is."""
    deadline = time.monotonic() + timeout_s
    now = figures(page)
    while now["state"] != state:
        assert time.monotonic() < deadline, f"not {state} after {timeout_s} s: {now}"
        page.wait_for_timeout(250)
        now = figures(page)
    return now
