"""The admin listener of a process: its status page at `/`, the same as `/status.json`, `/metrics`, `/healthz`,
`/readyz`, `/debug/tasks`. Not for viewers; loopback by default."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Protocol

from aiohttp import web
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder

from . import statuspage
from .settings import Admin
from .status import Status
from .tasks import Tasks

Readiness = Callable[[], str | None]
"""Why the process should get no traffic now, or None when it should."""


class Figures(Protocol):
    """What is exported: a `CollectorRegistry`, or what was gathered from several processes."""

    def collect(self) -> Iterable[Metric]:
        """All families."""


async def _at_hand() -> None:
    """What one process knows, it knows already."""


class AdminServer:
    """Serves one registry. `ready` is asked at each `/readyz`, `status` whenever somebody looks."""

    def __init__(
        self,
        settings: Admin | Path,
        registry: Figures,
        ready: Readiness,
        status: Callable[[], Status],
        routes: Iterable[web.RouteDef] = (),
        *,
        gather: Callable[[], Awaitable[None]] = _at_hand,
        others: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        """A path in place of settings: of a Unix socket. `routes`: what this process serves here beside them.
        `gather` is awaited before figures or status are told, `others` gives the tasks of other processes."""
        self._routes = tuple(routes)
        self._gather = gather
        self._others = others
        self._settings = settings
        self._registry = registry
        self._ready = ready
        self._status = status
        self._tasks = Tasks()
        self._runner: web.AppRunner | None = None
        self.port = 0
        """The port that is bound, also when the setting is 0; 0 before `start`."""

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be bound."""
        app = web.Application()
        app.router.add_get("/", self._page)
        app.router.add_get("/status.json", self._status_json)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/readyz", self._readiness)
        app.router.add_get("/debug/tasks", self._debug_tasks)
        app.router.add_routes(self._routes)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        if isinstance(self._settings, Path):
            await web.UnixSite(self._runner, str(self._settings)).start()
            return
        site = web.TCPSite(self._runner, self._settings.host or None, self._settings.port)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening; may be called twice."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _page(self, request: web.Request) -> web.Response:
        await self._gather()
        text = statuspage.render(self._status())
        return web.Response(text=text, content_type="text/html", headers=statuspage.SECURITY)

    async def _status_json(self, request: web.Request) -> web.Response:
        await self._gather()
        return web.json_response(self._status().to_json(), headers={"Cache-Control": "no-store"})

    async def _metrics(self, request: web.Request) -> web.Response:
        await self._gather()
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readiness(self, request: web.Request) -> web.Response:
        reason = self._ready()
        if reason is None:
            return web.Response(text="ready\n")
        return web.Response(status=503, text=f"{reason}\n", headers={"Retry-After": "1"})

    async def _debug_tasks(self, request: web.Request) -> web.Response:
        text = self._tasks.text()
        if self._others is not None:
            text += await self._others()
        return web.Response(text=text, headers={"Cache-Control": "no-store"})
