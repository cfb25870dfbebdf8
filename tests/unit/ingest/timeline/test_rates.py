"""Frame rates from rounded times."""

from __future__ import annotations

from fractions import Fraction

import pytest

from headwater.ingest.timeline.rates import measure


def times(rate: Fraction | float, count: int = 9) -> list[int]:
    return [round(n * 1000 / rate) for n in range(count)]


@pytest.mark.parametrize("rate", [5, 10, 15, 24, 25, 30, 48, 50, 60, 120])
def test_standard_rates(rate: int) -> None:
    assert measure(times(rate), 1_000, None) == rate


@pytest.mark.parametrize("rate", [Fraction(24_000, 1_001), Fraction(30_000, 1_001), Fraction(60_000, 1_001)])
def test_headers_decide_between_near_rates(rate: Fraction) -> None:
    assert measure(times(rate), 1_000, rate) == rate
    assert measure(times(rate, 4), 1_000, rate) == rate


def test_headers_that_are_wrong_do_not_count() -> None:
    assert measure(times(25), 1_000, Fraction(50)) == 25


def test_long_measurements_tell_near_rates_apart() -> None:
    assert measure(times(Fraction(30_000, 1_001), 1_000), 1_000, None) == Fraction(30_000, 1_001)


@pytest.mark.parametrize("values", [[], [0], [0, 40], [5, 5, 5], [100, 50, 0]])
def test_nothing_to_measure(values: list[int]) -> None:
    assert measure(values, 1_000, None) is None
    assert measure(values, 1_000, Fraction(25)) == 25


def test_an_odd_rate_stays_odd() -> None:
    assert measure([n * 90 for n in range(10)], 1_000, None) == pytest.approx(1000 / 90, rel=0.01)
