"""`EdgeServer`: the edge as one object that the composition root starts, drains and closes."""

from __future__ import annotations

import asyncio
import secrets
import time

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from headwater.config.settings import Edge
from headwater.config.settings_freshness import Freshness
from headwater.config.stages import Stage, StageTimes

from .bind import listen, port_of, tls_sockets
from .caller import Callers
from .core import TICK_S, Core, CoreLimits
from .disk import Disk, disk_of
from .diskfirst import DiskFirst
from .freshness import VARY_HARMLESS
from .gate import Gate
from .guard import RESERVE, Guard
from .http1 import Connection
from .keyring import Keyring
from .keys import path_of
from .listener import Limits, Shared
from .message import Cancel, Done, Upstream, UpstreamAnswer, UpstreamRequest
from .metrics import Metrics, Wakes
from .overrides import Kind, Override, Policy
from .overview import Overview, overview
from .patience import Patient
from .pins import Pins
from .post import Post
from .purge import Order, Purged
from .refusals import RefusalLog
from .storemetrics import StoreMetrics
from .tiermetrics import TierMetrics
from .tiers import Tiers
from .tls import Certificates
from .tlsmetrics import TlsMetrics
from .tlsserver import TlsServer
from .unusable import Unusable
from .upstreams import Upstreams
from .viewers import KEY_BYTES
from .wire import Wire

log = structlog.get_logger("headwater.edge")

ALONE = Post()

DRAIN_S = 8.0
"""Longest drain: two target durations of the default stream."""
NEWS_S = 2.0
"""When a process makes way for another, how long held requests still wait for what they asked for. Why: the longest
part target, so that no player is told less than it asked for and asks again at once (rule 93)."""
LAST_S = 1.0
"""For connections that were idle until the end of such a drain to take the end in."""


class _TimedUpstream:
    """An upstream that tells `wakes` when each answer came."""

    def __init__(self, upstream: Upstream, wakes: Wakes) -> None:
        self._upstream = upstream
        self._wakes = wakes

    def fetch(self, request: UpstreamRequest, done: Done) -> Cancel:
        asked = time.perf_counter()

        def timed(answer: UpstreamAnswer) -> None:
            self._wakes.landed(request, asked, answer)
            done(answer)

        return self._upstream.fetch(request, timed)


def _both_clocks() -> tuple[float, float]:
    return asyncio.get_running_loop().time(), time.time()  # noqa: TID251  (lifetimes on disk outlive the process)


def _policy(settings: Freshness) -> Policy:
    of = {kind: Override(**getattr(settings, kind.value).model_dump()) for kind in Kind}
    harmless = VARY_HARMLESS | {name.lower() for name in settings.vary_ignored}
    return Policy(
        {kind: override for kind, override in of.items() if override != Override()}, harmless, settings.mark_s
    )


class EdgeServer:
    """Serves viewers on `settings.http` from `settings.upstreams`, or where there are none from `upstream` (base URL
    such as `http://127.0.0.1:8081`).

    Metrics are put into `registry`. `post`: what this process is, where several are one edge. All methods belong to
    one running event loop (uvloop or asyncio).
    """

    def __init__(self, settings: Edge, upstream: str, registry: CollectorRegistry, post: Post = ALONE) -> None:
        self._post = post
        self._settings = settings
        self._upstream = upstream
        self._registry = registry
        self._wakes = Wakes()
        self._upstreams: Upstreams | None = None
        self._core: Core | None = None
        self.pins: Pins | None = None
        """What is pinned; None before `start`."""
        self._shared: Shared | None = None
        self._metrics: tuple[Collector, ...] = ()
        self._servers: list[asyncio.Server] = []
        self._patient: Patient | None = None
        self._refusals: tuple[RefusalLog, ...] = ()
        self._keyring: Keyring | None = None
        self._disk: Disk | None = None
        self._certificates: Certificates | None = None
        self._tls: TlsServer | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._leaving = False
        self._port = 0

    @property
    def port(self) -> int:
        """The port that is really bound; 0 before `start`."""
        return self._port

    @property
    def tls_port(self) -> int:
        """The same of the TLS listener; 0 without one."""
        return self._tls.port if self._tls is not None else 0

    @property
    def ready(self) -> bool:
        """True while new viewers are welcome: started, not draining, or making way for another process in its place."""
        return self._shared is not None and not self._leaving

    def overview(self) -> Overview:
        """What is followed, and who watches; nothing before `start`."""
        if self._core is None:
            return Overview((), {})
        return overview(self._core, asyncio.get_running_loop().time())

    def sketches(self) -> dict[tuple[str, str], bytes]:
        """Who watches, by stream and rendition, to be merged with what other workers of this edge have seen."""
        return self._core.audience.dump() if self._core is not None else {}

    @property
    def upstream(self) -> tuple[str, str | None, float | None]:
        """Its URL, or all; why the newest request failed (None: it did not); seconds since there was an answer."""
        heard = self._wakes.heard
        urls = ", ".join(entry.url for entry in self._settings.upstreams) or self._upstream
        return urls, self._wakes.failed, time.perf_counter() - heard if heard else None

    async def start(self) -> None:
        """Bind the listener and begin to serve.

        Raises OSError when the address is taken, unusable.Unusable when a file with token keys, a certificate or
        `edge.disk.dir` is.
        """
        settings, post, loop = self._settings, self._post, asyncio.get_running_loop()
        # RFC 8586 section 2: a pseudonym of this edge. Several nodes may bear the same name.
        cdn_id = post.cdn_id or f"headwater-{secrets.token_hex(6)}"
        # Between a worker and its node nothing is an edge's way: they are one.
        self._upstreams = Upstreams(settings, self._upstream, "" if post.is_worker else cdn_id)
        core = self._core_over(self._upstreams.tiers, cdn_id)
        if settings.tokens.enabled:
            core.gate = Gate(settings.tokens.public, core.tally)
            core.gate.tell_time(loop.time(), time.time())  # noqa: TID251  (tokens expire by the wall clock)
            self._keyring = Keyring(settings.tokens, core.gate)
        limits = Limits.of(settings.http)
        guard = Guard(settings.limits, settings.proxy.trusted, limits.connections, core.tally, loop.time())
        callers = Callers(settings.proxy, guard, counted=not post.is_node)
        shared = Shared(limits, Wire(post.cache_name(settings.node), inner=post.is_node), core.tally, loop, callers)
        try:
            if self._keyring is not None:
                self._keyring.start()
            if self._disk is not None:
                self._disk.start(core)
            self._servers = await listen(settings.http, post.listening, lambda: Connection(core, shared, limits))
            if settings.http.tls.enabled:
                self._start_tls(core, shared, limits)
        except (OSError, Unusable):
            await self.close()
            raise
        self._core, self._shared = core, shared
        self.pins = Pins(core, settings.pins, settings.follow_grace_s)
        self._port = port_of(self._servers)
        self._measure(core, self._upstreams.tiers)
        broken = core.tally.fills.broken
        self._refusals = (RefusalLog(core.tally.refused), RefusalLog(broken, "fill-broken", usual=("unwanted",)))
        shared.start()
        if self._tls is not None:
            self._tls.start()
        self._due = loop.time() + TICK_S
        self._tick = loop.call_later(TICK_S, self._on_tick)
        log.info("edge-started", port=self._port, upstream=self.upstream[0])

    def _core_over(self, tiers: Tiers, cdn_id: str) -> Core:
        settings, post = self._settings, self._post
        upstream: Upstream = _TimedUpstream(tiers, self._wakes)
        if post.is_worker:
            self._patient = upstream = Patient(upstream, asyncio.get_running_loop().time())
        if settings.disk.dir is not None:
            self._disk = disk_of(settings.disk, settings.node, self._wakes.read)
            upstream = DiskFirst(upstream, self._disk, _both_clocks)
        limits = CoreLimits(
            # Via names an edge once (RFC 9110 section 7.6.3 lets one organisation combine its own)
            "" if post.is_worker else settings.node,
            settings.cache_bytes if post.cache_bytes is None else post.cache_bytes,
            settings.held,
            settings.followers,
            settings.follow_grace_s,
            post.viewer_key or secrets.token_bytes(KEY_BYTES),
            _policy(settings.freshness),
            settings.object_bytes,
        )
        return Core(limits, upstream, self._wakes, lambda: self.ready, tiers, cdn_id)

    def _measure(self, core: Core, tiers: Tiers) -> None:
        stages = {Stage.EDGE_FILL: self._wakes.fill, Stage.FIRST_BYTE: self._wakes.first_byte}
        self._metrics = (
            StageTimes(self._registry, stages),
            Metrics(core, self._wakes, self._registry),
            TierMetrics(tiers, self._registry),
            StoreMetrics(core, self._disk, self._registry),
            TlsMetrics(self._tls, self._certificates, self._registry),
        )

    def _start_tls(self, core: Core, shared: Shared, limits: Limits) -> None:
        """Load the certificates and bind. Raises CertificateError, OSError."""
        http = self._settings.http
        self._certificates = Certificates(http.tls)
        listening = tls_sockets(http, self._post.tls_listening)
        self._tls = TlsServer(core, shared, limits, self._certificates, listening)

    def _on_tick(self) -> None:
        loop = asyncio.get_running_loop()
        assert self._core is not None and self._shared is not None
        assert self._upstreams is not None and self.pins is not None
        now = loop.time()
        nearly_full = self._core.tally.held > self._settings.held - self._settings.held // RESERVE
        self._shared.guard.look(now - self._due, nearly_full)
        self._due = now + TICK_S
        # First the next one: whatever goes wrong in one tick, time goes on for everybody else.
        self._tick = loop.call_later(TICK_S, self._on_tick)
        if self._core.gate is not None and self._keyring is not None:
            self._core.gate.tell_time(now, time.time())  # noqa: TID251  (tokens expire by the wall clock)
            self._keyring.look(now)
        if self._certificates is not None:
            self._certificates.look(now)
        self._upstreams.handle_timeout(now)
        if self._patient is not None:
            self._patient.handle_timeout(now)
        self._core.handle_timeout(now)
        self.pins.handle_timeout(now)
        for counts in self._refusals:
            counts.look(now)

    def reread(self) -> None:
        """Look now, and not when it is their turn, whether certificates and token keys have changed."""
        if self._keyring is not None:
            self._keyring.hurry()
        if self._certificates is not None:
            self._certificates.hurry()

    def purge(self, order: Order) -> Purged | None:
        """Forget what `order` is about; None while nothing runs."""
        if self._core is None:
            return None
        scope, purged = self._core.purge(order, asyncio.get_running_loop().time())
        if self._disk is not None:
            purged.disk = self._disk.purge(scope)
            self._core.purges.found[order.what] += purged.disk
        log.info("purged", kind=order.what.value, target=path_of(order.target), soft=order.soft, **purged.to_json())
        return purged

    async def drain(self) -> None:
        """Stop accepting, answer held requests now, end every connection; returns when all are gone or time is up."""
        if self._core is None or self._shared is None:
            return
        self._leaving = True
        self._stop_accepting()
        self._shared.drain()
        self._core.drain(asyncio.get_running_loop().time())
        await self._shared.wait_empty(DRAIN_S)
        log.info("edge-drained", left=self._shared.connections)

    async def retire(self) -> None:
        """Leave the listening sockets to the process that takes over, and end without a request lost.

        Each connection ends with its next answer. Held requests have until `NEWS_S` to be answered by the news that
        they wait for; then they are answered with what there is. Connections that ask for nothing end last. Returns
        when all are gone or `DRAIN_S` has passed.
        """
        if self._core is None or self._shared is None:
            return
        self._stop_accepting()
        self._shared.draining = True
        # Handshakes that are under way are no connections yet
        settled = self._tls.settle(NEWS_S) if self._tls is not None else asyncio.sleep(0)
        await asyncio.gather(self._shared.wait_empty(NEWS_S), settled)
        self._core.drain(asyncio.get_running_loop().time())
        await self._shared.wait_empty(DRAIN_S - NEWS_S - LAST_S)
        self._shared.drain()
        self._core.drain(asyncio.get_running_loop().time())  # who was held since
        await self._shared.wait_empty(LAST_S)
        log.info("edge-retired", left=self._shared.connections)

    def _stop_accepting(self) -> None:
        for server in self._servers:
            server.close()
        if self._tls is not None:
            self._tls.stop()

    async def close(self) -> None:
        """Stop at once. Idempotent."""
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        self._leaving = True
        self._stop_accepting()
        if self._tls is not None:
            self._tls.cancel()
        if self.pins is not None:
            self.pins.stop()
            self.pins = None
        if self._core is not None:
            self._core.stop()
        if self._patient is not None:
            self._patient.stop()
        if self._shared is not None:
            self._shared.draining = True
            self._shared.stop()
        for part in (self._keyring, self._disk, self._tls, self._certificates, self._upstreams):
            if part is not None:
                await part.close()
        self._keyring = self._disk = self._upstreams = None
        for server in self._servers:
            await server.wait_closed()
        self._servers = []
        for metrics in self._metrics:
            self._registry.unregister(metrics)
        self._metrics = ()
