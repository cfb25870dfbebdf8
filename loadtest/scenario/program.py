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
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return f"{command[0]} does not start: {getattr(error, 'strerror', None) or error}"
    words = bytearray()
    listening = asyncio.ensure_future(_listen(process, words))
    try:
        async with asyncio.timeout(timeout_s):
            code = await process.wait()
    except TimeoutError:
        return f"not finished after {timeout_s:g} s, killed"
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        await asyncio.wait([listening], timeout=LAST_WORDS_S)
        listening.cancel()
    if code == 0:
        return ""
    lines = words.decode(errors="replace").strip().splitlines()
    return f"exit code {code}" + (f": {lines[-1].strip()}" if lines else "")


async def _listen(process: asyncio.subprocess.Process, words: bytearray) -> None:
    assert process.stdout is not None
    while said := await process.stdout.read(WORDS):
        words += said
        del words[:-WORDS]
