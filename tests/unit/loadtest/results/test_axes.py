from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.loadtest.results import axes

VALUES = st.floats(1e-6, 1e12)


def test_a_linear_axis_ends_on_a_round_value() -> None:
    axis = axes.linear(870, 200, 20)
    assert (axis.high, axis.ticks) == (1000, (0, 200, 400, 600, 800, 1000))
    assert axis.at(0) == 200
    assert axis.at(500) == 110
    assert axis.at(5000) == 20, "what is beyond stands at the end"


def test_a_logarithmic_axis_covers_round_values() -> None:
    axis = axes.logarithmic(0.03, 1.2, 200, 20)
    assert axis.ticks == pytest.approx((0.02, 0.05, 0.1, 0.2, 0.5, 1, 2))
    assert axis.at(0.02) == 200
    assert axis.at(0.2) == pytest.approx(110)


def test_a_wide_logarithmic_axis_shows_decades() -> None:
    assert axes.logarithmic(0.001, 900, 200, 20).ticks == pytest.approx((0.001, 0.01, 0.1, 1, 10, 100, 1000))


@settings(max_examples=50, deadline=None)
@given(VALUES, VALUES)
def test_every_value_is_on_the_axis(one: float, other: float) -> None:
    low, high = sorted((one, other))
    for axis in (axes.linear(high, 200, 20), axes.logarithmic(low, high, 200, 20)):
        assert axis.low <= low * 1.001 or not axis.log
        assert axis.high >= high * 0.999
        assert 20 <= axis.at(high) <= axis.at(low) <= 200
        assert 1 <= len(axis.ticks) <= 19
        assert all(a < b for a, b in itertools.pairwise(axis.ticks))


@pytest.mark.parametrize(
    ("seconds", "step"), [(8, 1), (60, 10), (120, 15), (600, 120), (3600, 600), (30 * 86_400, 86_400)]
)
def test_time_has_steps_that_people_count_in(seconds: int, step: int) -> None:
    assert axes.time(seconds, 0, 100).ticks[:2] == (0, step)


def test_moments_are_written_like_a_clock() -> None:
    assert [axes.clock(second) for second in (0, 5, 65, 3661)] == ["0:00", "0:05", "1:05", "1:01:01"]


def test_a_path_is_lifted_where_nothing_is_known() -> None:
    assert axes.path([(0, 1.0), (1, 2.0), (2, None), (3, 4.0)]) == "M0.0 1.0L1.0 2.0M3.0 4.0h0.1"
    assert axes.path([(0, None)]) == ""
