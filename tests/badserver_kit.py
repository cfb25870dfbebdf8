"""The bad server in the test's own loop, on a real socket of loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from headwater.loadtest.badserver.faults import Faults
from headwater.loadtest.badserver.server import BadServer
from headwater.loadtest.badserver.shape import ROOT, Shape

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Site:
    """One running server and the connections to it."""

    def __init__(self, server: BadServer, url: str) -> None:
        self.server = server
        self.port = urlsplit(url).port
        self.writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> Streams:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        return reader, writer

    @property
    def next(self) -> int:
        """Number of the part that is hinted."""
        return self.server.stream.schedule.last + 1


@asynccontextmanager
async def running(*faults: str, connections: int = 50) -> AsyncIterator[Site]:
    server = BadServer(Shape(200, 5, 2_000), Faults.of(faults), connections=connections)
    site = Site(server, await server.start("127.0.0.1", 0))
    try:
        yield site
    finally:
        for writer in site.writers:
            writer.close()
        await server.stop()
        await asyncio.sleep(0.01)


def get(path: str, *, version: str = "1.1") -> bytes:
    return f"GET {ROOT}/{path} HTTP/{version}\r\nHost: x\r\n\r\n".encode()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = int(head.split("Content-Length: ")[1].split("\r\n")[0])
    return int(head.split()[1]), await reader.readexactly(length)
