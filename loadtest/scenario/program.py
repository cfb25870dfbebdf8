"""One program, run to its end: no shell, bounded in time and in what is kept of its output."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence

WORDS = 2_048
"""Bytes kept of what it says last."""
LAST_WORDS_S = 0.2
"""For its output after its end. Why: a daemon that it started may keep the pipe open for ever."""


async def run(command: Sequence[str], timeout_s: float) -> str:
    """Why it failed, with its last line; empty: exit code 0. Its whole process group is killed after `timeout_s`."""
    # A pipe of our own: asyncio's would make the end of the program wait for everybody who holds it.
    ours, its = os.pipe()
    words = bytearray()
    try:
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=its, stderr=its, start_new_session=True
            )
        finally:
            os.close(its)
        code = await _ended(process, timeout_s, ours, words)
    except TimeoutError:
        return f"not finished after {timeout_s:g} s, killed"
    except (OSError, ValueError) as error:
        return f"{command[0]} does not start: {getattr(error, 'strerror', None) or error}"
    finally:
        os.close(ours)
    if code == 0:
        return ""
    lines = words.decode(errors="replace").strip().splitlines()
    return f"exit code {code}" + (f": {lines[-1].strip()}" if lines else "")


async def _ended(process: asyncio.subprocess.Process, timeout_s: float, pipe: int, words: bytearray) -> int:
    """Its exit code; what it says goes through `words`, which keep the end. Raises TimeoutError."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()

    def read() -> None:
        said = os.read(pipe, WORDS)
        words.extend(said)
        del words[:-WORDS]
        if not said:
            loop.remove_reader(pipe)
            over.set()

    loop.add_reader(pipe, read)
    try:
        async with asyncio.timeout(timeout_s):
            code = await process.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await over.wait()
        return code
    finally:
        loop.remove_reader(pipe)
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
