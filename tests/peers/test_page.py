"""The pages in Chromium: streams that are not there yet, that pause, end and come back, tracks that come late."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from headwater.loadtest.bench.chromium import browser, figures, open_player, wait_playing, wait_state
from headwater.loadtest.bench.processes import Peer, wait_until
from headwater.loadtest.bench.server import Headwater

from .sources import SOURCES, Source

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

SOURCE = dataclasses.replace(SOURCES["h264-aac"], name="page", seconds=60)
SILENT = dataclasses.replace(SOURCES["video-only"], name="page-silent", seconds=60)
LATENCY_S = 5.0
LINGER_S = 12
"""Without a publisher before a stream ends, so that the tests need not wait a minute."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headwater]:
    """One server for all pages."""
    server = Headwater(tmp_path_factory.mktemp("page") / "server", extra=f"[ingest]\nlinger_s = {LINGER_S}\n").start()
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For what is encoded and logged."""
    return tmp_path_factory.mktemp("sources")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all pages."""
    with browser() as found:
        yield found


@contextlib.contextmanager
def publishing(server: Headwater, folder: Path, name: str, source: Source = SOURCE) -> Iterator[Peer]:
    """ffmpeg that pushes `source` as the stream `name`; it goes with SIGTERM and says goodbye."""
    peer = Peer(source.push_command(source.make(folder), server.rtmp(name)), folder / f"{name}.log")
    try:
        yield peer
    finally:
        peer.stop(5)


def live(server: Headwater, name: str) -> None:
    wait_until(lambda: server.get(f"/live/{name}/index.m3u8")[0] == 200, timeout_s=30, what=f"{name} is live")


def text(server: Headwater, path: str) -> str:
    """What a GET answers."""
    return server.get(path)[1].decode()


def wait_until_figures(page: Page, condition: Callable[[dict[str, Any]], bool], *, timeout_s: float = 30) -> None:
    """Poll the figures of `page`; AssertionError with them when `condition` never holds."""
    deadline = time.monotonic() + timeout_s
    while not condition(seen := figures(page)):
        assert time.monotonic() < deadline, seen
        page.wait_for_timeout(250)


def mark(page: Page) -> None:
    """Remember the document, so that a reload of the page would be seen."""
    page.evaluate("window.sameDocument = true")


def plays_live(page: Page) -> dict[str, Any]:
    """The picture moves, near the live edge, in the document that was marked."""
    seen = wait_playing(page)
    page.wait_for_timeout(2_000)
    seen = figures(page)
    assert page.evaluate("window.sameDocument") is True
    assert seen["latency"] is not None and seen["latency"] < LATENCY_S, seen
    return seen


def test_a_page_that_was_opened_before_the_stream_began(server: Headwater, chromium: Browser, folder: Path) -> None:
    page = open_player(chromium, server.url("/live/early/"))
    mark(page)
    wait_state(page, "waiting")
    assert "Waiting for the stream" in page.inner_text("#cover")
    with publishing(server, folder, "early"):
        assert plays_live(page)["stalls"] == 0
    page.context.close()


def test_a_page_that_was_opened_while_the_publisher_was_away(
    server: Headwater, chromium: Browser, folder: Path
) -> None:
    with publishing(server, folder, "away"):
        live(server, "away")
        time.sleep(4)
    time.sleep(5)
    page = open_player(chromium, server.url("/live/away/"))
    mark(page)
    wait_state(page, "away")
    with publishing(server, folder, "away"):
        plays_live(page)
    page.context.close()


def test_a_stream_that_ended_plays_on_when_it_is_published_again(
    server: Headwater, chromium: Browser, folder: Path
) -> None:
    with publishing(server, folder, "again"):
        live(server, "again")
        page = open_player(chromium, server.url("/live/again/"))
        mark(page)
        wait_playing(page)
        time.sleep(3)
    wait_state(page, "ended", timeout_s=LINGER_S + 15)
    assert "ended" in page.inner_text("#cover")
    with publishing(server, folder, "again"):
        plays_live(page)
    page.context.close()


def test_sound_that_begins_late_is_taken_up(server: Headwater, chromium: Browser, folder: Path) -> None:
    with publishing(server, folder, "late", SILENT):
        live(server, "late")
        early = open_player(chromium, server.url("/live/late/"))
        mark(early)
        wait_playing(early)
        early.wait_for_timeout(3_000)
        assert figures(early)["audioTracks"] == []
    with publishing(server, folder, "late"):
        wait_until(lambda: "TYPE=AUDIO" in text(server, "/live/late/index.m3u8"), timeout_s=20, what="sound")
        # One who was there, and one who comes now.
        late = open_player(chromium, server.url("/live/late/"))
        mark(late)
        start = wait_playing(late)
        wait_until_figures(early, lambda seen: bool(seen["audioTracks"]))
        assert plays_live(early)["audioTracks"] == ["Audio 1"]
        late.wait_for_timeout(4_000)
        seen = plays_live(late)
        assert seen["audioTracks"] == ["Audio 1"] and seen["stalls"] == start["stalls"], (start, seen)
        for page in (early, late):
            assert page.evaluate("document.querySelector('video').webkitAudioDecodedByteCount") > 0
            page.context.close()


def test_an_unknown_stream_waits_and_says_so(server: Headwater, chromium: Browser) -> None:
    page = open_player(chromium, server.url("/live/nobody-ever/"))
    wait_state(page, "waiting")
    assert page.inner_text("#name") == "nobody-ever"
    assert page.inner_text("#badge") == "Waiting"
    assert chromium.new_page().goto(server.url("/live/no%20name/")).status == 404  # type: ignore[union-attr]
    page.context.close()


def test_without_hls_js_the_page_says_what_is_missing(server: Headwater, chromium: Browser) -> None:
    page = chromium.new_context().new_page()
    page.route("**/vendor/hls.min.js", lambda route: route.fulfill(status=404))
    # Some browsers play HLS themselves; then nothing is missing.
    page.add_init_script("HTMLMediaElement.prototype.canPlayType = () => ''")
    page.goto(server.url("/live/nobody/"))
    wait_state(page, "failed")
    assert "make setup" in page.inner_text("#cover")
    page.context.close()


def test_the_list_shows_what_is_live(server: Headwater, chromium: Browser, folder: Path) -> None:
    page = open_player(chromium, server.url("/"))
    page.wait_for_function("document.getElementById('status').textContent.includes('live')")
    with publishing(server, folder, "listed"):
        live(server, "listed")
        link = page.wait_for_selector("#streams a[href='live/listed/']")
        assert link is not None and "320" in link.inner_text()
        link.click()
        page.wait_for_url("**/live/listed/")
        wait_playing(page)
    page.context.close()


@pytest.mark.parametrize("width", [360, 800])
def test_nothing_is_wider_than_the_screen(server: Headwater, chromium: Browser, tmp_path: Path, width: int) -> None:
    for path in ("/", "/live/nobody/"):
        page = chromium.new_context(viewport={"width": width, "height": 740}, device_scale_factor=2).new_page()
        page.goto(server.url(path))
        page.wait_for_timeout(500)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.screenshot(path=str(tmp_path / f"{width}{path.replace('/', '-')}.png"))
        page.context.close()
