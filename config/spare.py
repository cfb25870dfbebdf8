"""One process that is loaded and waits for a hand-over, to take the place of whoever dies. Why: Python and its modules
take a second to load, several on a busy machine; what waits for a node waits that long."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import structlog

from .supervisor import MAX_LINE_BYTES

LOADED = "loaded"
"""What such a process says, as JSON, when it is ready for a hand-over. A text and no object: it is no message."""

Process = asyncio.subprocess.Process

COMMAND = (sys.executable, "-m", "headwater.config.child", "spare")
AFTER_S = 2.0
"""From the start, or from when the one before was taken, until the next is loaded. Why: whoever starts goes first.
Doubles with each that comes to nothing."""
MAX_PAUSE_S = 60.0
"""Longest of these pauses; one that waited so long before it was lost begins them anew. Why: no memory or process is
to be had, and what little there is belongs to those who serve."""
LOAD_S = 60.0
"""For one to say that it is loaded."""

log = structlog.get_logger("headwater.config")


class Spare:
    """`pass_fds`: whatever any of those may inherit whose place it may take. Belongs to the running loop."""

    def __init__(
        self,
        pass_fds: Sequence[int],
        *,
        command: Sequence[str] = COMMAND,
        after_s: float = AFTER_S,
        load_s: float = LOAD_S,
    ) -> None:
        self._pass_fds = tuple(pass_fds)
        self._command = command
        self._after_s = after_s
        self._load_s = load_s
        self._process: Process | None = None
        self._loaded = False
        self._task: asyncio.Task[None] | None = None
        self.lost = 0
        """Those that could not be started or loaded, or ended before they were taken."""

    @property
    def pid(self) -> int | None:
        """Of the process that waits, loaded; None: there is none now."""
        process = self._process
        return process.pid if process is not None and self._loaded and process.returncode is None else None

    def start(self) -> None:
        """Have one, soon, and another one when that is lost."""
        self._task = asyncio.get_running_loop().create_task(self._keep(), name="spare process")

    def take(self) -> Process | None:
        """The process, which is the caller's from now on; None: none is loaded now. The next one is loaded soon."""
        process = self._process
        if process is None or self.pid is None:
            return None  # one is under way
        if _stopped(process.pid):  # it would take the place and do nothing there
            process.kill()
            return None
        assert self._task is not None
        self._task.cancel()
        self._process, self._loaded = None, False
        self.start()
        return process

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        pause_s = self._after_s
        while True:
            await asyncio.sleep(pause_s)
            began = loop.time()
            reason = await self._wait_for_end()
            self._process, self._loaded = None, False
            self.lost += 1
            pause_s = self._after_s if loop.time() - began >= MAX_PAUSE_S else min(2 * pause_s, MAX_PAUSE_S)
            # Until there is one, whoever dies is started from nothing
            log.warning("no spare process", reason=reason, next_in_s=pause_s)

    async def _wait_for_end(self) -> str:
        """Load one; return when it came to nothing, with the reason."""
        try:
            process = self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=MAX_LINE_BYTES,
                pass_fds=self._pass_fds,
            )
        except OSError as error:
            return error.strerror or str(error)
        assert process.stdout is not None
        with suppress(TimeoutError, ValueError):  # silent, or a line longer than MAX_LINE_BYTES
            self._loaded = bool(await asyncio.wait_for(process.stdout.readline(), self._load_s))
        if not self._loaded:
            with suppress(ProcessLookupError):
                process.kill()
            return f"it did not load and ended with {await process.wait()}"
        return f"it ended with {await process.wait()} while it waited"

    async def close(self) -> None:
        """End it. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        process, self._process, self._loaded = self._process, None, False
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _stopped(pid: int) -> bool:
    """Somebody stopped our child (SIGSTOP)."""
    try:
        return os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False
