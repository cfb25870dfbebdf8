"""A process that waits for a hand-over."""

from __future__ import annotations

import asyncio
import os
import sys

from headwater.config.spare import Spare

ECHO = """
import os, sys
print("loaded", flush=True)
print(os.getpid(), sys.stdin.readline().strip(), flush=True)
sys.stdin.read()
"""


async def loaded(spare: Spare) -> int:
    async with asyncio.timeout(20):
        while (pid := spare.pid) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return pid


def a_spare(code: str = ECHO) -> Spare:
    return Spare((), command=(sys.executable, "-c", code), after_s=0.01)


async def test_it_is_taken_once_and_the_next_one_is_loaded() -> None:
    spare = a_spare()
    assert spare.take() is None
    spare.start()
    first = await loaded(spare)
    process = spare.take()
    assert process is not None and process.pid == first
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(b"work\n")
    assert await process.stdout.readline() == f"{first} work\n".encode()
    assert spare.take() is None or spare.pid != first
    assert await loaded(spare) != first
    await spare.close()
    await spare.close()
    assert spare.pid is None
    process.kill()
    await process.wait()


async def test_one_that_has_died_is_none() -> None:
    spare = a_spare()
    spare.start()
    os.kill(await loaded(spare), 9)
    while spare.pid is not None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert spare.take() is None
    await loaded(spare)
    await spare.close()


async def test_a_program_that_cannot_be_run_is_no_spare() -> None:
    spare = Spare((), command=("/nonexistent/program",), after_s=0.0)
    spare.start()
    await asyncio.sleep(0.05)
    assert spare.take() is None
    await spare.close()
