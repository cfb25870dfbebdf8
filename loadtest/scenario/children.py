"""Processes that a run starts: JSON lines in and out, bounded; their end is the end of their standard input.

They get a session of their own, so that Ctrl-C at the terminal reaches the controller alone, which ends them in order.
A controller that is killed closes their standard input and so ends them too.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Sequence

MAX_LINE = 4 << 20
"""Bytes. Why: a tick with all histograms is under 100 KiB; more is no tick."""
WORDS = 4_096
"""Bytes kept of what a process says last on standard error."""
TERMINATE_S = 3.0
"""For a process that was sent SIGTERM."""


class Child:
    """One process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Use `start`."""
        self._process = process
        self._words = b""
        self._reading = False
        self._listening = asyncio.ensure_future(self._listen())

    @classmethod
    async def start(cls, module: str, *, before: Sequence[str] = ()) -> Child:
        """`python -m MODULE`, with the words of `before` in front. Raises OSError."""
        return cls(
            await asyncio.create_subprocess_exec(
                *before,
                sys.executable,
                "-m",
                module,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=MAX_LINE,
                start_new_session=True,
            )
        )

    async def send(self, text: str) -> None:
        """One line for its standard input; nothing when it is gone."""
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(text.encode() + b"\n")
            await self._process.stdin.drain()

    async def lines(self) -> AsyncIterator[bytes]:
        """What it writes, until it ends. Raises ValueError for a line that is too long."""
        assert self._process.stdout is not None
        self._reading = True
        try:
            while line := await self._process.stdout.readline():
                yield line
        finally:
            self._reading = False

    def finish(self) -> None:
        """Tell it to end: the end of its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def kill(self) -> None:
        """At once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def ended(self, patience_s: float) -> int:
        """Its exit code; SIGTERM after `patience_s`, then SIGKILL."""
        code = await self._wait(patience_s)
        # What nobody read would keep the pipe open.
        while not self._reading and self._process.stdout is not None and await self._process.stdout.read(MAX_LINE):
            pass
        return code

    async def _wait(self, patience_s: float) -> int:
        for wait_s, number in ((patience_s, signal.SIGTERM), (TERMINATE_S, signal.SIGKILL)):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    return await self._process.wait()
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
        return await self._process.wait()

    async def last_words(self) -> str:
        """The last line that it wrote on standard error. After it has ended."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TERMINATE_S):
                await asyncio.shield(self._listening)
        lines = self._words.decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    async def _listen(self) -> None:
        assert self._process.stderr is not None
        while said := await self._process.stderr.read(WORDS):
            self._words = (self._words + said)[-WORDS:]
