"""Where the player page begins: near to live, however long its start took, and where the viewer wants it to be."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from headwater.loadtest.bench.chromium import SMALL, browser, figures, wait_playing
from headwater.loadtest.bench.processes import Peer
from headwater.loadtest.bench.server import Headwater

from .sources import SOURCES

pytestmark = [pytest.mark.peer, pytest.mark.alone, pytest.mark.timeout(120)]

PAGES = Path(__file__).parents[2] / "origin" / "pages"
SOURCE = dataclasses.replace(SOURCES["h264-aac"], name="start", seconds=40)
STREAM = "start"
LATE_S = 2.0
NEAR_S = 1.0
"""To the target latency, of a page that plays for SETTLE_S: playing 5 % faster makes up for 0.15 s of LATE_S in it."""
SETTLE_S = 3

SLOW_MEDIA = """(late) => {
    const { open, send } = XMLHttpRequest.prototype;
    let from = null;
    XMLHttpRequest.prototype.open = function (method, url, ...more) {
        this.isMedia = !/m3u8/.test(url);
        return open.call(this, method, url, ...more);
    };
    XMLHttpRequest.prototype.send = function (...body) {
        const now = performance.now();
        if (this.isMedia && from === null) from = now + late;
        if (!this.isMedia || now >= from) return send.apply(this, body);
        setTimeout(() => this.readyState === XMLHttpRequest.OPENED && send.apply(this, body), from - now);
    };
}"""
"""All media comes `late` ms after hls.js has asked for the first of it, and has chosen where to begin."""

REFUSED = """() => {
    const { play } = HTMLMediaElement.prototype;
    HTMLMediaElement.prototype.play = async function () {
        if (!navigator.userActivation.hasBeenActive) throw new DOMException("not asked for", "NotAllowedError");
        return play.call(this);
    };
    document.addEventListener("readystatechange", () => document.querySelector("video").removeAttribute("autoplay"));
}"""
"""A browser that plays nothing before the viewer has touched the page."""

FAKES = """
    let started = false, lastJump = -Infinity;
    const JUMP_MS = 200;
    const figures = {};
    const range = { length: 1, start: () => 90, end: () => range.to, to: 96 };
    const video = { time: 95, seeks: [], paused: false, seeking: false, buffered: range };
    Object.defineProperty(video, "currentTime", {
        get: () => video.time,
        set: (to) => { video.time = to; video.seeks.push(to); onSeeking(0); },
    });
    const parts = [0, 1, 2, 3, 4, 5, 6, 7].map((at) => ({ start: 96 + at / 2, end: 96.5 + at / 2 }));
    const latestLevelDetails = { live: true, partTarget: 0.5, partList: parts, fragments: [] };
    let hls = { hasEnoughToStart: true, liveSyncPosition: 98.5, targetLatency: 1.5, latestLevelDetails };
"""
"""What start.js works on: parts up to 100 are listed, a player may be at 98.5; it is at 95, and has media up to 96."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all pages."""
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headwater]:
    """A server with one stream."""
    folder = tmp_path_factory.mktemp("start")
    server = Headwater(folder / "server").start()
    peer = Peer(SOURCE.push_command(SOURCE.make(folder), server.rtmp(STREAM), loop=True), folder / "push.log")
    try:
        server.wait_playable(STREAM)
        yield server
    finally:
        peer.kill()
        assert server.stop() == 0


@pytest.fixture
def scripts(chromium: Browser) -> Iterator[Page]:
    """start.js on what stands for a player, in its start."""
    page = chromium.new_page()
    page.add_script_tag(content=(PAGES / "playable.js").read_text())
    page.add_script_tag(content=FAKES)
    page.add_script_tag(content=(PAGES / "start.js").read_text())
    page.evaluate("startFromNow()")
    yield page
    page.close()


def seeks(page: Page, *steps: str) -> list[float]:
    """Where our seeks led once the steps were done."""
    page.evaluate("; ".join(steps))
    found: list[float] = page.evaluate("video.seeks")
    return found


def looks(*at_ms: int) -> str:
    return "; ".join(f"comeNearer({at})" for at in at_ms)


PICTURE = "started = true; onMoving(1000)"
BUFFERED = "range.to = 100"


def test_a_place_that_is_late_is_chosen_again_before_the_picture(scripts: Page) -> None:
    assert seeks(scripts, "hls.hasEnoughToStart = false", looks(0)) == []  # hls.js has not sought its own yet
    assert seeks(scripts, "hls.hasEnoughToStart = true", looks(250)) == [98.5]
    assert seeks(scripts, "video.time = 95", looks(500)) == [98.5]
    assert scripts.evaluate("figures.skipped") == 3.5


def test_what_was_sought_before_the_picture_is_not_the_viewers_choice(scripts: Page) -> None:
    assert seeks(scripts, "onSeeking(0)", looks(250)) == [98.5]
    told_late = "started = true; onSeeking(900)"
    later = "hls.liveSyncPosition = 99.5; range.to = 101"
    assert seeks(scripts, told_late, PICTURE, later, looks(1250)) == [98.5, 99.5]


@pytest.mark.parametrize(
    "why",
    [
        "video.time = 98.4",  # a tenth of a second: not worth the wait for media
        "parts[6].gap = true",
        "parts[7].gap = true",
        "video.paused = true",
        "hls.liveSyncPosition = null",
        "latestLevelDetails.live = false",
        "latestLevelDetails.partTarget = 0",
        "hls.latestLevelDetails = null",
        "hls = null",  # the browser's own HLS
    ],
)
def test_before_the_picture_the_place_stays(scripts: Page, why: str) -> None:
    assert seeks(scripts, why, looks(0, 250)) == []


def test_a_picture_that_is_late_is_moved_once_when_media_is_there(scripts: Page) -> None:
    assert seeks(scripts, PICTURE, looks(1250)) == []
    assert seeks(scripts, "range.to = 99.4", looks(1500)) == []  # the newest but one is missing
    assert seeks(scripts, "range.to = 99.5", looks(1750)) == [98.5]
    assert seeks(scripts, "video.time = 95", BUFFERED, looks(2000, 2250)) == [98.5]


@pytest.mark.parametrize(
    "why",
    [
        "video.time = 98",  # a part
        "hls.targetLatency = 3; hls.liveSyncPosition = 97; range.to = 99.4",  # a reserve that is not there yet
        "onPause(); onMoving(1200)",
        "video.paused = true",
        "onSeeking(1100)",
        "lastJump = 1000; onSeeking(1201)",
        "video.seeking = true",
        "hls = null",
    ],
)
def test_a_picture_stays_where_it_is(scripts: Page, why: str) -> None:
    assert seeks(scripts, PICTURE, BUFFERED, why, looks(1250, 1500)) == []


def test_a_jump_of_hls_js_over_a_hole_is_not_the_viewers(scripts: Page) -> None:
    assert seeks(scripts, PICTURE, "lastJump = 1100; onSeeking(1101)", BUFFERED, looks(1250)) == [98.5]


def test_after_three_seconds_nothing_is_moved(scripts: Page) -> None:
    assert seeks(scripts, PICTURE, "onMoving(3000)", looks(4001), BUFFERED, looks(4002)) == []


def test_the_next_source_has_a_start_of_its_own(scripts: Page) -> None:
    for at in (1000, 9000):
        again = "started = false; startFromNow(); video.seeks = []; video.time = 95"
        assert seeks(scripts, again, looks(at)) == [98.5]
        picture = f"started = true; onMoving({at + 500})"
        assert seeks(scripts, BUFFERED, "video.time = 95", picture) == [98.5, 98.5]
        assert scripts.evaluate("figures.skipped") == 7


def open_page(chromium: Browser, server: Headwater, script: str) -> Page:
    page = chromium.new_context(viewport=SMALL).new_page()
    page.add_init_script(script)
    page.goto(server.url(f"/live/{STREAM}/"))
    return page


def comes_near(page: Page, start: dict[str, Any]) -> None:
    """It skipped what it was late by, once, and plays on from there, with its sound."""
    heard = page.evaluate("document.querySelector('video').webkitAudioDecodedByteCount")
    page.wait_for_timeout(1_000 * SETTLE_S)
    seen = figures(page)
    assert seen["skipped"] > LATE_S - NEAR_S, (start, seen)
    assert seen["latency"] - seen["targetLatency"] < NEAR_S, (start, seen)
    assert seen["stalls"] == 0 and seen["jumps"] == 0, (start, seen)
    assert page.evaluate("document.querySelector('video').webkitAudioDecodedByteCount") > heard
    page.context.close()


def test_a_page_whose_media_came_late_begins_near_to_live(server: Headwater, chromium: Browser) -> None:
    page = open_page(chromium, server, f"({SLOW_MEDIA})({1_000 * LATE_S})")
    comes_near(page, wait_playing(page))


def test_a_page_that_may_not_play_by_itself_begins_near_to_live(server: Headwater, chromium: Browser) -> None:
    page = open_page(chromium, server, f"({REFUSED})()")
    page.wait_for_selector("#play:not([hidden])")
    page.wait_for_function("hls.hasEnoughToStart")
    page.wait_for_timeout(1_000 * LATE_S)
    assert figures(page)["skipped"] == 0
    page.click("#play")
    comes_near(page, wait_playing(page))
