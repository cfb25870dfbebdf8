"""hls.js in Chromium switches between the rungs: no stall, and what is shown and heard stays together."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page
from tests.profile import WHOLE

from headwater.loadtest.bench.capture import listen
from headwater.loadtest.bench.chromium import browser, figures, open_player, wait_playing
from headwater.loadtest.bench.processes import Peer
from headwater.loadtest.bench.server import Headwater

from .ladder import (
    LIP_S,
    RUNGS,
    TOML,
    Flashing,
    check_boundaries,
    decode_audio,
    decode_video,
    lip_offsets,
    wait_offered,
)

pytestmark = [pytest.mark.peer, pytest.mark.heavy, pytest.mark.timeout(180)]

STREAM = "switching"
SWITCHES = 20 if WHOLE else 8
WIDTHS = {"source": 640, "240p": 426, "144p": 256}
ORDER = ("144p", "source", "240p", "144p", "240p", "source")
"""Up and down, by one rung and by two; repeated."""
LATENCY_S = 4.0
TICKS = {"video": 90_000, "audio": 48_000}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headwater]:
    """A server whose stream has a ladder."""
    folder = tmp_path_factory.mktemp("switching")
    server = Headwater(folder / "server", extra=TOML).start()
    push: Peer | None = None
    try:
        push = Flashing(STREAM, seconds=120).start(server, folder)
        wait_offered(server, STREAM, ["source", *RUNGS])
        yield server
    finally:
        if push is not None:
            push.kill()
        server.stop()


WATCH = """() => {
    window.appended = [];
    hls.on(Hls.Events.FRAG_BUFFERED, (_, { frag, part }) => {
        const piece = part || frag;
        for (const [type, info] of Object.entries(piece.elementaryStreams)) {
            if (info) window.appended.push({ type, level: frag.level, uri: piece.relurl, start: info.startPTS });
        }
    });
}"""


def test_switches_without_a_stall_or_an_offset(server: Headwater) -> None:
    with browser() as chromium:
        page = open_player(chromium, server.url(f"/live/{STREAM}/"))
        wait_playing(page)
        page.evaluate("window.sameDocument = true")
        # Near to live, as a page is that did not have to wait at its start: less than a segment is buffered.
        page.click("#live")
        page.wait_for_timeout(4_000)
        page.evaluate(WATCH)
        before = figures(page)
        for name in itertools.islice(itertools.cycle(ORDER), SWITCHES):
            _switch(page, name)
            seen = figures(page)
            assert seen["stalls"] == before["stalls"], (name, told(seen))
        page.wait_for_timeout(2_000)
        after = figures(page)
        appended = page.evaluate("window.appended")
        assert page.evaluate("window.sameDocument") is True
        page.context.close()
    assert after["stalls"] == before["stalls"], after
    assert after["jumps"] == before["jumps"] and after["reloads"] == 0, after
    assert after["latency"] < LATENCY_S, after
    moved = placed(appended)
    print("placed", moved)
    # What the player made of the time stamps (of each kind: the most and the least by which it moved them), and what
    # the content itself is off: together they are what a viewer sees and hears.
    player = max(abs(a - b) for a in moved["video"] for b in moved["audio"])
    assert player + content_offset(server) < LIP_S


def _switch(page: Page, name: str) -> None:
    """Choose the rung as a viewer does, and wait until its picture is shown."""
    page.select_option("#quality", name)
    page.wait_for_function(
        "(width) => document.querySelector('video').videoWidth === width", arg=WIDTHS[name], timeout=15_000
    )


def told(seen: dict[str, Any]) -> str:
    """The figures that matter, short enough for pytest to print."""
    names = ("rendition", "latency", "buffer", "stalls", "stalledMs", "jumps", "errors")
    return str({name: seen[name] for name in names})


def placed(appended: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    """Per kind of track: where the player put its media against its stream time, least and most, seconds.

    A part's name is its decode time in ticks, so the difference to where it was appended is the player's doing.
    """
    found: dict[str, list[float]] = {}
    for one in appended:
        match = re.search(r"[ps](\d+)\.m4s", one["uri"])
        assert match is not None, one
        found.setdefault(one["type"], []).append(one["start"] - int(match[1]) / TICKS[one["type"]])
    assert found.keys() == {"video", "audio"}, found.keys()
    return {kind: (min(offsets), max(offsets)) for kind, offsets in found.items()}


def content_offset(server: Headwater) -> float:
    """The largest distance between flash and beep in any rendition, seconds."""
    names = ("source", *RUNGS, "audio")
    heard = asyncio.run(listen(server.url(f"/live/{STREAM}/"), names, 7))
    frame_s = dict.fromkeys(names, 1 / 30)
    shared = check_boundaries(heard, frame_s)
    sound = decode_audio(heard["audio"], shared)
    offsets = [lip_offsets(decode_video(heard[name], shared), sound) for name in ("source", *RUNGS)]
    assert all(len(found) >= 2 for found in offsets)
    return max(abs(offset) for found in offsets for offset in found)
