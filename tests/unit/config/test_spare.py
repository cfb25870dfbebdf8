"""A process that waits for a hand-over."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

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


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] == "T"


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


async def test_one_that_has_died_is_none_and_another_one_is_loaded() -> None:
    spare = a_spare()
    spare.start()
    os.kill(await loaded(spare), 9)
    while spare.pid is not None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert spare.take() is None
    await loaded(spare)
    assert spare.lost == 1
    await spare.close()


async def test_one_that_was_stopped_does_not_take_a_place() -> None:
    spare = a_spare()
    spare.start()
    first = await loaded(spare)
    os.kill(first, signal.SIGSTOP)
    async with asyncio.timeout(20):
        while not stopped(first):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert spare.take() is None
        while spare.pid in (None, first):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await spare.close()


async def test_a_start_that_fails_is_tried_again(tmp_path: Path) -> None:
    program = tmp_path / "python"
    spare = Spare((), command=(str(program), "-c", ECHO), after_s=0.01)
    spare.start()
    async with asyncio.timeout(20):
        while spare.lost < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert spare.take() is None
    program.symlink_to(sys.executable)
    assert await loaded(spare)
    await spare.close()


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "import time\ntime.sleep(60)", "print('x' * 100_000)"])
async def test_one_that_does_not_load_is_ended_and_tried_again(code: str) -> None:
    spare = Spare((), command=(sys.executable, "-c", code), after_s=0.01, load_s=0.2)
    spare.start()
    async with asyncio.timeout(20):
        while spare.lost < 2:
            assert spare.take() is None
            await asyncio.sleep(0.01)
    await spare.close()


async def test_the_pauses_grow_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    done = asyncio.Event()
    sleep = asyncio.sleep

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 8:
            done.set()
            await sleep(60)

    monkeypatch.setattr("headwater.config.spare.asyncio.sleep", pause)
    spare = Spare((), command=("/nonexistent/program",))
    spare.start()
    await done.wait()
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
    await spare.close()
