from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry, Gauge

from headwater.origin.held import HeldRequests, Outcome, Waiting


@pytest.fixture
def gauge() -> Gauge:
    return Gauge("held", "", ("kind",), registry=CollectorRegistry())


async def started(*tasks: asyncio.Task[Outcome]) -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_wakes_all_that_wait_for_what_is_done(gauge: Gauge) -> None:
    held, waiting = HeldRequests(10, gauge), Waiting[int]()
    tasks = [asyncio.ensure_future(held.hold(waiting, key, "x", 30)) for key in (1, 1, 2)]
    await started()
    assert (len(held), len(waiting)) == (3, 2)
    waiting.wake(lambda key: key == 1)
    assert await asyncio.gather(*tasks[:2]) == [Outcome.WOKEN, Outcome.WOKEN]
    assert (len(held), len(waiting)) == (1, 1)
    waiting.wake(lambda key: True)
    assert await tasks[2] is Outcome.WOKEN
    assert gauge.labels("x")._value.get() == 0


async def test_times_out(gauge: Gauge) -> None:
    held, waiting = HeldRequests(10, gauge), Waiting[int]()
    assert await held.hold(waiting, 1, "x", 0.01) is Outcome.TIMED_OUT
    assert await held.hold(waiting, 1, "x", -1) is Outcome.TIMED_OUT
    assert (len(held), len(waiting)) == (0, 0)


async def test_is_bounded(gauge: Gauge) -> None:
    held, waiting = HeldRequests(1, gauge), Waiting[int]()
    task = asyncio.ensure_future(held.hold(waiting, 1, "x", 30))
    await started()
    assert await held.hold(waiting, 1, "x", 30) is Outcome.FULL
    waiting.wake(lambda key: True)
    assert await task is Outcome.WOKEN
    assert await held.hold(waiting, 1, "x", 0.01) is Outcome.TIMED_OUT


async def test_a_client_that_leaves_is_forgotten(gauge: Gauge) -> None:
    """Rule 92."""
    held, waiting = HeldRequests(10, gauge), Waiting[int]()
    tasks = [asyncio.ensure_future(held.hold(waiting, 1, "x", 30)) for _ in range(2)]
    await started()
    tasks[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert len(held) == 1
    waiting.wake(lambda key: True)
    assert await tasks[1] is Outcome.WOKEN
    assert len(waiting) == 0


async def test_drains(gauge: Gauge) -> None:
    held, waiting = HeldRequests(10, gauge), Waiting[int]()
    task = asyncio.ensure_future(held.hold(waiting, 1, "x", 30))
    await started()
    held.drain()
    assert await task is Outcome.DRAINING
    assert await held.hold(waiting, 1, "x", 30) is Outcome.DRAINING
