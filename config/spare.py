"""One process that is loaded and waits for a hand-over, to take the place of whoever dies. Why: Python and its modules
take a second to load, several on a busy machine; what waits for a node waits that long."""

from __future__ import annotations

import asyncio
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
"""From the start, or from when the one before was taken, until the next is loaded. Why: whoever starts goes first."""

log = structlog.get_logger("headwater.config")


class Spare:
    """`pass_fds`: whatever any of those may inherit whose place it may take. Belongs to the running loop."""

    def __init__(self, pass_fds: Sequence[int], *, command: Sequence[str] = COMMAND, after_s: float = AFTER_S) -> None:
        self._pass_fds = tuple(pass_fds)
        self._command = command
        self._after_s = after_s
        self._process: Process | None = None
        self._loaded = False
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that waits, loaded; None: there is none now."""
        process = self._process
        return process.pid if process is not None and self._loaded and process.returncode is None else None

    def start(self) -> None:
        """Have one, soon."""
        self._task = asyncio.get_running_loop().create_task(self._load(), name="spare process")

    def take(self) -> Process | None:
        """The process, which is the caller's from now on; None: none is loaded now. The next one is loaded soon."""
        process = self._process
        if process is None or not self._loaded:
            return None
        alive = process.returncode is None
        self._process, self._loaded = None, False
        self.start()
        return process if alive else None

    async def _load(self) -> None:
        await asyncio.sleep(self._after_s)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=MAX_LINE_BYTES,
                pass_fds=self._pass_fds,
            )
        except OSError as error:  # then whoever dies is started from nothing
            log.warning("no spare process", reason=error.strerror or str(error))
            return
        assert self._process.stdout is not None
        # Its end is an empty line, and found when it is taken.
        await self._process.stdout.readline()
        self._loaded = True

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
