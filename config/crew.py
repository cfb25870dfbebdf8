"""An edge with workers: the parent, which serves no viewer.

    parent ── owns the listening sockets, the settings, the admin listener
      ├─ node      asks the upstreams; Unix socket
      ├─ worker 0  viewers; asks the node
      └─ worker 1  …

SIGHUP: the settings are read again, a second generation starts on the same sockets, and when all of it is ready the
first one makes way. Whatever goes wrong on the way there, the first one stays.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine

import structlog

from headwater.edge.viewers import KEY_BYTES

from . import edgeplan, welcome
from .admin import AdminServer
from .control import Control
from .crewbook import CrewBook
from .crewmetrics import Restart
from .folder import PathTooLong, PrivateFolder
from .generation import Generation, Identity, Member
from .load import ConfigError
from .pinproxy import PinProxy
from .purgeproxy import PurgeProxy
from .running import DRAIN_S, StartError, bound, within
from .settings import Settings
from .sockets import Listeners
from .supervisor import ChildFailed

Reload = Callable[[], Settings]
"""Reads the settings again. Raises load.ConfigError."""
Upstream = Callable[[Settings], str]
"""The upstream where `edge.upstreams` says none."""
Count = Callable[[Settings], int]
"""How many workers."""

log = structlog.get_logger("headwater.config")


class EdgeCrew:
    """The edge role in several processes. Belongs to the running loop."""

    def __init__(self, settings: Settings, upstream: Upstream, count: Count, reload: Reload | None) -> None:
        edge = settings.edge
        self._settings = settings
        self._upstream = upstream
        self._count = count
        self._reload = reload
        tls = edge.http.tls
        self._sockets = Listeners(edge.http.host, edge.http.port, tls.port if tls.enabled else None)
        self._identity = Identity(f"headwater-{secrets.token_hex(6)}", secrets.token_bytes(KEY_BYTES))
        self._folder: PrivateFolder | None = None
        self._current: Generation | None = None
        self._before: Generation | None = None
        """The one that makes way, during a hot restart."""
        self._coming: Generation | None = None
        """The one that starts: its workers may have viewers already."""
        self._numbers = 0
        self._restart: asyncio.Task[None] | None = None
        self._again = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving = False
        self._pins = PinProxy(lambda: self._current.node.control if self._current is not None else None)
        purges = PurgeProxy(self._controls)
        self._book = CrewBook(lambda: self._current, self._why_not_ready)
        self._admin = AdminServer(
            edge.admin,
            self._book,
            self._why_not_ready,
            self._book.status,
            [*self._pins.routes(), *purges.routes()],
            gather=self._book.gather,
            others=self._book.tasks,
        )

    async def start(self) -> None:
        """Bind the addresses, start the first generation. Raises StartError; what was started is closed then."""
        try:
            self._folder = PrivateFolder()
            await bound("edge.admin.port", self._admin.start())
            await bound("edge.http.port", self._bind(self._count(self._settings)))
            self._current = await self._started(self._settings)
            self._book.start()
        except (ChildFailed, OSError, PathTooLong) as error:
            await self.close()
            raise StartError(f"edge: {error}", getattr(error, "code", 1)) from error
        except BaseException:
            await self.close()
            raise

    async def _bind(self, workers: int) -> None:
        self._sockets.bind(workers)

    async def _started(self, settings: Settings) -> Generation:
        """A generation that is ready. Raises ChildFailed, OSError."""
        assert self._folder is not None
        workers = self._count(settings)
        self._sockets.bind(workers)
        self._numbers += 1
        generation = Generation(
            self._numbers,
            settings,
            self._identity,
            lambda path: edgeplan.plan(settings.edge, self._upstream(settings), workers, path),
            self._sockets.shares(workers),
            self._folder.path,
            self._node_ready,
        )
        self._coming = generation
        try:
            await generation.start()
        finally:
            self._coming = None
        log.info("edge-generation-started", generation=generation.number, workers=workers)
        return generation

    def _controls(self) -> tuple[list[Control], list[Control]]:
        """Of all nodes, and of all workers that run; during a hot restart of both generations."""
        generations = [one for one in (self._before, self._current, self._coming) if one is not None]
        workers = [worker for one in generations for worker in one.workers]
        # A worker that has ended keeps nothing; a node has its disk
        return (
            [one.node.control for one in generations],
            [worker.control for worker in workers if worker.supervisor.running],
        )

    def _node_ready(self, node: Member) -> None:
        self._keep(self._pins.restore(node.control))

    def _keep(self, step: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(step)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def listening(self) -> welcome.EdgePorts:
        """The ports that are bound."""
        return welcome.EdgePorts(self._sockets.port, self._admin.port, self._sockets.tls_port)

    # -- hot restart

    def hang_up(self) -> None:
        """SIGHUP: begin a hot restart; during one: one more after it."""
        if self._reload is None or self._leaving or self._current is None:
            return
        if self._restart is not None and not self._restart.done():
            self._again = True
            return
        self._restart = asyncio.get_running_loop().create_task(self._restarts(), name="hot restart")

    async def _restarts(self) -> None:
        while True:
            self._again = False
            try:
                outcome = await self._restarted()
            except Exception:
                # What nobody thought of: the processes that serve go on, and it is not kept from the log.
                log.exception("hot restart failed: an error of the server")
                outcome = Restart.FAILED
            self._book.restarted(outcome)
            if not self._again or self._leaving:
                return

    async def _restarted(self) -> Restart:
        assert self._reload is not None and self._current is not None
        try:
            settings = self._reload()
        except ConfigError as error:
            log.error("hot restart refused: the settings cannot be used, nothing changes", reason=str(error))
            return Restart.REFUSED
        settings = self._as_bound(settings)
        served = self._sockets.count
        try:
            following = await self._started(settings)
        except Exception as error:
            # Nobody accepts on what was added: a part of all connections would wait there.
            self._sockets.trim(served)
            if not isinstance(error, ChildFailed | OSError):
                raise
            log.error("hot restart failed: the processes before go on", reason=str(error))
            return Restart.FAILED
        self._before, self._current, self._settings = self._current, following, settings
        self._keep(self._pins.restore(following.node.control))  # what was pinned while it started
        await self._before.retire()
        self._before = None
        return Restart.DONE

    def _as_bound(self, settings: Settings) -> Settings:
        """With the addresses that are bound: other ones take a restart."""
        now, edge = self._settings.edge, settings.edge
        kept = (
            ("http.host", edge.http.host, (now.http.host,)),
            ("http.port", edge.http.port, (now.http.port, self._sockets.port)),
            ("http.tls.port", edge.http.tls.port, (now.http.tls.port, self._sockets.tls_port)),
            ("http.tls.certificates", edge.http.tls.enabled, (now.http.tls.enabled,)),
            ("admin.host", edge.admin.host, (now.admin.host,)),
            ("admin.port", edge.admin.port, (now.admin.port, self._admin.port)),
        )
        for key, wanted, bound_to in kept:
            if wanted not in bound_to:
                log.warning("a setting has changed that takes a restart", setting=f"edge.{key}")
        both = edge.http.tls.enabled and now.http.tls.enabled
        tls = edge.http.tls.model_copy(update={"port": now.http.tls.port}) if both else now.http.tls
        http = edge.http.model_copy(update={"host": now.http.host, "port": now.http.port, "tls": tls})
        return settings.model_copy(update={"edge": edge.model_copy(update={"http": http, "admin": now.admin})})

    # -- the end

    async def drain(self) -> None:
        """Answer what is held, let viewers finish what they are reading."""
        self._leaving = True
        await self._end_restart()
        self._sockets.close()
        if self._current is not None:
            await within(DRAIN_S + 4.0, "workers", self._current.drain())

    async def close(self) -> None:
        """Let everything go; also after a failed start."""
        self._leaving = True
        await self._end_restart()
        self._book.stop()
        self._sockets.close()
        if self._current is not None:
            await self._current.stop(1.0)
            self._current = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await within(DRAIN_S, "admin", self._admin.close())
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    async def _end_restart(self) -> None:
        if self._restart is not None and not self._restart.done():
            self._restart.cancel()
            await asyncio.gather(self._restart, return_exceptions=True)
        if self._before is not None:
            await self._before.stop(1.0)
            self._before = None

    def _why_not_ready(self) -> str | None:
        if self._leaving or self._current is None:
            return "starting or draining"
        return None if self._current.ready else "its processes are starting"
