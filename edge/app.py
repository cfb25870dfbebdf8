"""`EdgeServer`: the edge as one object that the composition root starts, drains and closes."""

from __future__ import annotations

import asyncio
import secrets
import time

import structlog
from prometheus_client import CollectorRegistry

from headwater.config.settings import Edge

from .core import TICK_S, Core, CoreLimits
from .http1 import Connection
from .listener import Limits, Shared
from .message import Cancel, Done, Upstream, UpstreamAnswer, UpstreamRequest
from .metrics import Metrics, Wakes
from .pins import Pins
from .refusals import RefusalLog
from .tiermetrics import TierMetrics
from .upstreams import Upstreams
from .wire import Wire

log = structlog.get_logger("headwater.edge")

DRAIN_S = 8.0
"""Longest drain: two target durations of the default stream."""


class _TimedUpstream:
    """An upstream that tells `wakes` when each answer came."""

    def __init__(self, upstream: Upstream, wakes: Wakes) -> None:
        self._upstream = upstream
        self._wakes = wakes

    def fetch(self, request: UpstreamRequest, done: Done) -> Cancel:
        def timed(answer: UpstreamAnswer) -> None:
            self._wakes.arrived = time.perf_counter()
            done(answer)

        return self._upstream.fetch(request, timed)


class EdgeServer:
    """Serves viewers on `settings.http` from `settings.upstreams`, or where there are none from `upstream` (base URL
    such as `http://127.0.0.1:8081`).

    Metrics are put into `registry`. All methods belong to one running event loop (uvloop or asyncio).
    """

    def __init__(self, settings: Edge, upstream: str, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._upstream = upstream
        self._registry = registry
        self._wakes = Wakes()
        self._upstreams: Upstreams | None = None
        self._core: Core | None = None
        self.pins: Pins | None = None
        """What is pinned; None before `start`."""
        self._shared: Shared | None = None
        self._metrics: tuple[Metrics, TierMetrics] | None = None
        self._server: asyncio.Server | None = None
        self._refusals: RefusalLog | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The port that is really bound; 0 before `start`."""
        return self._port

    @property
    def ready(self) -> bool:
        """True while new viewers are welcome: started and not draining."""
        return self._shared is not None and not self._shared.draining

    async def start(self) -> None:
        """Bind the listener and begin to serve. Raises OSError when the address is taken."""
        settings, loop = self._settings, asyncio.get_running_loop()
        # RFC 8586 section 2: a pseudonym of this process. Several nodes may bear the same name.
        cdn_id = f"headwater-{secrets.token_hex(6)}"
        self._upstreams = Upstreams(settings, self._upstream, cdn_id)
        tiers = self._upstreams.tiers
        core = Core(
            CoreLimits(settings.node, settings.cache_bytes, settings.held, settings.followers, settings.follow_grace_s),
            _TimedUpstream(tiers, self._wakes),
            self._wakes,
            lambda: self.ready,
            tiers,
            cdn_id,
        )
        limits = Limits.of(settings.http)
        shared = Shared(limits, Wire(settings.node), core.tally, loop)
        try:
            self._server = await loop.create_server(
                lambda: Connection(core, shared, limits),
                settings.http.host or None,
                settings.http.port,
                backlog=settings.http.backlog,
                reuse_address=True,
            )
        except OSError:
            await self._upstreams.close()
            raise
        self._core, self._shared = core, shared
        self.pins = Pins(core, settings.pins, settings.follow_grace_s)
        self._port = self._server.sockets[0].getsockname()[1]
        self._metrics = (Metrics(core, self._wakes, self._registry), TierMetrics(tiers, self._registry))
        self._refusals = RefusalLog(core.tally.refused)
        shared.start()
        self._tick = loop.call_later(TICK_S, self._on_tick)
        log.info("edge-started", port=self._port, upstreams=[member.name for member in tiers.members])

    def _on_tick(self) -> None:
        loop = asyncio.get_running_loop()
        assert self._core is not None and self._refusals is not None and self._upstreams is not None
        # First the next one: whatever goes wrong in one tick, time goes on for everybody else.
        self._tick = loop.call_later(TICK_S, self._on_tick)
        self._upstreams.handle_timeout(loop.time())
        self._core.handle_timeout(loop.time())
        if self.pins is not None:
            self.pins.handle_timeout(loop.time())
        self._refusals.look(loop.time())

    async def drain(self) -> None:
        """Stop accepting, answer held requests now, end every connection; returns when all are gone or time is up."""
        if self._core is None or self._shared is None or self._server is None:
            return
        loop = asyncio.get_running_loop()
        self._server.close()
        self._shared.drain()
        self._core.drain(loop.time())
        await self._shared.wait_empty(DRAIN_S)
        log.info("edge-drained", left=self._shared.connections)

    async def close(self) -> None:
        """Stop at once. Idempotent."""
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        if self._server is not None:
            self._server.close()
        if self.pins is not None:
            self.pins.stop()
            self.pins = None
        if self._core is not None:
            self._core.stop()
        if self._shared is not None:
            self._shared.draining = True
            self._shared.stop()
        if self._upstreams is not None:
            await self._upstreams.close()
            self._upstreams = None
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None
        for metrics in self._metrics or ():
            self._registry.unregister(metrics)
        self._metrics = None
