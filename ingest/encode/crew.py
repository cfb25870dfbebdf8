"""The worker of one stream, whichever process it is just now: started, fed, watched, replaced.

start -> spares.take -> owner.beginning -> fed from `feed` -> lost (crash, hang, memory, protocol) -> start ...
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Protocol

import structlog

from headwater.config.settings_encode import Worker

from .feed import Feed
from .model import Drain, Drained, FromWorker, Progress
from .process import Fault, WorkerProcess
from .progress import ProtocolError
from .restarts import Again, Rest, Restarts
from .spares import Spares

log = structlog.get_logger("headwater.encode")

TRY_AGAIN_S = 1.0
"""After a process could not be started."""


class Owner(Protocol):
    """Whose worker it is."""

    def beginning(self) -> Feed:
        """The queue to another worker, with all that it has to be told first."""

    def received(self, messages: Sequence[FromWorker], now: float) -> None:
        """What the worker said. Raises ProtocolError: it may not say that."""

    def lost(self, fault: Fault, detail: str, again: Again | Rest, now: float) -> None:
        """The worker is no more; another one follows after the pause."""


class Crew:
    """See the module. All of it belongs to one running event loop.

    Args:
        name: of the stream.
        limits: `ingest.encode.worker`.
        spares: where workers come from.
        owner: hears them.
    """

    def __init__(self, name: str, limits: Worker, spares: Spares, owner: Owner) -> None:
        self.worker: WorkerProcess | None = None
        self.feed: Feed | None = None
        """The queue to the present worker."""
        self.restarts: dict[Fault, int] = dict.fromkeys((Fault.CRASH, Fault.HANG, Fault.MEMORY, Fault.PROTOCOL), 0)
        self.resident_bytes = 0
        """Of the present worker, as it said last."""
        self._name = name
        self._limits = limits
        self._spares = spares
        self._owner = owner
        self._policy = Restarts(limits.restart_min_s, limits.restart_max_s)
        self._task: asyncio.Task[None] | None = None
        self.attached_at = 0.0
        """When the present worker began, monotonic seconds."""
        self._drained = asyncio.Event()
        self._idle = True
        """No worker is wanted."""
        self._closed = False

    @property
    def waiting_bytes(self) -> int:
        """Payloads that wait for the worker."""
        return self.feed.size if self.feed is not None else 0

    @property
    def waiting_messages(self) -> int:
        """Messages that wait for the worker."""
        return len(self.feed) if self.feed is not None else 0

    def start(self, pause_s: float = 0.0) -> None:
        """Have a worker after `pause_s` seconds. Idempotent while one is there or on its way."""
        self._idle = False
        if self.worker is None and self._task is None and not self._closed:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._start(pause_s), name=f"encoder of {self._name}")

    def replace(self) -> None:
        """Another worker, for there is another plan; that is no fault."""
        if self.worker is not None:
            self.worker.kill(Fault.DONE, "the plan changed")
        self.start()

    def stop(self) -> None:
        """No worker is wanted now; `start` changes that."""
        self._idle = True
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.fail(Fault.DONE, "there is nothing to do")

    def fail(self, fault: Fault, detail: str) -> None:
        """The present worker is no good."""
        if self.worker is not None:
            self.worker.kill(fault, detail)

    def pump(self) -> None:
        """Give the worker what it can take."""
        worker, feed = self.worker, self.feed
        while worker is not None and feed is not None and worker.writable and worker.alive:
            message = feed.next()
            if message is None:
                return
            worker.write(message)

    def look(self, now: float) -> None:
        """Watch the worker; called several times a second."""
        worker = self.worker
        if worker is None:
            return
        if worker.stopped():
            worker.kill(Fault.HANG, "it was stopped")
        elif worker.heard_at is None:
            if now - worker.started_at > self._limits.start_s:
                worker.kill(Fault.HANG, f"it said nothing for {self._limits.start_s:g} s after its start")
        elif now - max(worker.heard_at, self.attached_at) > self._limits.hang_s:
            worker.kill(Fault.HANG, f"it said nothing for {self._limits.hang_s:g} s")

    async def drain(self, within_s: float) -> None:
        """Let the worker give out what it holds, for at most `within_s` seconds; then it is gone."""
        if self.worker is not None and self.feed is not None:
            self._drained.clear()
            self.feed.put(Drain(1))
            self.pump()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), within_s)
        self.close()

    def close(self) -> None:
        """End everything now. Idempotent."""
        self._closed = True
        self.stop()

    # -- process.Receiver --------------------------------------------------------------------------------------------

    def received(self, messages: Sequence[FromWorker]) -> None:
        """See `process.Receiver`."""
        now = time.monotonic()
        try:
            self._owner.received(messages, now)
        except ProtocolError as error:
            self.fail(Fault.PROTOCOL, str(error))
            return
        for message in messages:
            if isinstance(message, Drained):
                self._drained.set()
            elif isinstance(message, Progress):
                self.resident_bytes = message.resident_bytes
                if message.resident_bytes > self._limits.memory_bytes:
                    self.fail(Fault.MEMORY, f"{message.resident_bytes >> 20} MiB of memory")
                    return
        self.pump()

    def writable(self) -> None:
        """See `process.Receiver`."""
        self.pump()

    def ended(self, fault: Fault, detail: str) -> None:
        """See `process.Receiver`."""
        self.worker = self.feed = None
        self.resident_bytes = 0
        self._drained.set()
        if self._closed:
            return
        now = time.monotonic()
        again: Again | Rest = Again(0.0)
        if fault is not Fault.DONE:
            self.restarts[fault] += 1
            again = self._policy.lost(now)
            storm = isinstance(again, Rest)
            say = log.critical if storm else log.error
            event = "encoder was lost again and again: only the source goes on" if storm else "encoder was lost"
            say(event, stream=self._name, reason=fault.value, detail=detail, again_in_s=again.pause_s)
        self._owner.lost(fault, detail, again, now)
        if not self._idle:
            self.start(again.pause_s)

    # -- inside --------------------------------------------------------------------------------------------------------

    async def _start(self, pause_s: float) -> None:
        if pause_s > 0:
            await asyncio.sleep(pause_s)
        while True:
            try:
                worker = await self._spares.take()
                break
            except OSError as error:
                log.error("encoder cannot be started", stream=self._name, reason=error.strerror or str(error))
                await asyncio.sleep(TRY_AGAIN_S)
        self._task = None
        self.worker = worker
        self.feed = self._owner.beginning()
        self.attached_at = time.monotonic()
        worker.attach(self._name, self)
        self.pump()
