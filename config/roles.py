"""What each command runs: the origin role, the edge role, and `up` with both. One uvloop loop per process.

    origin   admin listener + Hub + OriginServer + IngestServer
    edge     admin listener + EdgeServer
    up       the origin role here, the edge and the demo publisher as supervised children

Whatever ends a role (SIGTERM, SIGINT, a failed start), its parts are drained and closed in the order in which data
flows backwards: viewers first, then publishers, then the rest; each step within `DRAIN_S`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from pathlib import Path

import structlog
import uvloop
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from . import demo, facts, logs, welcome
from .admin import AdminServer
from .loopwatch import LoopWatch
from .settings import Settings
from .stages import StageTimes
from .statusbook import StatusBook
from .supervisor import ChildFailed, Message, Supervisor

DRAIN_S = 8.0
"""For one step of a drain. Why: with two steps an orchestrator's usual 30 s are never reached."""

DEMO_S = 60.0
"""For the demo to become playable before the addresses are printed all the same. Why: the longest hold-back, three
target durations of 20 s."""
OTHER_FILES = 400
"""Open files of a process that are no viewers' or publishers': listeners, upstream connections, libraries."""

log = structlog.get_logger("headwater.config")

Said = Callable[[Mapping[str, object]], None]


class StartError(Exception):
    """A role cannot start; the message names what and why, in one line."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class OriginRole:
    """Ingest, packaging and origin HTTP in this process."""

    def __init__(self, settings: Settings) -> None:
        from headwater.ingest.server import IngestServer
        from headwater.origin.app import OriginServer
        from headwater.origin.hub import Hub

        self._settings = settings
        self._registry = _registry()
        self._watch = LoopWatch(self._registry)
        self._hub = Hub(settings.origin, self._registry)
        pages = Path(str(files("headwater.origin.pages")))
        self._http = OriginServer(settings.origin, self._hub, self._registry, pages)
        self._ingest = IngestServer(settings.ingest, settings.origin, settings.state.dir, self._hub, self._registry)
        StageTimes(self._registry, {**self._ingest.stages, **self._hub.stages})
        self._book = StatusBook("origin", self._registry, self._why_not_ready, lambda: facts.of_origin(self._hub))
        self._admin = AdminServer(settings.origin.admin, self._registry, self._why_not_ready, self._book.status)
        self._ready = False

    async def start(self) -> None:
        """Bind everything. Raises StartError; what was started is closed then."""
        from headwater.ingest.server import IngestStartError

        try:
            await _bound("origin.admin.port", self._admin.start())
            self._watch.start()
            self._book.start()
            await _bound("origin.http.port", self._http.start())
            await self._ingest.start()
        except IngestStartError as error:
            await self.close()
            raise StartError(str(error)) from error
        except BaseException:
            await self.close()
            raise
        self._ready = True

    @property
    def listening(self) -> welcome.OriginPorts:
        """The ports that are bound."""
        ports = self._ingest.ports
        return welcome.OriginPorts(
            http=self._http.port,
            admin=self._admin.port,
            rtmp=ports.get("rtmp"),
            rtmps=ports.get("rtmps"),
            srt=ports.get("srt"),
        )

    def plays(self, name: str) -> bool:
        """True when the stream `name` has playlists to serve."""
        from headwater.origin.stream import StreamState

        stream = self._hub.stream(name)
        return stream is not None and stream.state is StreamState.LIVE

    async def drain(self) -> None:
        """Answer held requests, close publishers."""
        self._ready = False
        await _within(DRAIN_S, "publishers", self._ingest.drain())
        await _within(DRAIN_S, "held requests", self._http.drain())

    async def close(self) -> None:
        """Let everything go; also after a failed start."""
        self._ready = False
        self._watch.stop()
        self._book.stop()
        await _within(DRAIN_S, "ingest", self._ingest.close())
        await _within(DRAIN_S, "origin", self._http.close())
        self._hub.close()
        await _within(DRAIN_S, "admin", self._admin.close())

    def _why_not_ready(self) -> str | None:
        return None if self._ready else "starting or draining"


class EdgeRole:
    """The edge in this process."""

    def __init__(self, settings: Settings) -> None:
        from headwater.edge import pinapi, purgeapi
        from headwater.edge.app import EdgeServer

        self._connections = settings.edge.http.connections
        self._registry = _registry()
        self._watch = LoopWatch(self._registry)
        self._server = EdgeServer(settings.edge, upstream_of(settings, settings.origin.http.port), self._registry)
        self._book = StatusBook("edge", self._registry, self._why_not_ready, lambda: facts.of_edge(self._server))
        pages = [*pinapi.routes(lambda: self._server.pins), *purgeapi.routes(lambda order: self._server.purge(order))]
        self._admin = AdminServer(settings.edge.admin, self._registry, self._why_not_ready, self._book.status, pages)

    async def start(self) -> None:
        """Bind everything. Raises StartError; what was started is closed then."""
        from headwater.edge import diskfiles, keyring, tls

        try:
            await _bound("edge.admin.port", self._admin.start())
            self._watch.start()
            self._book.start()
            await _bound("edge.http.port", self._server.start())
            _check_open_files("edge.http.connections", self._connections)
        except BaseException as error:
            await self.close()
            if isinstance(error, keyring.KeyFileError | diskfiles.DiskError | tls.CertificateError):
                where = "" if isinstance(error, tls.CertificateError) else f"{error.setting}: "
                raise StartError(f"{where}{error}", code=2) from error
            raise

    @property
    def listening(self) -> welcome.EdgePorts:
        """The ports that are bound."""
        return welcome.EdgePorts(self._server.port, self._admin.port, self._server.tls_port or None)

    async def drain(self) -> None:
        """Answer what is held, let viewers finish what they are reading."""
        await _within(DRAIN_S, "viewers", self._server.drain())

    async def close(self) -> None:
        """Let everything go; also after a failed start."""
        self._watch.stop()
        self._book.stop()
        await _within(DRAIN_S, "edge", self._server.close())
        await _within(DRAIN_S, "admin", self._admin.close())

    def _why_not_ready(self) -> str | None:
        return None if self._server.ready else "starting or draining"


def upstream_of(settings: Settings, origin_port: int) -> str:
    """The edge's upstream: as configured, else the origin of this machine at `origin_port`."""
    return settings.edge.upstream or f"http://{demo.local_host(settings.origin.http.host)}:{origin_port}"


def serve_origin(settings: Settings) -> int:
    """`headwater origin`, until a signal; the exit code."""

    async def run(stop: asyncio.Event) -> None:
        role = OriginRole(settings)
        await role.start()
        print(welcome.origin(settings, role.listening), flush=True)
        await _until(stop, role.drain, role.close)

    return _run(settings, run)


def serve_edge(settings: Settings, *, said: Said | None = None) -> int:
    """`headwater edge`, until a signal; the exit code. `said` hears the bound ports in place of the start-up text."""

    async def run(stop: asyncio.Event) -> None:
        role = EdgeRole(settings)
        await role.start()
        ports = role.listening
        if said is None:
            print(welcome.edge(settings, ports), flush=True)
        else:
            said({"event": "listening", "http": ports.http, "admin": ports.admin, "tls": ports.tls})
        await _until(stop, role.drain, role.close)

    return _run(settings, run)


def serve_up(settings: Settings, *, with_demo: bool) -> int:
    """`headwater up`, until a signal; the exit code."""
    if with_demo:
        if not settings.ingest.rtmp.enabled:
            print("headwater: --demo needs the RTMP listener: ingest.rtmp.enabled is false", file=sys.stderr)
            return 2
        settings = demo.with_demo_key(settings)

    async def run(stop: asyncio.Event) -> None:
        await _Up(settings, with_demo=with_demo).run(stop)

    return _run(settings, run)


class _Up:
    """Origin here, edge and demo publisher as children."""

    def __init__(self, settings: Settings, *, with_demo: bool) -> None:
        self._settings = settings
        self._origin = OriginRole(settings)
        self._edge_ports: welcome.EdgePorts | None = None
        self._edge = Supervisor("edge", self._edge_document, self._edge_said)
        self._demo = Supervisor("publish", self._demo_document, lambda message: None) if with_demo else None

    async def run(self, stop: asyncio.Event) -> None:
        await self._origin.start()
        try:
            ports = await self._start_children()
            if self._demo is not None:
                await self._demo_plays(stop)
        except BaseException:
            await self.close()
            raise
        print(
            welcome.up(self._settings, self._origin.listening, ports, with_demo=self._demo is not None),
            flush=True,
        )
        await _until(stop, self.drain, self.close)

    async def _start_children(self) -> welcome.EdgePorts:
        try:
            await self._edge.start(wait=True)
        except ChildFailed as error:
            raise StartError(str(error), error.code) from error
        if self._edge_ports is None:
            raise StartError("edge did not say where it listens")
        if self._demo is not None:
            await self._demo.start(wait=False)
        return self._edge_ports

    async def _demo_plays(self, stop: asyncio.Event) -> None:
        """Wait until the demo can be watched: a first playlist has to cover its hold-back."""
        print("Starting the demo stream; it can be watched in a few seconds.", flush=True)
        deadline = asyncio.get_running_loop().time() + DEMO_S
        while not self._origin.plays(self._settings.demo.name) and not stop.is_set():
            if asyncio.get_running_loop().time() >= deadline:
                log.warning("the demo stream does not play yet", waited_s=DEMO_S)
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.1)

    async def drain(self) -> None:
        if self._demo is not None:
            await self._demo.stop(DRAIN_S)
        # The edge first: its held requests are answered while the origin still answers its own.
        await self._edge.stop(DRAIN_S)
        await self._origin.drain()

    async def close(self) -> None:
        for child in (self._demo, self._edge):
            if child is not None:
                await child.stop(1)
        await self._origin.close()

    def _edge_document(self) -> str:
        """The edge's settings: the upstream filled in, and the ports of its first start kept."""
        from .load import handover

        edge = self._settings.edge
        upstream = None if edge.upstreams else upstream_of(self._settings, self._origin.listening.http)
        update: dict[str, object] = {"upstream": upstream}
        if self._edge_ports is not None:
            tls = edge.http.tls.model_copy(update={"port": self._edge_ports.tls or edge.http.tls.port})
            update["http"] = edge.http.model_copy(update={"port": self._edge_ports.http, "tls": tls})
            update["admin"] = edge.admin.model_copy(update={"port": self._edge_ports.admin})
        return handover(self._settings.model_copy(update={"edge": edge.model_copy(update=update)}))

    def _demo_document(self) -> str:
        return demo.document(self._settings, self._origin.listening.rtmp or 0)

    def _edge_said(self, message: Message) -> None:
        if message.get("event") == "listening":
            http, admin, tls = message.get("http"), message.get("admin"), message.get("tls")
            if isinstance(http, int) and isinstance(admin, int):
                self._edge_ports = welcome.EdgePorts(http, admin, tls if isinstance(tls, int) else None)


def _run(settings: Settings, body: Callable[[asyncio.Event], Awaitable[None]]) -> int:
    """`body` on a uvloop loop, with logs, signals and limits in place; the exit code."""
    logs.setup(settings.log, logs.secrets_of(settings))
    _raise_open_files()

    async def main() -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        handled = [signal.SIGTERM]
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            handled.append(signal.SIGINT)
        for number in handled:
            loop.add_signal_handler(number, stop.set)
        try:
            await body(stop)
        except StartError as error:
            print(f"headwater: {error}", file=sys.stderr)
            return error.code
        return 0

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


async def _until(
    stop: asyncio.Event, drain: Callable[[], Awaitable[None]], close: Callable[[], Awaitable[None]]
) -> None:
    """Serve until `stop`, then drain and close."""
    # What start-up made lives as long as the process: out of the collector's way.
    gc.collect()
    gc.freeze()
    try:
        await stop.wait()
        log.info("draining")
        await drain()
    finally:
        await close()
    log.info("stopped")


async def _bound(key: str, start: Awaitable[None]) -> None:
    """Await a listener's start; an address that cannot be bound becomes a StartError that names the setting."""
    try:
        await start
    except OSError as error:
        raise StartError(f"{key}: cannot listen: {error.strerror or error}") from error


async def _within(seconds: float, what: str, step: Awaitable[None]) -> None:
    """Await one step of an ending; what does not end in time is said and left."""
    try:
        await asyncio.wait_for(step, seconds)
    except TimeoutError:
        log.warning("did not end in time", what=what, waited_s=seconds)


def _registry() -> CollectorRegistry:
    """A registry with the process's own figures."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter that nobody reads
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def _raise_open_files() -> None:
    """Lift the soft limit of open files to the hard one: a connection is a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _check_open_files(key: str, connections: int) -> None:
    """Say so when the system lets this process hold fewer connections than the setting `key` allows."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit != resource.RLIM_INFINITY and connections + OTHER_FILES > limit:
        log.info("more connections allowed than open files", setting=key, connections=connections, open_files=limit)
