"""Where workers come from: one waits ahead of its need, as loading the codec libraries takes longer than a replacement
may; and all are gone when the server is."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

import structlog

from .process import COMMAND, Fault, WorkerProcess

log = structlog.get_logger("headwater.encode")

PAUSE_S = 1.0
"""After one was taken, before the next is started. Why: the one that was taken has its hands full just then."""
TIRED_S = 5.0
"""After a start that failed, or a spare that ended by itself."""
LOOK_S = 1.0
SILENT_S = 10.0
"""Seconds without a sign of life after which a spare is no good."""


class Spares:
    """Keeps one worker ready. All of it belongs to one running event loop.

    Args:
        command: what is run, in place of the worker.
    """

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = command
        self._spare: WorkerProcess | None = None
        self._task: asyncio.Task[None] | None = None
        self._taken = asyncio.Event()
        self._over = asyncio.Event()
        self._starts: set[asyncio.Task[WorkerProcess]] = set()
        self._all: set[WorkerProcess] = set()
        """Those whose process is not reaped."""

    @property
    def ready(self) -> bool:
        """There is one, and it has said that it lives."""
        return self._spare is not None and self._spare.alive and self._spare.heard_at is not None

    def start(self) -> None:
        """Begin to keep one. Idempotent."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep(), name="spare encoder")

    async def take(self) -> WorkerProcess:
        """A worker to be used now: the spare, or a new one. Raises OSError when none can be started."""
        spare, self._spare = self._spare, None
        self._taken.set()
        if spare is not None and spare.alive and not spare.stopped():
            return spare
        if spare is not None:
            spare.kill(Fault.DONE, "not alive")
        return await self._started()

    async def close(self) -> None:
        """End the spare and every worker that was taken; return when their processes are no more."""
        self._over.set()
        self._taken.set()
        if self._task is not None:
            await self._task
            self._task = None
        while self._starts:
            await asyncio.wait(self._starts)
        self._spare = None
        for worker in list(self._all):
            worker.kill(Fault.DONE, "the server stops")
            await worker.gone()

    async def _started(self) -> WorkerProcess:
        """A new worker. Whoever waits for it may be cancelled: a process that is half started cannot be."""
        task = asyncio.get_running_loop().create_task(WorkerProcess.start(self._command), name="start of an encoder")
        self._starts.add(task)
        task.add_done_callback(self._remember)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_drop)
            raise

    def _remember(self, task: asyncio.Task[WorkerProcess]) -> None:
        self._starts.discard(task)
        self._all = {worker for worker in self._all if not worker.reaped}
        if not task.cancelled() and task.exception() is None:
            self._all.add(task.result())

    async def _keep(self) -> None:
        while not self._over.is_set():
            tired = True
            try:
                self._spare = await self._started()
                self._taken.clear()
                tired = await self._watch(self._spare)
            except OSError as error:
                log.error("encoder cannot be started", reason=error.strerror or str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), TIRED_S if tired else PAUSE_S)

    async def _watch(self, spare: WorkerProcess) -> bool:
        """Until the spare was taken (False) or is no good (True)."""
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._taken.wait(), LOOK_S)
                return False
            heard = spare.heard_at if spare.heard_at is not None else spare.started_at + SILENT_S
            if not spare.alive or time.monotonic() - heard > SILENT_S:
                log.warning("spare encoder was lost", pid=spare.pid)
                if self._spare is spare:
                    self._spare = None
                spare.kill(Fault.DONE, "silent")
                return True
        return False


def _drop(task: asyncio.Task[WorkerProcess]) -> None:
    """Nobody wants it any more."""
    if not task.cancelled() and task.exception() is None:
        task.result().kill(Fault.DONE, "nobody wants it")
