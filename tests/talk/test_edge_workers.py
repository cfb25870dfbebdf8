"""Two workers before one node, over real sockets in one loop: to the world they are one edge."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from tests.edge_house import Answer, Peer, until
from tests.edge_kit import LiveUpstream

from headwater.config.edgeplan import plan
from headwater.config.settings import Edge, EdgeHttp
from headwater.config.settings_viewers import TokenKey, Tokens
from headwater.config.sockets import ListenSockets, NodeSocket
from headwater.edge import app
from headwater.edge.app import EdgeServer
from headwater.edge.post import Place, Post
from headwater.edge.tokens import mint
from headwater.edge.viewers import merge
from headwater.origin.hls import reader

LIST = "/live/x/v/index.m3u8"
KEY = b"k" * 32


class Crew:
    """A node and two workers, their upstream and viewers."""

    def __init__(self, folder: Path) -> None:
        self.upstream = LiveUpstream()
        self.asked: list[dict[str, str]] = []
        self.sockets = ListenSockets("127.0.0.1", 0)
        self.socket = NodeSocket(folder / "node")
        self.settings = Edge(node="leaf", http=EdgeHttp(host="127.0.0.1", port=0), follow_grace_s=2)
        self.registries: dict[str, CollectorRegistry] = {}
        self.processes: dict[str, EdgeServer] = {}
        self.peers: list[Peer] = []

    async def start(self, settings: Edge | None = None) -> None:
        if settings is not None:
            self.settings = settings
        await self.upstream.start()
        self.sockets.bind(2)
        await self.run("node", Place.NODE, (self.socket.descriptor,))
        for name, descriptors in zip("01", self.sockets.shares(2), strict=True):
            await self.run(name, Place.WORKER, descriptors)

    async def run(self, name: str, place: Place, descriptors: tuple[int, ...]) -> None:
        parts = plan(self.settings, self.upstream.base, 2, str(self.socket.path))
        post = Post(place, "headwater-crew", KEY, 1 << 20, tuple(os.dup(one) for one in descriptors))
        self.registries[name] = CollectorRegistry()
        edge = parts.node if place is Place.NODE else parts.worker
        self.processes[name] = EdgeServer(edge, edge.upstream or "", self.registries[name], post)
        await self.processes[name].start()

    async def peer(self) -> Peer:
        peer = Peer(*await asyncio.open_connection("127.0.0.1", self.sockets.port, limit=1 << 20))
        self.peers.append(peer)
        return peer

    async def spread(self) -> list[Peer]:
        """A viewer at each worker."""
        found: dict[str, Peer] = {}
        while len(found) < 2:
            before = self.accepted()
            peer = await self.peer()
            while (after := self.accepted()) == before:  # noqa: ASYNC110  (what is waited for is a metric)
                await asyncio.sleep(0.005)
            if found.setdefault(next(name for name in "01" if after[name] > before[name]), peer) is not peer:
                peer.close()
        return [found["0"], found["1"]]

    def accepted(self) -> dict[str, float]:
        return {name: self.metric(name, "headwater_edge_connections_accepted_total") for name in "01"}

    def metric(self, process: str, name: str, **labels: str) -> float:
        return self.registries[process].get_sample_value(name, labels) or 0.0

    async def close(self) -> None:
        for peer in self.peers:
            peer.close()
        for process in self.processes.values():
            await process.close()
        self.sockets.close()
        self.socket.close()
        await self.upstream.close()


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncIterator[Crew]:
    made = Crew(tmp_path)
    yield made
    await made.close()


async def test_one_upstream_request_whoever_asks(crew: Crew) -> None:
    await crew.start()
    crew.upstream.files["/file"] = lambda: web.Response(text="x" * 400, headers={"Cache-Control": "max-age=60"})
    one, other = await crew.spread()
    answers = await asyncio.gather(one.ask("/file"), other.ask("/file"))
    assert [answer.status for answer in answers] == [200, 200]
    assert crew.upstream.count("/file") == 1
    part = crew.upstream.stream.name
    for peer in (one, other):
        assert (await peer.ask(LIST)).status == 200
        peer.get(f"/live/x/v/{part}")
    await until(lambda: crew.upstream.count(part) == 1 and crew.upstream.count("_HLS_msn") >= 1)
    await asyncio.sleep(0.1)
    crew.upstream.step()
    assert [(await peer.answer()).status for peer in (one, other)] == [200, 200]
    assert crew.upstream.count(part) == 1


async def test_held_viewers_are_one_connection_to_the_node(crew: Crew) -> None:
    await crew.start()
    first, other = await crew.spread()
    playlist = (await first.ask(LIST)).body.decode()
    await other.ask(LIST)
    msn = crew.upstream.stream.model.position.last_msn + 1
    assert "#EXTM3U" in playlist
    await until(lambda: crew.metric("node", "headwater_edge_held") == 4)  # each worker's playlist and hinted part
    before = crew.metric("node", "headwater_edge_connections")
    peers = [await crew.peer() for _ in range(30)]
    for peer in peers:
        peer.get(f"{LIST}?_HLS_msn={msn}&_HLS_part=0")
    await until(lambda: sum(crew.metric(name, "headwater_edge_held") for name in "01") == 30)
    assert crew.metric("node", "headwater_edge_connections") == before
    assert crew.upstream.count("_HLS_msn") == 1
    crew.upstream.step()
    assert {(await peer.answer()).status for peer in peers} == {200}


async def test_the_way_is_that_of_one_edge(crew: Crew) -> None:
    seen: list[web.Request] = []

    async def origin(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response(text="x", headers={"Cache-Control": "max-age=60", "Via": "1.1 origin"})

    app = web.Application()
    app.router.add_get("/{path:.*}", origin)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    await crew.start(crew.settings.model_copy(update={"upstream": base}))
    crew.upstream.base = base
    await crew.processes["node"].close()
    await crew.run("node", Place.NODE, (crew.socket.descriptor,))
    try:
        one, other = await crew.spread()
        first = await one.ask("/a", "CDN-Loop: other-cdn")
        again = await one.ask("/a")
        second = await other.ask("/a")
        assert (seen[0].headers["Via"], seen[0].headers["CDN-Loop"]) == ("1.1 leaf", "other-cdn, headwater-crew")
        assert len(seen) == 1
        assert first.headers["via"] == "1.1 origin, 1.1 leaf"
        assert first.headers["cache-status"] == "leaf.workers; fwd=miss, leaf; fwd=miss"
        assert again.headers["cache-status"] == "leaf.workers; fwd=miss, leaf; hit"
        assert second.headers["cache-status"] == "leaf.workers; hit, leaf; fwd=miss"
        # A request that has passed this edge ends at whichever worker it comes to
        for peer in (one, other):
            assert (await peer.ask("/b", "CDN-Loop: headwater-crew")).status == 508
        assert len(seen) == 1
        await one.ask("/c")
        assert seen[1].headers["CDN-Loop"] == "headwater-crew"
    finally:
        await runner.cleanup()


async def test_what_is_for_viewers_the_workers_do_and_the_node_does_not(crew: Crew) -> None:
    key = TokenKey(id="k", secret=SecretStr("s" * 32))
    await crew.start(crew.settings.model_copy(update={"tokens": Tokens(keys=(key,))}))
    peers = await crew.spread()
    assert [(await peer.ask(LIST)).status for peer in peers] == [403, 403]
    assert crew.upstream.hits == []
    url = f"/t/{mint('k', b's' * 32, expires=4_000_000_000, paths=['/live/x/'])}{LIST}"
    assert [(await peer.ask(url)).status for peer in peers] == [200, 200]
    assert crew.upstream.count("/t/") == 0


async def test_viewers_are_counted_once_over_all_workers_and_not_at_the_node(crew: Crew) -> None:
    await crew.start()
    one, other = await crew.spread()
    for peer in (one, other):
        for _ in range(2):  # the first one finds out that it is live
            await peer.ask(LIST, "User-Agent: same")
    counts = [merge([crew.processes[name].sketches()]) for name in "01"]
    assert counts == [{("x", "v"): 1, ("x", ""): 1}] * 2
    assert merge(crew.processes[name].sketches() for name in "01") == counts[0]
    assert crew.processes["node"].sketches() == {}


async def test_a_node_that_goes_and_comes_back_is_a_pause_and_no_error(crew: Crew) -> None:
    await crew.start()
    one, other = await crew.spread()
    for peer in (one, other):
        assert (await peer.ask(LIST)).status == 200
    msn = crew.upstream.stream.model.position.last_msn + 1
    for peer in (one, other):
        peer.get(f"{LIST}?_HLS_msn={msn}&_HLS_part=0")
    await until(lambda: sum(crew.metric(name, "headwater_edge_held") for name in "01") >= 2)
    late = await crew.peer()
    await crew.processes["node"].close()  # breaks off whatever is under way
    late.get(f"/live/x/v/{crew.upstream.stream.closed[-1].uri}")
    await asyncio.sleep(0.2)
    crew.upstream.step()
    await crew.run("node", Place.NODE, (crew.socket.descriptor,))
    answers: list[Answer] = [await peer.answer() for peer in (one, other, late)]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert all(re.search(rb"#EXT-X-PART:.*\n", answer.body) for answer in answers[:2])


async def test_a_worker_that_makes_way_loses_no_request(crew: Crew) -> None:
    await crew.start()
    peers = await crew.spread()
    for peer in peers:
        await peer.ask(LIST)
    idle, held = peers
    msn = crew.upstream.stream.model.position.last_msn + 1
    held.get(f"{LIST}?_HLS_msn={msn}&_HLS_part=0")
    await until(lambda: sum(crew.metric(name, "headwater_edge_held") for name in "01") >= 1)
    before = [crew.processes[name] for name in "01"]
    for name, descriptors in zip("01", crew.sockets.shares(2), strict=True):
        await crew.run(name, Place.WORKER, descriptors)
    retiring = [asyncio.ensure_future(server.retire()) for server in before]
    await asyncio.sleep(0.05)
    assert all(server.ready for server in before), "the edge as a whole wants traffic"
    # The idle connection has one more request, the held one the news that it waits for
    last = await idle.ask(LIST)
    crew.upstream.step()
    news = await held.answer()
    assert [(answer.status, answer.headers.get("connection")) for answer in (last, news)] == [(200, "close")] * 2
    assert f"p{msn}" in news.body.decode() or b"#EXT-X-PART" in news.body
    await asyncio.wait_for(asyncio.gather(*retiring), 2)
    fresh = await crew.peer()
    assert (await fresh.ask(LIST)).status == 200
    for server in before:
        await server.close()


async def held_at_both(crew: Crew, count: int) -> list[Peer]:
    """Viewers that wait for the next part at both workers, which begin to make way for two others then."""
    await crew.start()
    peers = [*await crew.spread(), *[await crew.peer() for _ in range(count - 2)]]
    for peer in peers:
        await peer.ask(LIST)
    for peer in peers:
        peer.get(f"{LIST}?_HLS_msn={crew.upstream.stream.model.position.last_msn + 1}&_HLS_part=0")
    await until(lambda: sum(crew.metric(name, "headwater_edge_held") for name in "01") == count)
    return peers


async def test_a_worker_that_makes_way_answers_nobody_early_while_there_are_news(crew: Crew) -> None:
    """Rules 80, 81 and 93: a player that is told nothing new asks again at once, and all of them do."""
    peers = await held_at_both(crew, 20)
    before = [crew.processes[name] for name in "01"]
    for name, descriptors in zip("01", crew.sockets.shares(2), strict=True):
        await crew.run(name, Place.WORKER, descriptors)
    retiring = [asyncio.ensure_future(server.retire()) for server in before]
    answers = [asyncio.ensure_future(peer.answer()) for peer in peers]
    await asyncio.sleep(0.5)
    assert not any(answer.done() for answer in answers)
    msn = crew.upstream.stream.model.position.last_msn + 1
    crew.upstream.step()
    told = await asyncio.wait_for(asyncio.gather(*answers), 2)
    assert {(answer.status, answer.headers["connection"]) for answer in told} == {(200, "close")}
    for answer in told:
        model = reader.read(answer.body.decode())
        assert (model.position.last_msn, model.position.open_parts > 0) >= (msn - 1, True), "what was asked for"
    await asyncio.wait_for(asyncio.gather(*retiring), 2)
    for server in before:
        await server.close()


@pytest.mark.parametrize("end", ["retire", "drain"])
async def test_without_news_a_worker_that_ends_answers_with_what_there_is(
    crew: Crew, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(app, "NEWS_S", 0.4)
    peers = await held_at_both(crew, 6)
    position = crew.upstream.stream.model.position
    began = asyncio.get_running_loop().time()
    ending = [asyncio.ensure_future(getattr(crew.processes[name], end)()) for name in "01"]
    answers = await asyncio.wait_for(asyncio.gather(*(peer.answer() for peer in peers)), 2)
    waited = asyncio.get_running_loop().time() - began
    assert {(answer.status, answer.headers["connection"]) for answer in answers} == {(200, "close")}
    assert all(reader.read(answer.body.decode()).position == position for answer in answers)
    # Nobody takes the place of who drains, so there is nothing to wait for
    assert waited > 0.35 if end == "retire" else waited < 0.35
    await asyncio.wait_for(asyncio.gather(*ending), 2)
