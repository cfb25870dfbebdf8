"""hls.js in Chromium plays what ffmpeg pushes: no stall after the start, close to live."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from tests.profile import WHOLE

from headwater.loadtest.bench.certificates import self_signed
from headwater.loadtest.bench.chromium import browser, figures, open_player, wait_playing
from headwater.loadtest.bench.processes import Peer
from headwater.loadtest.bench.server import Headwater

from .sources import SOURCES, Source

pytestmark = [pytest.mark.peer, pytest.mark.alone, pytest.mark.timeout(240)]

PLAY_S = 15
LATENCY_S = 3.0
CATCH_UP_S = 25
SETTLE_S = 8
"""Before the pages are opened: the late audio is there, and the 10 s GOP has begun its second one soon."""

JOIN_S = {"gop-10s-long": 14}
"""Where most segments begin without a keyframe, a player that comes between two of them has what hls.js makes of the
first ones: it may wait for the next keyframe once more. From then on it must not stall."""

BATCHES = [("fps-59.94", "b-frames", "late-audio"), *([("fps-25", "fps-29.97", "gop-10s")] if WHOLE else [])]
"""Sources that are pushed and played at the same time: three, as two cores play no more."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headwater]:
    """One server for all pages."""
    folder = tmp_path_factory.mktemp("player")
    server = Headwater(folder / "server", certificate=self_signed(folder)).start()
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all pages."""
    with browser() as found:
        yield found


@pytest.mark.parametrize("names", BATCHES, ids=" ".join)
def test_plays_without_a_stall(
    server: Headwater, chromium: Browser, names: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("sources")
    batch = [dataclasses.replace(SOURCES[name], name=f"{name}-long", seconds=90) for name in names]
    peers: list[Peer] = []
    try:
        for source in batch:
            stream = source.name.replace(".", "-")
            url = server.rtmp(stream) if source is batch[0] else server.rtmps(stream)
            command = source.push_command(source.make(folder), url, trust=server.certificate)
            peers.append(Peer(command, folder / f"{stream}.log"))
        time.sleep(SETTLE_S)
        pages = {source.name: open_player(chromium, server.url(_page(source))) for source in batch}
        started = {name: wait_playing(page) for name, page in pages.items()}
        for name in started.keys() & JOIN_S.keys():
            pages[name].wait_for_timeout(JOIN_S[name] * 1000)
            started[name] = figures(pages[name])
        next(iter(pages.values())).wait_for_timeout(PLAY_S * 1000)
        for name, page in pages.items():
            seen = figures(page)
            print(name, seen)
            assert seen["stalls"] - started[name]["stalls"] == 0, (name, seen)
            assert seen["time"] - started[name]["time"] > PLAY_S * 0.95, (name, started[name], seen)
            _comes_near_to_live(page)
            page.context.close()
    finally:
        for peer in peers:
            peer.kill()


def _comes_near_to_live(page: Page) -> None:
    """A page that took seconds to start, on a busy machine, plays a little faster until it has caught up."""
    deadline = time.monotonic() + CATCH_UP_S
    while (seen := figures(page))["latency"] >= LATENCY_S:
        assert time.monotonic() < deadline, seen
        page.wait_for_timeout(500)


def _page(source: Source) -> str:
    return f"/live/{source.name.replace('.', '-')}/"
