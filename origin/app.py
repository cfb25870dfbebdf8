"""The origin's HTTP server: wiring of handlers to a listening socket.

    server = OriginServer(settings.origin, hub, registry, pages_dir)
    await server.start()      # server.port is the port that was really bound
    await server.drain()      # held requests are answered now, readiness is gone
    await server.close()
"""

from __future__ import annotations

from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry

from headwater.config.settings import Origin

from .hub import Hub


class OriginServer:
    """Serves playlists, media and pages over HTTP/1.1."""

    def __init__(self, settings: Origin, hub: Hub, registry: CollectorRegistry, pages_dir: Path) -> None:
        raise NotImplementedError

    @property
    def port(self) -> int:
        """The bound port; 0 before `start`."""
        raise NotImplementedError

    async def start(self) -> None:
        """Bind and serve. Raises OSError when the address cannot be bound."""
        raise NotImplementedError

    async def drain(self) -> None:
        """Answer held requests now, and any request that would be held with 503; `/readyz` says 503."""
        raise NotImplementedError

    async def close(self) -> None:
        """Stop listening and close every connection."""
        raise NotImplementedError


def create_app(hub: Hub, settings: Origin, pages_dir: Path) -> web.Application:
    """The routes, for a server of the caller's."""
    raise NotImplementedError
