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
import sys
from functools import partial
from importlib.resources import files
from pathlib import Path

import structlog

from . import demo, facts, welcome
from .admin import AdminServer
from .edgerole import Reload, upstream_of, workers_of
from .load import ConfigError, handover
from .loopwatch import LoopWatch
from .running import DRAIN_S, StartError, bound, new_registry, on_hang_up, run_role, until, within
from .settings import Settings
from .stages import StageTimes
from .statusbook import StatusBook
from .supervisor import START_S, ChildFailed, Message, Supervisor

DEMO_S = 60.0
"""For the demo to become playable before the addresses are printed all the same. Why: the longest hold-back, three
target durations of 20 s."""

CREW_START_S = 75.0
"""For an edge with workers to listen: above what it gives its own children."""
CREW_S = 4.0
"""What an edge with workers has beyond their drain, for its node and itself."""

log = structlog.get_logger("headwater.config")


class OriginRole:
    """Ingest, packaging and origin HTTP in this process."""

    def __init__(self, settings: Settings) -> None:
        from headwater.ingest.server import IngestServer
        from headwater.origin.app import OriginServer
        from headwater.origin.hub import Hub

        self._settings = settings
        self._registry = new_registry()
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
            await bound("origin.admin.port", self._admin.start())
            self._watch.start()
            self._book.start()
            await bound("origin.http.port", self._http.start())
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
        await within(DRAIN_S, "publishers", self._ingest.drain())
        await within(DRAIN_S, "held requests", self._http.drain())

    async def close(self) -> None:
        """Let everything go; also after a failed start."""
        self._ready = False
        self._watch.stop()
        self._book.stop()
        await within(DRAIN_S, "ingest", self._ingest.close())
        await within(DRAIN_S, "origin", self._http.close())
        self._hub.close()
        await within(DRAIN_S, "admin", self._admin.close())

    def _why_not_ready(self) -> str | None:
        return None if self._ready else "starting or draining"


def serve_origin(settings: Settings) -> int:
    """`headwater origin`, until a signal; the exit code."""

    async def body(stop: asyncio.Event) -> None:
        role = OriginRole(settings)
        on_hang_up(stop, lambda: log.warning("SIGHUP: an origin reads nothing again; its settings take a restart"))
        await role.start()
        print(welcome.origin(settings, role.listening), flush=True)
        await until(stop, role.drain, role.close)

    return run_role(settings, body)


def serve_up(settings: Settings, *, with_demo: bool, reload: Reload | None = None) -> int:
    """`headwater up`, until a signal; the exit code. `reload`: for hot restarts of an edge with workers, at SIGHUP."""
    if with_demo:
        if not settings.ingest.rtmp.enabled:
            print("headwater: --demo needs the RTMP listener: ingest.rtmp.enabled is false", file=sys.stderr)
            return 2
        settings = demo.with_demo_key(settings)

    async def body(stop: asyncio.Event) -> None:
        up = _Up(settings, with_demo=with_demo)
        on_hang_up(stop, partial(up.hang_up, reload))
        await up.run(stop)

    return run_role(settings, body)


class _Up:
    """Origin here, edge and demo publisher as children."""

    def __init__(self, settings: Settings, *, with_demo: bool) -> None:
        self._settings = settings
        self._crew = workers_of(settings) > 1
        self._origin = OriginRole(settings)
        self._edge_ports: welcome.EdgePorts | None = None
        start_s = CREW_START_S if self._crew else START_S
        self._edge = Supervisor("edge", self._edge_document, self._edge_said, start_s=start_s)
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
        await until(stop, self.drain, self.close)

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

    def hang_up(self, reload: Reload | None) -> None:
        """SIGHUP: the edge starts again with the settings as they are now; the origin goes on with its own. An edge of
        one process goes on with its own too, and says what it has read again."""
        if reload is None or not self._crew:
            self._edge.tell(self._edge_document())
            return
        try:
            edge = reload().edge
        except ConfigError as error:
            log.error("hot restart refused: the settings cannot be used, nothing changes", reason=str(error))
            return
        self._settings = self._settings.model_copy(update={"edge": edge})
        self._edge.tell(self._edge_document())

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
        await self._edge.stop(DRAIN_S + (CREW_S if self._crew else 0.0))
        await self._origin.drain()

    async def close(self) -> None:
        for child in (self._demo, self._edge):
            if child is not None:
                await child.stop(1)
        await self._origin.close()

    def _edge_document(self) -> str:
        """The edge's settings: the upstream filled in, and the ports of its first start kept."""
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
