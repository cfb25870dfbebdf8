"""The origin over HTTP for tests: a real server on a free port, a real client, a stream fed by hand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from prometheus_client import CollectorRegistry
from tests.live_feed import Feed

from headwater.config.settings import Origin, OriginHttp
from headwater.origin.app import OriginServer
from headwater.origin.hls import reader
from headwater.origin.hls.model import MediaPlaylist
from headwater.origin.hub import Hub

PAGES = Path(__file__).parents[1] / "origin" / "pages"
SOURCE = "/live/demo/source/"
PLAYLIST = SOURCE + "index.m3u8"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def cache(self) -> str:
        return self.headers["cache-control"]


class Site:
    """A running origin with its client."""

    def __init__(
        self, hub: Hub, server: OriginServer, client: aiohttp.ClientSession, registry: CollectorRegistry
    ) -> None:
        self.hub = hub
        self.server = server
        self.client = client
        self.registry = registry
        self.feed = Feed(hub.open("demo"), asyncio.get_running_loop().time)

    async def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{self.server.port}{path}"
        async with self.client.request(method, url, headers=named, allow_redirects=False) as response:
            found = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, found, await response.read())

    def hold(self, path: str) -> asyncio.Task[Answer]:
        return asyncio.ensure_future(self.ask(path))

    async def held(self, count: int) -> None:
        """Until so many requests are held."""
        async with asyncio.timeout(5):
            while len(self.hub.held) != count:  # noqa: ASYNC110 (the server tells nobody)
                await asyncio.sleep(0.002)

    async def playlist(self, path: str = PLAYLIST) -> MediaPlaylist:
        return reader.read((await self.ask(path)).text)

    def live(self, seconds: float = 72.8) -> None:
        self.feed.start()
        self.feed.until(seconds)

    def served(self, status: int) -> float:
        """Answers of media playlists with this status."""
        labels = {"route": "media playlist", "status": str(status)}
        return self.registry.get_sample_value("headwater_origin_responses_total", labels) or 0.0


def settings(**http: float) -> Origin:
    return Origin(http=OriginHttp(port=0, **http))


@contextlib.asynccontextmanager
async def serve(origin: Origin) -> AsyncIterator[Site]:
    registry = CollectorRegistry()
    hub = Hub(origin, registry, clock=asyncio.get_running_loop().time)
    server = OriginServer(origin, hub, registry, PAGES)
    await server.start()
    try:
        async with aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=["Accept-Encoding"]) as client:
            yield Site(hub, server, client, registry)
    finally:
        await server.close()
        hub.close()
