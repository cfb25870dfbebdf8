"""Pins of an edge with workers: passed on to the node, and pinned again at the next one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from tests.admin_kit import AdminApi
from tests.edge_kit import Script, make_core
from tests.status_kit import make_status

from headwater.config.admin import AdminServer
from headwater.config.control import Control
from headwater.config.pinproxy import PinProxy
from headwater.edge.pinapi import routes
from headwater.edge.pins import Pins

PIN = {"path": "/live/x/index.m3u8"}


class Edge(AdminApi):
    """A parent's admin listener, and nodes with control sockets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.node: Control | None = None
        self.servers: list[AdminServer] = []
        self.pins = Pins(make_core(Script()), ("/fixed.m3u8",), 30.0)
        self.proxy = PinProxy(lambda: self.node)
        super().__init__(self.proxy.routes())

    async def new_node(self) -> Pins:
        pins = Pins(make_core(Script()), ("/fixed.m3u8",), 30.0)
        path = self.folder / f"{len(self.servers)}"
        server = AdminServer(path, CollectorRegistry(), lambda: None, make_status, routes(lambda: pins))
        await server.start()
        self.servers.append(server)
        if self.node is not None:
            await self.node.close()
        self.node = Control(path)
        await self.proxy.restore(self.node)
        return pins

    async def call(self, method: str, body: object = None, kind: str = "application/json") -> tuple[int, str]:
        return await self.ask(method, "/pins", body, kind)


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    async with Edge(tmp_path) as made:
        yield made
        if made.node is not None:
            await made.node.close()
        for server in made.servers:
            await server.close()


async def test_without_a_node(edge: Edge) -> None:
    assert await edge.call("GET") == (503, "the node is starting or stopped\n")


async def test_pins_are_the_nodes(edge: Edge) -> None:
    await edge.new_node()
    assert (await edge.call("POST", PIN))[0] == 201
    assert (await edge.call("POST", PIN))[0] == 200
    listed = json.loads((await edge.call("GET"))[1])["pins"]
    assert [pin["path"] for pin in listed] == ["/fixed.m3u8", PIN["path"]]
    assert (await edge.call("DELETE", PIN))[0] == 204
    assert (await edge.call("DELETE", PIN))[0] == 404
    assert (await edge.call("DELETE", {"path": "/fixed.m3u8"}))[0] == 400
    assert (await edge.call("POST", PIN, "text/plain"))[0] == 415
    assert (await edge.call("POST", b"x" * 5_000))[0] == 413


async def test_the_next_node_pins_what_is_still_pinned(edge: Edge) -> None:
    await edge.new_node()
    await edge.call("POST", PIN)
    await edge.call("POST", {"path": "/live/y/index.m3u8"})
    await edge.call("DELETE", {"path": "/live/y/index.m3u8"})
    pins = await edge.new_node()
    assert [pin["path"] for pin in pins.listing()] == ["/fixed.m3u8", PIN["path"]]
