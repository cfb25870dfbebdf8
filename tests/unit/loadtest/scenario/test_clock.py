"""How near the offset comes to the truth, on servers and networks that are known."""

from __future__ import annotations

import math
from random import Random

import pytest

from headwater.loadtest.scenario.clock import GOOD_S, ROUNDS, Answer, Estimator, parse_age, parse_date
from headwater.loadtest.scenario.offset import LIMIT_S


def ask(moment: float, offset: float, there_s: float, back_s: float) -> Answer:
    """What a server whose clock is `offset` ahead answers."""
    date = math.floor(moment + there_s + offset)
    return Answer(moment, moment + there_s + back_s, date)


def estimated(offset: float, *, start: float, delay_s: float, seed: int) -> tuple[Estimator, float]:
    """As the shell does it: the estimator and the seconds it took."""
    estimator, now, dice = Estimator(), start, Random(seed)
    for _ in range(1 + ROUNDS):
        first = None
        for moment in estimator.moments(now):
            if moment - start > LIMIT_S:
                return estimator, now - start
            now = max(now, moment)
            answer = ask(now, offset, dice.uniform(0.2, 1) * delay_s, dice.uniform(0.2, 1) * delay_s)
            now = answer.received
            estimator.take(answer)
            first = first or answer.date
            if answer.date != first:
                break
        if estimator.uncertainty_s <= GOOD_S:
            break
    return estimator, now - start


@pytest.mark.parametrize("offset", [0.0, 0.4999, 0.5, -0.25, 37.123, -86_400.75, 0.999])
@pytest.mark.parametrize("delay_s", [0.0005, 0.02])
def test_the_offset_is_found(offset: float, delay_s: float) -> None:
    for seed in range(10):
        estimator, took = estimated(offset, start=1_700_000_000 + seed * 0.137, delay_s=delay_s, seed=seed)
        assert estimator.low - 1e-6 <= offset <= estimator.high + 1e-6
        assert estimator.offset().seconds == pytest.approx(offset, abs=estimator.uncertainty_s + 1e-6)
        assert estimator.uncertainty_s <= (0.004 if delay_s < 0.001 else 0.06)
        assert took <= 3.2
        assert not estimator.torn


def test_one_answer_says_the_second() -> None:
    estimator = Estimator()
    assert not estimator.known
    estimator.take(Answer(100.0, 100.2, 105.0))
    assert (estimator.low, estimator.high) == pytest.approx((4.8, 6.0))
    assert estimator.offset().uncertainty_s == pytest.approx(0.6)
    assert estimator.offset().source == "Date of the answers"


def test_an_age_counts_and_costs_a_second_each_way() -> None:
    estimator = Estimator()
    estimator.take(Answer(100.0, 100.0, 90.0, age=10))
    assert (estimator.low, estimator.high) == pytest.approx((-1.0, 2.0))


def test_two_servers_with_clocks_of_their_own() -> None:
    estimator = Estimator()
    estimator.take(Answer(100.0, 100.0, 100.0))
    estimator.take(Answer(101.0, 101.0, 109.0))
    assert estimator.torn
    assert "several servers" in estimator.offset().source


def test_headers() -> None:
    assert parse_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784_111_777
    assert parse_date("yesterday") is None
    assert parse_date("") is None
    assert [parse_age(text) for text in ("7", "", "-1", "1.5", "9" * 10, "x")] == [7, 0, 0, 0, 0, 0]
