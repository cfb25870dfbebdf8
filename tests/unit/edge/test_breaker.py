"""The breaker on a stepped clock."""

from __future__ import annotations

from headwater.edge.breaker import AT_ONCE_S, IDLE_PROBES, MOST_OPEN_S, TRIAL_S, Breaker, BreakerState


def opened(now: float = 100.0) -> Breaker:
    breaker = Breaker(3, 2.0)
    for before in (2, 1, 0):
        breaker.failed(now - before * AT_ONCE_S)
    assert breaker.state is BreakerState.OPEN
    return breaker


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(3, 2.0)
    for number in range(5):
        breaker.failed(100.0 + number)
        breaker.failed(100.5 + number)
        assert not breaker.succeeded()
    assert breaker.allows(106.0)
    assert breaker.state is BreakerState.CLOSED


def test_failures_that_come_together_are_one() -> None:
    breaker = Breaker(3, 2.0)
    for _ in range(50):
        breaker.failed(100.0)
    breaker.failed(100.0 + AT_ONCE_S)
    assert breaker.allows(100.5)
    breaker.failed(100.0 + 2 * AT_ONCE_S)
    assert not breaker.allows(100.5)


def test_one_refused_connection_is_enough() -> None:
    breaker = Breaker(3, 2.0)
    breaker.failed(100.0, absent=True)
    assert not breaker.allows(100.0)


def test_open_it_lets_nothing_through_then_one_request() -> None:
    breaker = opened()
    assert not breaker.allows(101.9)
    assert breaker.allows(102.0)
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.allows(102.0), "asking is not sending"
    breaker.sent(102.0)
    assert not breaker.allows(102.1)
    assert breaker.succeeded()
    assert breaker.state.value == "closed"
    assert breaker.allows(102.2)


def test_a_trial_that_fails_opens_it_for_twice_as_long_up_to_a_bound() -> None:
    breaker, now, open_s = opened(), 100.0, 2.0
    for _ in range(8):
        assert not breaker.allows(now + open_s - 0.1)
        now += open_s
        assert breaker.allows(now)
        breaker.sent(now)
        breaker.failed(now)
        open_s = min(2 * open_s, MOST_OPEN_S)
    assert open_s == MOST_OPEN_S
    breaker.allows(now + open_s)
    breaker.succeeded()
    for _ in range(3):
        breaker.failed(now)
    assert breaker.allows(now + 2.0), "once closed it begins anew"


def test_a_trial_that_is_never_answered_does_not_keep_it_half_open_for_ever() -> None:
    breaker = opened()
    assert breaker.allows(102.0)
    breaker.sent(102.0)
    assert not breaker.allows(102.0 + TRIAL_S - 0.1)
    assert breaker.allows(102.0 + TRIAL_S)


def test_late_answers_to_what_was_sent_before_do_not_close_it() -> None:
    breaker = opened()
    assert not breaker.succeeded()
    assert breaker.state is BreakerState.OPEN


def test_a_probe_that_is_answered_lets_the_next_request_try() -> None:
    breaker = opened()
    assert not breaker.probed(100.1)
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.allows(100.1)
    fine = Breaker(3, 2.0)
    assert not fine.probed(100.1)
    assert fine.state is BreakerState.CLOSED


def test_a_spare_one_that_is_back_is_whole_before_it_is_needed() -> None:
    breaker = opened()
    closed = [breaker.probed(100.5 + 2 * number) for number in range(IDLE_PROBES)]
    assert closed == [False] * (IDLE_PROBES - 1) + [True]
    assert breaker.state is BreakerState.CLOSED
    assert not breaker.probed(110.0), "it returned once"
    breaker.failed(110.0)
    breaker.failed(110.0)
    assert breaker.allows(110.0), "what failed before is forgotten"


def test_probes_do_not_close_it_while_requests_tell_more() -> None:
    breaker = opened()
    breaker.probed(100.5)
    breaker.sent(100.6)
    for second in range(int(TRIAL_S)):
        assert not breaker.probed(100.6 + second)
    breaker.failed(110.5)
    assert breaker.state is BreakerState.OPEN
    # It answers probes and fails requests: the time without them grows all the same.
    for number in range(IDLE_PROBES):
        breaker.probed(111.0 + 2 * number)
    for before in (2, 1, 0):
        breaker.failed(116.0 - before * AT_ONCE_S)
    assert not breaker.allows(116.0 + 3.9)
    assert breaker.allows(116.0 + 4.0)
