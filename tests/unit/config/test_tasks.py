from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from headwater.config import tasks
from headwater.config.tasks import MOST_TASKS, Tasks


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def outer(event: asyncio.Event) -> None:
    await inner(event)


async def inner(event: asyncio.Event) -> None:
    await event.wait()


@asynccontextmanager
async def waiting(count: int, name: str = "held") -> AsyncIterator[None]:
    event = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(outer(event), name=f"{name} {number}")
        await asyncio.sleep(0)
        yield
        event.set()


async def test_tasks_that_wait_at_the_same_place_are_one_entry() -> None:
    async with waiting(50):
        text = Tasks().text()
    assert text.startswith("51 tasks\n")
    head, *places = next(block for block in text.split("\n\n") if block.startswith("50 x")).splitlines()
    assert head.startswith("50 x 'held ") and head.endswith(", ...: not seen before")
    assert [place.split()[1] for place in places] == ["outer", "inner", "Event.wait"]
    assert places[0].strip().startswith("unit/config/test_tasks.py:")
    assert "asyncio/locks.py:" in places[2]


async def test_the_age_is_known_from_the_first_look() -> None:
    clock = Clock()
    looker = Tasks(clock)
    async with waiting(1):
        assert "1 x 'held 0': not seen before" in looker.text()
        clock.now += 12.5
        assert "1 x 'held 0': seen first 12.5 s ago" in looker.text()
    gc.collect()
    await asyncio.sleep(0)
    assert "held" not in looker.text()


async def test_the_page_is_bounded() -> None:
    async with waiting(MOST_TASKS + 1, "x" * 5_000):
        text = Tasks().text()
    assert f"{MOST_TASKS + 2} tasks, {MOST_TASKS} of them below" in text
    assert len(text) < 3_000


async def test_many_places() -> None:
    async def at(depth: int, event: asyncio.Event) -> None:
        await (at(depth - 1, event) if depth else event.wait())

    event = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for depth in range(tasks.MOST_FRAMES + 5):
            group.create_task(at(depth, event))
        await asyncio.sleep(0)
        text = Tasks().text()
        event.set()
    assert max(block.count("\n") for block in text.removesuffix("\n").split("\n\n")) == tasks.MOST_FRAMES
    assert text.count(" x ") <= tasks.MOST_PLACES
