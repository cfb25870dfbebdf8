"""Purges of an edge with workers: the node first, then every worker, and one sum of what they found."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from tests.admin_kit import AdminApi
from tests.status_kit import make_status

from headwater.config.admin import AdminServer
from headwater.config.control import Control
from headwater.config.purgeproxy import PurgeProxy
from headwater.edge.purge import Order, Purged, What
from headwater.edge.purgeapi import routes

PREFIX = {"prefix": "/a/", "soft": True}


class Process:
    """A node or a worker with a control socket. `found`: what it purges; None: it has no running edge."""

    def __init__(self, path: Path, name: str, orders: list[tuple[str, Order]]) -> None:
        self.found: Purged | None = Purged()
        self.control = Control(path)
        self._name = name
        self._orders = orders
        self._server = AdminServer(path, CollectorRegistry(), lambda: None, make_status, routes(self._purge))

    def _purge(self, order: Order) -> Purged | None:
        self._orders.append((self._name, order))
        return self.found

    async def start(self) -> None:
        await self._server.start()

    async def die(self) -> None:
        await self._server.close()


class Edge(AdminApi):
    """A parent's admin listener, and the processes behind it."""

    def __init__(self, folder: Path) -> None:
        self.orders: list[tuple[str, Order]] = []
        """In the order in which they were carried out."""
        self.nodes: list[Process] = []
        self.workers: list[Process] = []
        self._folder = folder
        super().__init__(PurgeProxy(self._members).routes())

    def _members(self) -> tuple[list[Control], list[Control]]:
        return [node.control for node in self.nodes], [worker.control for worker in self.workers]

    async def begin(self, nodes: int = 1, workers: int = 2) -> None:
        for kind, count, members in (("node", nodes, self.nodes), ("worker", workers, self.workers)):
            for number in range(count):
                name = f"{kind}{number}"
                process = Process(self._folder / name, name, self.orders)
                await process.start()
                members.append(process)

    async def end(self) -> None:
        for process in (*self.nodes, *self.workers):
            await process.control.close()
            await process.die()

    @property
    def told(self) -> list[str]:
        """Who carried an order out."""
        return [name for name, _ in self.orders]

    async def call(self, body: object, kind: str = "application/json") -> tuple[int, str]:
        return await self.ask("POST", "/purge", body, kind)


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    async with Edge(tmp_path) as made:
        yield made
        await made.end()


async def test_what_all_of_them_found_is_added_up(edge: Edge) -> None:
    await edge.begin()
    edge.nodes[0].found = Purged(objects=5, followers=1, flights=2, disk=40)
    edge.workers[0].found = Purged(objects=3, followers=1)
    edge.workers[1].found = Purged(objects=4, flights=1)
    status, text = await edge.call(PREFIX)
    assert (status, json.loads(text)) == (200, {"purged": {"objects": 12, "playlists": 2, "fetches": 3, "disk": 40}})


async def test_each_is_given_the_order_as_it_came_and_the_node_before_the_workers(edge: Edge) -> None:
    await edge.begin()
    await edge.call(PREFIX)
    assert edge.told[0] == "node0"
    assert sorted(edge.told[1:]) == ["worker0", "worker1"]
    assert [order for _, order in edge.orders] == [Order(What.PREFIX, "/a/", soft=True)] * 3


async def test_all_nodes_forget_before_a_worker_does(edge: Edge) -> None:
    await edge.begin(nodes=2, workers=1)
    assert (await edge.call(PREFIX))[0] == 200
    assert sorted(edge.told[:2]) == ["node0", "node1"]
    assert edge.told[2:] == ["worker0"]


async def test_a_node_without_workers(edge: Edge) -> None:
    await edge.begin(workers=0)
    edge.nodes[0].found = Purged(objects=1)
    assert json.loads((await edge.call(PREFIX))[1])["purged"]["objects"] == 1


async def test_without_a_node_no_worker_is_told(edge: Edge) -> None:
    await edge.begin(nodes=0)
    assert await edge.call(PREFIX) == (503, "starting or stopped\n")
    assert edge.told == []


async def test_a_bad_order_is_answered_as_the_node_answers_and_goes_no_further(edge: Edge) -> None:
    await edge.begin()
    status, text = await edge.call({"url": "b"})
    assert status == 400
    assert text.startswith("the request-target is not a path; the body is")
    assert (await edge.call(PREFIX, "text/plain"))[0] == 415, "another site's page"
    assert edge.told == []


async def test_a_node_that_has_no_edge_yet_says_so_itself(edge: Edge) -> None:
    await edge.begin()
    edge.nodes[0].found = None
    assert await edge.call(PREFIX) == (503, "starting or stopped\n")
    assert edge.told == ["node0"]


@pytest.mark.parametrize("size", [4_097, 100_000])
async def test_a_body_that_is_too_large_is_passed_on_to_nobody(edge: Edge, size: int) -> None:
    assert (await edge.call(b" " * size))[0] == 413, "not 503: nobody was looked for"


async def test_a_body_that_says_no_length_is_bounded_as_well(edge: Edge) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b" " * 4_096
        yield b" "

    url = f"http://127.0.0.1:{edge.server.port}/purge"
    async with aiohttp.request("POST", url, data=chunks(), headers={"Content-Type": "application/json"}) as answer:
        assert answer.status == 413


async def test_the_largest_body_is_passed_on(edge: Edge) -> None:
    await edge.begin()
    order = json.dumps(PREFIX).encode()
    assert (await edge.call(order + b" " * (4_096 - len(order))))[0] == 200


async def test_a_worker_that_does_not_answer_is_no_success(edge: Edge) -> None:
    await edge.begin()
    await edge.workers[0].die()
    assert await edge.call(PREFIX) == (503, "1 of 3 processes of the edge did not answer: ask again\n")
    assert edge.told == ["node0", "worker1"], "who is there has forgotten"


async def test_a_worker_that_refuses_is_no_success_either(edge: Edge) -> None:
    await edge.begin()
    for worker in edge.workers:
        worker.found = None
    assert await edge.call(PREFIX) == (503, "2 of 3 processes of the edge did not answer: ask again\n")


async def test_a_node_that_does_not_answer_is_no_success(edge: Edge) -> None:
    await edge.begin()
    await edge.nodes[0].die()
    assert await edge.call(PREFIX) == (503, "1 of 3 processes of the edge did not answer: ask again\n")


async def test_only_post_is_served(edge: Edge) -> None:
    await edge.begin()
    assert (await edge.ask("GET", "/purge", b"", "application/json"))[0] == 405
