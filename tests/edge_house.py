"""For conversations with an edge over real sockets: an upstream, an edge before it, and viewers that write bytes."""

from __future__ import annotations

import asyncio
import inspect
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop
from prometheus_client import CollectorRegistry
from tests.edge_kit import LiveUpstream

from headwater.config.settings import Edge, EdgeHttp
from headwater.edge.app import EdgeServer
from headwater.loadtest.bench.certificates import self_signed

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


FRONTS = ("http1", "tls", "h2")
"""What viewers speak: HTTP/1.1 in the clear, HTTP/1.1 over TLS, HTTP/2 over TLS."""


class House:
    """An upstream, an edge before it, and its peers, who speak by `front`."""

    def __init__(self, front: str = "http1") -> None:
        self.front = front
        self.folder: tempfile.TemporaryDirectory[str] | None = None
        self.upstream = LiveUpstream()
        self.edges: list[EdgeServer] = []
        self.peers: list[Peer] = []
        self.registry = CollectorRegistry()

    async def edge(self, **http: object) -> EdgeServer:
        if not self.upstream.base:
            await self.upstream.start()
        options = {key: http.pop(key) for key in list(http) if key in Edge.model_fields}
        if self.front != "http1" and "tls" not in http:
            http["tls"] = {"port": 0, "certificates": [{"certificate": self.certificate()}]}
        settings = Edge.model_validate(
            {**options, "http": EdgeHttp.model_validate({"host": "127.0.0.1", "port": 0, **http})}
        )
        self.registry = CollectorRegistry()
        edge = EdgeServer(settings, self.upstream.base, self.registry)
        self.edges.append(edge)
        await edge.start()
        return edge

    def certificate(self) -> Path:
        """A PEM file with a certificate and its key."""
        if self.folder is None:
            self.folder = tempfile.TemporaryDirectory(prefix="headwater-house-")
            self_signed(Path(self.folder.name))
        return Path(self.folder.name) / "certificate.pem"

    async def peer(self, edge: EdgeServer | None = None, address: str | None = None) -> Peer:
        """A viewer, from `address`."""
        from tests import h2_kit

        edge = edge or (self.edges[0] if self.edges else await self.edge())
        port = edge.port if self.front == "http1" else edge.tls_port
        peer: Peer
        if self.front == "h2":
            peer = cast(Peer, await h2_kit.connect(port, address=address))
        else:
            context = h2_kit.client_context("http/1.1") if self.front == "tls" else None
            local = (address, 0) if address is not None else None
            streams = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20, ssl=context, local_addr=local)
            peer = Peer(*streams)
        self.peers.append(peer)
        return peer

    async def close(self) -> None:
        for peer in self.peers:
            peer.close()
        for edge in self.edges:
            await edge.close()
        await self.upstream.close()
        if self.folder is not None:
            self.folder.cleanup()

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def on_both_loops(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Have the conversation `test(house, ...)` on a plain asyncio loop and on uvloop."""
    run: Callable[..., None] = pytest.mark.parametrize("loop", list(LOOPS))(_had(test, "loop"))
    return run


def on_all_fronts(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The same by each of `FRONTS`; HTTP/1.1 in the clear on both loops."""
    ways = [("asyncio", "http1"), ("uvloop", "http1"), ("uvloop", "tls"), ("asyncio", "h2"), ("uvloop", "h2")]
    run: Callable[..., None] = pytest.mark.parametrize(("loop", "front"), ways)(_had(test, "loop", "front"))
    return run


def _had(test: Callable[..., Coroutine[Any, Any, None]], *parameters: str) -> Callable[..., None]:
    def run(loop: str, front: str = "http1", **values: object) -> None:
        async def conversation() -> None:
            house = House(front)
            try:
                await test(house, **values)
            finally:
                await house.close()

        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(conversation())

    signature = inspect.signature(test)
    added = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in parameters]
    others = [
        each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, each in signature.parameters.items()
        if name != "house"
    ]
    run.__signature__ = signature.replace(parameters=[*added, *others])  # type: ignore[attr-defined]
    run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
    return run


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until `condition`; the test's own time-out ends what never comes."""
    while not condition():  # noqa: ASYNC110  (what is waited for is a metric)
        await asyncio.sleep(0.005)


def waiting(house: House) -> Callable[[int], Callable[[], bool]]:
    return lambda count: lambda: house.metric("headwater_edge_held") == count
