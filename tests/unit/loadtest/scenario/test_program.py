"""Programs that end well, badly, late, or never start."""

from __future__ import annotations

import asyncio
import time

import pytest

from headwater.loadtest.scenario.program import run


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("true",), ""),
        (("sh", "-c", "echo first; echo last >&2; exit 3"), "exit code 3: last"),
        (("false",), "exit code 1"),
        (("/nothing/there",), "/nothing/there does not start: No such file or directory"),
        (("echo", "a\0b"), "echo does not start: embedded null byte"),
    ],
)
async def test_how_it_ended(command: tuple[str, ...], said: str) -> None:
    assert await run(command, 10) == said


async def test_what_takes_too_long_is_killed_with_its_children() -> None:
    before = time.monotonic()
    assert await run(("sh", "-c", "sleep 100 & sleep 100"), 0.05) == "not finished after 0.05 s, killed"
    assert time.monotonic() - before < 5


async def test_a_daemon_that_keeps_the_pipe_is_not_waited_for() -> None:
    before = time.monotonic()
    assert await run(("sh", "-c", "sleep 3 & exit 0"), 10) == ""
    assert time.monotonic() - before < 2


async def test_little_is_kept_of_much() -> None:
    said = await run(("sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; exit 1"), 10)
    assert said.startswith("exit code 1: xxx")
    assert len(said) < 2_100


async def test_cancelled_it_is_killed() -> None:
    task = asyncio.ensure_future(run(("sleep", "100"), 100))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
