"""The edge role: one process, or with `edge.workers` above 1 a crew of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from headwater.ingest.encode.capacity import cores

from . import demo, facts, welcome
from .admin import AdminServer
from .loopwatch import LoopWatch
from .running import (
    DRAIN_S,
    EDGE_YOUNG,
    StartError,
    bound,
    check_open_files,
    new_registry,
    on_hang_up,
    run_role,
    until,
    within,
)
from .settings import MAX_WORKERS, Settings
from .statusbook import StatusBook

Said = Callable[[Mapping[str, object]], None]
Reload = Callable[[], Settings]
"""Reads the settings again. Raises load.ConfigError."""

log = structlog.get_logger("headwater.config")


class EdgeRole:
    """The edge in this process."""

    def __init__(self, settings: Settings) -> None:
        from headwater.edge import pinapi, purgeapi
        from headwater.edge.app import EdgeServer

        self._connections = settings.edge.http.connections
        self._registry = new_registry()
        self._watch = LoopWatch(self._registry)
        self._server = EdgeServer(settings.edge, upstream_of(settings, settings.origin.http.port), self._registry)
        self._book = StatusBook("edge", self._registry, self._why_not_ready, lambda: facts.of_edge(self._server))
        pages = [*pinapi.routes(lambda: self._server.pins), *purgeapi.routes(lambda order: self._server.purge(order))]
        self._admin = AdminServer(settings.edge.admin, self._registry, self._why_not_ready, self._book.status, pages)

    async def start(self) -> None:
        """Bind everything. Raises StartError; what was started is closed then."""
        from headwater.edge.unusable import Unusable

        try:
            await bound("edge.admin.port", self._admin.start())
            self._watch.start()
            self._book.start()
            await bound("edge.http.port", self._server.start())
            check_open_files("edge.http.connections", self._connections)
        except Unusable as error:
            await self.close()
            raise StartError(error.line, code=2) from error
        except BaseException:
            await self.close()
            raise

    def hang_up(self) -> None:
        """SIGHUP: read again what can be read again by a process that goes on. Settings are not of it."""
        self._server.reread()
        log.warning(
            "SIGHUP: certificates and token keys are looked at; other settings take a restart, or a hot restart, which "
            "needs edge.workers of 2 or more from the start"
        )

    @property
    def listening(self) -> welcome.EdgePorts:
        """The ports that are bound."""
        return welcome.EdgePorts(self._server.port, self._admin.port, self._server.tls_port or None)

    async def drain(self) -> None:
        """Answer what is held, let viewers finish what they are reading."""
        await within(DRAIN_S, "viewers", self._server.drain())

    async def close(self) -> None:
        """Let everything go; also after a failed start."""
        self._watch.stop()
        self._book.stop()
        await within(DRAIN_S, "edge", self._server.close())
        await within(DRAIN_S, "admin", self._admin.close())

    def _why_not_ready(self) -> str | None:
        return None if self._server.ready else "starting or draining"


def upstream_of(settings: Settings, origin_port: int) -> str:
    """The edge's upstream: as configured, else the origin of this machine at `origin_port`."""
    return settings.edge.upstream or f"http://{demo.local_host(settings.origin.http.host)}:{origin_port}"


def workers_of(settings: Settings) -> int:
    """How many processes serve viewers."""
    return settings.edge.workers or min(MAX_WORKERS, max(1, round(cores())))


def serve_edge(settings: Settings, *, said: Said | None = None, reload: Reload | None = None) -> int:
    """`headwater edge`, until a signal; the exit code.

    `said` hears the bound ports in place of the start-up text. `reload`: for hot restarts, at SIGHUP; one process
    alone has none.
    """
    if workers_of(settings) > 1:
        return run_role(settings, lambda stop: _crew(settings, stop, said, reload))
    return run_role(settings, lambda stop: _alone(settings, stop, said))


async def _alone(settings: Settings, stop: asyncio.Event, said: Said | None) -> None:
    role = EdgeRole(settings)
    on_hang_up(stop, role.hang_up)
    await role.start()
    _say(settings, role.listening, said)
    await until(stop, role.drain, role.close, young=EDGE_YOUNG)


async def _crew(settings: Settings, stop: asyncio.Event, said: Said | None, reload: Reload | None) -> None:
    from .crew import EdgeCrew

    crew = EdgeCrew(settings, lambda now: upstream_of(now, now.origin.http.port), workers_of, reload)
    on_hang_up(stop, crew.hang_up)
    starting = asyncio.ensure_future(crew.start())
    stopping = asyncio.ensure_future(stop.wait())
    # A signal must not have to wait for a child that does not start.
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return
    await starting
    _say(settings, crew.listening, said)
    await until(stop, crew.drain, crew.close)


def _say(settings: Settings, ports: welcome.EdgePorts, said: Said | None) -> None:
    if said is None:
        print(welcome.edge(settings, ports), flush=True)
    else:
        said({"event": "listening", "http": ports.http, "admin": ports.admin, "tls": ports.tls})
