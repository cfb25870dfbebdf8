"""The origin's HTTP server: routes, what every answer has, and the listening socket.

server = OriginServer(settings.origin, hub, registry, pages_dir)
await server.start()      # server.port is the port that was really bound
await server.drain()      # held requests are answered now, readiness is gone
await server.close()
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import CollectorRegistry

from headwater.config.settings import Origin
from headwater.config.stages import Stage

from . import assets
from .guard import Guard, MalformedRequests
from .handlers import Handlers
from .hub import Hub
from .responses import ALLOW, PUBLISHED, ErrorReply, add_common_headers, error, preflight

log = structlog.get_logger("headwater.origin")

BACKLOG = 1_024
"""Connections the kernel queues. Why: every edge reconnects at once after a restart."""
KEEPALIVE_S = 75.0
HEADER_BYTES = 16_384
CLOSE_S = 2.0
"""For answers that are being written when the server closes."""

NAME = "{name:[A-Za-z0-9_-]{1,64}}"
RENDITION = "{rendition:[A-Za-z0-9_-]{1,64}}"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class OriginServer:
    """Serves playlists, media and pages over HTTP/1.1."""

    def __init__(self, settings: Origin, hub: Hub, registry: CollectorRegistry, pages_dir: Path) -> None:
        """`registry` is the one that `hub` was made with; the server's own series are the hub's."""
        self._settings = settings
        self._hub = hub
        self._handlers = Handlers(hub, settings, assets.load(pages_dir))
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None
        self._guard = Guard(settings.http.connections, self._refused)
        self._logger = logging.getLogger("headwater.origin.http")
        self._logger.setLevel(logging.DEBUG)  # aiohttp says some malformed requests at this level
        self._logger.filters[:] = [MalformedRequests(self._refused)]
        self._port = 0

    @property
    def port(self) -> int:
        """The bound port; 0 before `start`."""
        return self._port

    async def start(self) -> None:
        """Bind and serve. Raises OSError when the address cannot be bound."""
        guard = self._guard
        runner = web.AppRunner(
            _app(self._hub, self._handlers, guard),
            handler_cancellation=True,  # a held request is freed when its client leaves
            access_log=None,
            logger=self._logger,
            keepalive_timeout=KEEPALIVE_S,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
            shutdown_timeout=CLOSE_S,
        )
        await runner.setup()
        server = runner.server
        assert server is not None  # after setup
        http = self._settings.http
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                lambda: guard.protocol(server), http.host or None, http.port, backlog=BACKLOG, reuse_address=True
            )
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = int(self._listener.sockets[0].getsockname()[1])
        log.info("origin listens", host=http.host, port=self._port)

    def _refused(self, reason: str) -> None:
        self._hub.metrics.refused.labels(reason).inc()

    async def drain(self) -> None:
        """Answer held requests now, and any request that would be held with 503; `/readyz` says 503."""
        self._handlers.ready = False
        self._hub.drain()

    async def close(self) -> None:
        """Stop listening and close every connection."""
        self._handlers.ready = False
        self._hub.drain()
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        self._guard.close()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()


def create_app(hub: Hub, settings: Origin, pages_dir: Path) -> web.Application:
    """The routes, for a server of the caller's (with `handler_cancellation=True`)."""
    return _app(hub, Handlers(hub, settings, assets.load(pages_dir)), None)


def _app(hub: Hub, handlers: Handlers, guard: Guard | None) -> web.Application:
    # The name of a route is its label in metrics.
    routes: list[tuple[str, str, Handler]] = [
        ("media playlist", f"/live/{NAME}/{RENDITION}/index.m3u8", handlers.media_playlist),
        ("file", f"/live/{NAME}/{RENDITION}/{{file:[A-Za-z0-9_.-]{{1,128}}}}", handlers.file),
        ("still", f"/live/{NAME}/{{still:thumb[.](?:jpg|webp)}}", handlers.still),
        ("multivariant playlist", f"/live/{NAME}/index.m3u8", handlers.multivariant),
        ("page", f"/live/{NAME}/", handlers.player_page),
        ("page", f"/live/{NAME}", handlers.to_player_page),
        ("page", "/", handlers.list_page),
        ("asset", "/assets/{file:.{1,256}}", handlers.asset),
        ("streams", "/streams.json", handlers.streams),
        ("health", "/healthz", handlers.healthz),
        ("health", "/readyz", handlers.readyz),
    ]
    names: dict[object, str] = {}
    app = web.Application(middlewares=[_answer(hub, names, guard)])
    for name, path, handler in routes:
        names[app.router.add_get(path, handler).resource] = name  # with HEAD, by the same handler
    app.on_response_prepare.append(add_common_headers)
    return app


def _answer(hub: Hub, names: Mapping[object, str], guard: Guard | None) -> Middleware:
    """Errors become small plain texts; every answer is counted."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        if guard is not None:
            guard.spoke(request)
        if request.method == "OPTIONS":  # of any path: a preflight request comes before the router's refusals
            return preflight()
        try:
            response = await handler(request)
        except ErrorReply as reply:
            response = error(reply)
        except web.HTTPException as refusal:
            response = error(ErrorReply(refusal.status, refusal.reason))
            if refusal.status == 405:
                response.headers["Allow"] = ALLOW
        except Exception:
            log.exception("request failed", path=request.path)
            response = error(ErrorReply(500, "internal error"))
        name = names.get(request.match_info.route.resource, "other")
        hub.metrics.responses.labels(name, str(response.status)).inc()
        if request.method != "HEAD":
            hub.metrics.response_bytes.labels(name).inc(response.content_length or 0)
        if guard is not None:
            guard.answers(request)
        published = response.get(PUBLISHED)
        if published is not None:
            await _write(request, response)
            hub.stages[Stage.ORIGIN].observe(hub.now() - published)
        return response

    return answer


async def _write(request: web.Request, response: web.StreamResponse) -> None:
    """Write the answer here and not after the middleware, so that it is known when its last byte was handed on."""
    # A client that is gone: the server finds it so as well, when it would write what is missing.
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        await response.write_eof()
