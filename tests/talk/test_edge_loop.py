"""Two edges that are each other's upstream, on real sockets: a request ends at once and does not go round."""

from __future__ import annotations

import asyncio
import time

import aiohttp
from prometheus_client import CollectorRegistry

from headwater.config.settings import Edge, EdgeHttp
from headwater.edge.app import EdgeServer
from headwater.loadtest.bench.processes import free_port


async def test_a_circle_of_edges_is_an_error_and_no_storm() -> None:
    ports = [free_port(), free_port()]
    registries = [CollectorRegistry(), CollectorRegistry()]
    edges = [
        EdgeServer(
            Edge(node="same-name", http=EdgeHttp(host="127.0.0.1", port=port)), f"http://127.0.0.1:{other}", registry
        )
        for port, other, registry in zip(ports, reversed(ports), registries, strict=True)
    ]
    for edge in edges:
        await edge.start()
    began = time.monotonic()
    async with aiohttp.ClientSession() as client, asyncio.timeout(10):
        for path, status in (("/live/x/index.m3u8", 503), ("/live/x/p1.m4s", 502)):
            async with client.get(f"http://127.0.0.1:{ports[0]}{path}") as answer:
                assert answer.status == status
    assert time.monotonic() - began < 2
    assert registries[0].get_sample_value("headwater_edge_refused_total", {"reason": "loop"}) == 2
    for edge in edges:
        await edge.close()
