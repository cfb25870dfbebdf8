"""What connections share: the count, the sweep, the drain."""

from __future__ import annotations

import asyncio

from tests.edge_kit import make_callers

from headwater.config.settings import EdgeHttp
from headwater.edge.listener import Limits, Shared
from headwater.edge.message import Tally
from headwater.edge.wire import Wire


class Swept:
    """A connection that notes what it is told."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.told: list[str] = []
        self.late = asyncio.Event()

    def overdue(self, now: float) -> None:
        self.deadline = float("inf")
        self.told.append("overdue")
        self.late.set()

    def drain(self) -> None:
        self.told.append("drain")

    def abort(self) -> None:
        self.told.append("abort")


def shared_of(**http: float) -> tuple[Shared, Tally]:
    tally = Tally()
    limits = Limits.of(EdgeHttp.model_validate(http))
    return Shared(limits, Wire("e"), tally, asyncio.get_running_loop(), make_callers(tally)), tally


async def test_one_too_many() -> None:
    shared, tally = shared_of(connections=2)
    swept = [Swept(0.0) for _ in range(3)]
    assert [shared.enter(each) for each in swept] == [True, True, False]
    assert (tally.connections, tally.accepted, shared.connections) == (3, 3, 3)
    for each in swept:
        shared.leave(each)
        shared.leave(each)
    assert tally.connections == 0


async def test_the_sweep_finds_every_late_connection_and_no_other() -> None:
    shared, _ = shared_of(header_s=0.1)
    now = shared.clock()
    late = [Swept(now) for _ in range(40)]
    fine = [Swept(now + 1_000) for _ in range(40)]
    for one, two in zip(late, fine, strict=True):
        shared.enter(one)
        shared.enter(two)
    shared.start()
    await asyncio.gather(*(each.late.wait() for each in late))
    shared.stop()
    assert all(each.told == ["overdue", "abort"] for each in late)
    assert all(each.told == ["abort"] for each in fine)


async def test_one_connection_that_fails_to_end_does_not_stop_the_sweep() -> None:
    class Broken(Swept):
        def overdue(self, now: float) -> None:
            super().overdue(now)
            raise RuntimeError("a bug")

    shared, _ = shared_of(header_s=0.1)
    heard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: heard.append(context["exception"]))
    broken, late = Broken(shared.clock()), Swept(shared.clock() + 0.05)
    shared.enter(broken)
    shared.enter(late)
    shared.start()
    await late.late.wait()
    await broken.late.wait()
    shared.stop()
    assert len(heard) == 1


async def test_draining_tells_all_and_waits_until_they_are_gone() -> None:
    shared, _ = shared_of()
    one = Swept(0.0)
    shared.enter(one)
    shared.drain()
    assert shared.draining
    assert one.told == ["drain"]
    await shared.wait_empty(0.01)
    assert shared.connections == 1
    shared.leave(one)
    await shared.wait_empty(60)


def test_the_low_mark_is_below_the_high_one() -> None:
    limits = Limits.of(EdgeHttp())
    assert 0 < limits.write_low_bytes < limits.write_high_bytes
