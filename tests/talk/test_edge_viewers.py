"""Viewers and their reports over real sockets: counted once each, told to Prometheus, and to nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from tests.edge_kit import LiveUpstream

from headwater.config.settings import Edge, EdgeHttp
from headwater.edge.app import EdgeServer

LIST = "/live/x/v/index.m3u8"


class Edges:
    """One edge with its upstream."""

    def __init__(self, server: EdgeServer, upstream: LiveUpstream, registry: CollectorRegistry) -> None:
        self.server = server
        self.upstream = upstream
        self.registry = registry

    async def watch(self, path: str, agent: str = "p", times: int = 1, **fields: str) -> None:
        """Ask `times` times on one connection."""
        headers = {"User-Agent": agent, **{name.replace("_", "-"): value for name, value in fields.items()}}
        async with aiohttp.ClientSession(f"http://127.0.0.1:{self.server.port}", headers=headers) as session:
            for _ in range(times):
                async with session.get(path) as answer:
                    assert answer.status == 200
                    await answer.read()

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"headwater_{name}", labels)


@pytest.fixture
async def edge() -> AsyncIterator[Edges]:
    upstream = await LiveUpstream().start()
    registry = CollectorRegistry()
    server = EdgeServer(Edge(http=EdgeHttp(host="127.0.0.1", port=0)), upstream.base, registry)
    await server.start()
    yield Edges(server, upstream, registry)
    await server.close()
    await upstream.close()


async def test_viewers_are_told_apart_by_session_else_by_agent(edge: Edges) -> None:
    for agent in ("a", "a", "b"):
        await edge.watch(LIST, agent, times=3)
    assert edge.value("edge_viewers", stream="x", rendition="v") == 2
    await edge.watch(LIST, "a", times=3, CMCD_Session='sid="one"')
    await edge.watch(f"{LIST}?CMCD=sid%3D%22two%22", "a", times=3)
    await edge.watch(f"{LIST}?CMCD=sid%3D%22one%22", "c")
    assert edge.value("edge_viewers", stream="x", rendition="v") == 4
    assert edge.value("edge_stream_viewers", stream="x") == 4


async def test_reports_reach_prometheus_and_neither_the_upstream_nor_the_log(
    edge: Edges, capsys: pytest.CaptureFixture[str]
) -> None:
    await edge.watch(LIST)
    part = edge.upstream.stream.model.segments[-1].parts[0].uri
    report = "CMCD=bl%3D2100%2Cbs%2Cltc%3D2500%2Cmtp%3D9000%2Csid%3D%22hidden-sid%22%2Csta%3Dp%2Cv%3D2"
    await edge.watch(f"/live/x/v/{part}?{report}", times=3)
    await edge.watch(f"/live/x/v/{part}", times=2, CMCD_Request="bl=4100", CMCD_Status="bs")
    await edge.watch(f"/live/x/v/{part}?CMCD=%28%28", CMCD_Session='sid="hidden-sid')
    of = {"stream": "x", "rendition": "v"}
    assert edge.value("edge_cmcd_reports_total", **of) == 5
    assert edge.value("edge_cmcd_stalls_total", **of) == 5
    assert edge.value("edge_cmcd_buffer_seconds_sum", **of) == pytest.approx(3 * 2.1 + 2 * 4.1)
    assert edge.value("edge_cmcd_latency_seconds_count", **of) == 3
    assert edge.value("edge_cmcd_states_total", **of, state="playing") == 3
    assert edge.value("edge_cmcd_malformed_total", reason="syntax") == 1
    assert edge.upstream.hits.count(f"/live/x/v/{part}") <= 1
    everything = generate_latest(edge.registry).decode() + "".join(capsys.readouterr())
    assert not any("CMCD" in hit for hit in edge.upstream.hits)
    assert not any(word in everything for word in ("hidden", "sid", "127.0.0.1"))


async def test_the_stages_at_the_edge_are_timed(edge: Edges) -> None:
    assert edge.value("stage_seconds_count", stage="edge_fill") == 0
    edge.upstream.files["/file"] = lambda: web.Response(text="x")
    await edge.watch("/file")
    for stage in ("edge_fill", "first_byte"):
        assert edge.value("stage_seconds_count", stage=stage) == 1
        total = edge.value("stage_seconds_sum", stage=stage)
        assert total is not None
        assert 0 < total < 5
