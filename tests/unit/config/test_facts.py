"""The facts of both roles, taken from the real servers."""

from __future__ import annotations

import time

import aiohttp
from prometheus_client import CollectorRegistry
from tests.edge_kit import LiveUpstream
from tests.live_feed import Feed

from headwater.config import facts
from headwater.config.settings import Edge, EdgeHttp, Origin
from headwater.edge.app import EdgeServer
from headwater.origin.hub import Hub


async def test_an_origin_tells_its_streams() -> None:
    hub = Hub(Origin(), CollectorRegistry())
    feed = Feed(hub.open("demo"), time.monotonic)
    feed.start()
    feed.until(14)
    (stream,) = facts.of_origin(hub).streams
    hub.close()
    assert (stream.name, stream.state, stream.viewers) == ("demo", "live", None)
    source = next(rendition for rendition in stream.renditions if rendition.name == "source")
    assert source.state == "offered"
    assert source.detail == "avc1.64001f, 1280x720, 25 fps"
    assert source.bitrate


async def test_an_edge_tells_what_it_follows_and_how_its_upstream_does() -> None:
    upstream = await LiveUpstream().start()
    server = EdgeServer(Edge(http=EdgeHttp(host="127.0.0.1", port=0)), upstream.base, CollectorRegistry())
    before = facts.of_edge(server)
    assert before.upstream is not None
    assert (before.streams, before.upstream.well, before.upstream.detail) == ((), True, "it was not asked yet")
    await server.start()
    async with aiohttp.ClientSession() as client:
        async with client.get(f"http://127.0.0.1:{server.port}/live/x/v/index.m3u8") as answer:
            assert answer.status == 200
        (stream,) = facts.of_edge(server).streams
        assert (stream.name, stream.viewers, stream.renditions[0].state) == ("x", 1, "following")
        await upstream.close()
        async with client.get(f"http://127.0.0.1:{server.port}/live/y/v/index.m3u8") as answer:
            assert answer.status in (502, 503)
    told = facts.of_edge(server).upstream
    await server.close()
    assert told is not None
    assert not told.well
    assert "s ago" in told.detail
