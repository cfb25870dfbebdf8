"""For conversations with an edge over real sockets: an upstream, an edge before it, and viewers that write bytes."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
import uvloop
from prometheus_client import CollectorRegistry
from tests.edge_kit import LiveUpstream

from headwater.config.settings import Edge, EdgeHttp
from headwater.edge.app import EdgeServer

LIST = "/live/x/v/index.m3u8"


@dataclass
class Answer:
    """One response as it stood on the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


class Peer:
    """A viewer that writes bytes and reads responses."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, text: str | bytes) -> None:
        self.writer.write(text if isinstance(text, bytes) else text.encode("latin-1"))

    def get(self, path: str, *fields: str, method: str = "GET") -> None:
        self.send("\r\n".join((f"{method} {path} HTTP/1.1", "Host: edge", *fields)) + "\r\n\r\n")

    async def answer(self, *, bodiless: bool = False) -> Answer:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = [line.split(": ", 1) for line in head[1:] if line]
        headers = {name.lower(): value for name, value in fields}
        assert len(headers) == len(fields), f"a field is there twice: {fields}"
        length = 0 if bodiless else int(headers.get("content-length", "0"))
        return Answer(int(head[0].split(" ")[1]), headers, await self.reader.readexactly(length))

    async def ask(self, path: str, *fields: str, method: str = "GET") -> Answer:
        self.get(path, *fields, method=method)
        return await self.answer(bodiless=method == "HEAD")

    async def ended(self) -> bool:
        """The edge closed the connection, and said nothing more."""
        return await self.reader.read() == b""

    def close(self) -> None:
        self.writer.close()


class House:
    """An upstream, an edge before it, and its peers."""

    def __init__(self) -> None:
        self.upstream = LiveUpstream()
        self.edges: list[EdgeServer] = []
        self.peers: list[Peer] = []
        self.registry = CollectorRegistry()

    async def edge(self, **http: object) -> EdgeServer:
        if not self.upstream.base:
            await self.upstream.start()
        options = {key: http.pop(key) for key in list(http) if key in Edge.model_fields}
        settings = Edge.model_validate(
            {**options, "http": EdgeHttp.model_validate({"host": "127.0.0.1", "port": 0, **http})}
        )
        self.registry = CollectorRegistry()
        edge = EdgeServer(settings, self.upstream.base, self.registry)
        self.edges.append(edge)
        await edge.start()
        return edge

    async def peer(self, edge: EdgeServer | None = None) -> Peer:
        edge = edge or (self.edges[0] if self.edges else await self.edge())
        peer = Peer(*await asyncio.open_connection("127.0.0.1", edge.port, limit=1 << 20))
        self.peers.append(peer)
        return peer

    async def close(self) -> None:
        for peer in self.peers:
            peer.close()
        for edge in self.edges:
            await edge.close()
        await self.upstream.close()

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def on_both_loops(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Have the conversation `test(house, ...)` on a plain asyncio loop and on uvloop."""

    def run(loop: str, **values: object) -> None:
        async def conversation() -> None:
            house = House()
            try:
                await test(house, **values)
            finally:
                await house.close()

        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(conversation())

    signature = inspect.signature(test)
    loop = inspect.Parameter("loop", inspect.Parameter.KEYWORD_ONLY)
    others = [
        each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, each in signature.parameters.items()
        if name != "house"
    ]
    run.__signature__ = signature.replace(parameters=[loop, *others])  # type: ignore[attr-defined]
    run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
    return pytest.mark.parametrize("loop", list(LOOPS))(run)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until `condition`; the test's own time-out ends what never comes."""
    while not condition():  # noqa: ASYNC110  (what is waited for is a metric)
        await asyncio.sleep(0.005)


def waiting(house: House) -> Callable[[int], Callable[[], bool]]:
    return lambda count: lambda: house.metric("headwater_edge_held") == count
