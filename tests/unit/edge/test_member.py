"""One upstream: what its answers say of it, its slow start, its probes."""

from __future__ import annotations

import itertools

import pytest
from tests.edge_kit import UNIX, Script

from headwater.edge.breaker import IDLE_PROBES, Breaker, BreakerState
from headwater.edge.member import Health, Member, ProbeRules, health_of
from headwater.edge.message import Failure, Purpose, UpstreamAnswer

RULES = ProbeRules("/healthz", 2.0, 1.5)


def answer(status: int = 0, failure: Failure | None = None, at: float = 100.0) -> UpstreamAnswer:
    return UpstreamAnswer(at, UNIX + at, status, failure=failure)


def member(script: Script | None = None) -> Member:
    return Member(0, "a", script or Script(), Breaker(3, 2.0), weight=2.0)


@pytest.mark.parametrize(
    ("given", "health"),
    [
        (answer(200), Health.GOOD),
        (answer(404), Health.GOOD),
        (answer(500), Health.BAD),
        (answer(502), Health.BAD),
        (answer(504), Health.BAD),
        (answer(503), Health.NEUTRAL),
        (answer(508), Health.NEUTRAL),
        (answer(failure=Failure.CONNECT), Health.ABSENT),
        (answer(failure=Failure.RESET), Health.BAD),
        (answer(failure=Failure.TIMEOUT), Health.BAD),
        (answer(failure=Failure.INVALID), Health.BAD),
        (answer(failure=Failure.BUSY), Health.NEUTRAL),
        (answer(failure=Failure.TOO_LARGE), Health.NEUTRAL),
    ],
)
def test_what_an_answer_says(given: UpstreamAnswer, health: Health) -> None:
    assert health_of(given) is health


def test_results_are_counted_under_bounded_names() -> None:
    one = member()
    for given in (answer(200), answer(206), answer(404), answer(failure=Failure.RESET)):
        one.heard(given)
    assert one.counts.requests == {"2xx": 2, "4xx": 1, "reset": 1}


def test_slow_start_begins_with_the_return() -> None:
    one = member()
    assert one.weight_at(0.0, 30.0) == 2.0, "at the start of the process everybody has a whole share"
    one.heard(answer(failure=Failure.CONNECT, at=100.0))
    assert not one.up
    assert one.breaker.allows(102.0)
    one.heard(answer(200, at=103.0))
    assert one.up
    assert one.weight_at(103.0, 30.0) == pytest.approx(0.2)
    assert one.weight_at(118.0, 30.0) == pytest.approx(1.0)
    assert one.weight_at(133.0, 30.0) == one.weight_at(500.0, 30.0) == 2.0


def test_probes_go_on_and_are_spread() -> None:
    script = Script()
    one = member(script)
    now, starts = 100.0, []
    for _ in range(200):
        one.probe(RULES, now)
        if script.pending:
            assert script.pending[0][0].purpose is Purpose.PROBE
            starts.append(now)
            script.answer("/healthz", now, status=200)
        now += 0.1
    gaps = [b - a for a, b in itertools.pairwise(starts)]
    assert all(1.5 < gap < 2.6 for gap in gaps)
    assert len({round(gap, 1) for gap in gaps}) > 1


def test_probes_that_fail_or_hang_open_the_breaker_and_one_that_is_answered_half_opens_it() -> None:
    script = Script()
    one = member(script)
    now = 100.0
    while one.up and now < 120.0:
        one.probe(RULES, now)
        now += 0.1
    assert now < 106.0, "three that hang for 1.5 s each"
    assert len(script.pending) == 1, "one at a time"
    script.answer("/healthz", now, status=404)
    assert one.breaker.state is BreakerState.HALF_OPEN, "whoever answers lives"
    one.heard(answer(200, at=now))
    one.probe(RULES, now + 5)
    script.answer("/healthz", now + 5, status=503)
    assert one.up, "once is not yet a failure"
    one.probe(RULES, now + 10)
    script.fail("/healthz", now + 10, Failure.CONNECT)
    assert not one.up
    one.stop()


def test_who_is_back_and_not_asked_returns_by_its_probes_and_starts_slowly() -> None:
    script = Script()
    one = member(script)
    one.heard(answer(failure=Failure.CONNECT, at=100.0))
    now = 100.0
    while not one.up and now < 120.0:
        one.probe(RULES, now)
        if script.pending:
            script.answer("/healthz", now)
        now += 0.1
    assert 100.0 + (IDLE_PROBES - 1) * 1.6 <= now <= 100.0 + IDLE_PROBES * 2.4
    assert one.weight_at(now, 30.0) == pytest.approx(0.2, abs=0.01)


def test_without_a_path_nothing_is_probed() -> None:
    script = Script()
    member(script).probe(ProbeRules("", 2.0, 2.0), 100.0)
    assert not script.seen


def test_stopping_ends_the_probe() -> None:
    script = Script()
    one = member(script)
    one.probe(RULES, 100.0)
    one.stop()
    assert not script.pending
