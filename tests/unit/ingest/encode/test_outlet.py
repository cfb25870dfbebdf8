"""A ladder's way into the sink."""

from __future__ import annotations

from tests.ladder_kit import HIGH, HIGH_RUNG, LOW, LOW_RUNG, PLAN, SOURCE, Judge, rung_track

from headwater.ingest.encode.model import Opened
from headwater.ingest.encode.outlet import PLANNED_S, STATUS_S, Outlet
from headwater.ingest.encode.progress import Deliveries
from headwater.ingest.media import LadderState, LadderStatus, Offered, Planned


def test_what_is_planned_is_waited_for_but_not_for_ever() -> None:
    sink = Judge()
    outlet = Outlet("demo", sink)
    assert not outlet.late(1_000.0)
    outlet.plan((HIGH, LOW), 0.0)
    assert not outlet.late(PLANNED_S - 0.1)
    assert outlet.late(PLANNED_S)
    outlet.plan_less((LOW,), PLANNED_S)
    assert not outlet.late(1_000.0)
    outlet.plan_less((), 1_000.0)
    assert sink.events == [Planned((HIGH, LOW)), Planned(())]


def test_a_ladder_that_is_paused_offers_the_source_alone() -> None:
    sink = Judge()
    outlet = Outlet("demo", sink)
    deliveries = Deliveries((HIGH_RUNG, LOW_RUNG))
    outlet.offer(None, deliveries, 0.0, runs=True, regular=False)
    assert sink.events == []
    for rung in (HIGH, LOW):
        deliveries.opened(Opened(rung, rung_track()))
    outlet.offer(PLAN, deliveries, 0.0, runs=True, regular=False)
    assert sink.events == [Offered(SOURCE, False)]
    outlet.offer(PLAN, deliveries, 0.0, runs=False, regular=False)
    assert sink.events[1:] == [Offered(HIGH, False), Offered(LOW, False), Offered(SOURCE, True)]


def test_the_state_is_said_now_and_then() -> None:
    sink = Judge()
    outlet = Outlet("demo", sink)
    assert outlet.silent(0.0)
    outlet.say(LadderState.RUNNING, 5.0, level=2, speed=1.2345, lag_s=0.1234, text="half")
    assert sink.events == [LadderStatus(LadderState.RUNNING, 2, 1.23, 0.12, "half")]
    assert not outlet.silent(5.0 + STATUS_S / 2)
    assert outlet.silent(5.0 + STATUS_S)
