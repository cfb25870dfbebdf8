"""What the soak run calls a problem."""

from __future__ import annotations

import pytest

from headwater.loadtest.bench.soak import drift_ms, memory_problem


def readings(*minutes: float) -> list[tuple[float, float]]:
    """Sixty readings a minute; the lateness of each minute in seconds, every third one delayed by a busy machine."""
    return [
        (minute * 60 + second, late + (0.3 if second % 3 == 0 else 0.0))
        for minute, late in enumerate(minutes)
        for second in range(60)
    ]


def test_drift_is_the_distance_of_the_farthest_minutes() -> None:
    assert drift_ms(readings(0.5, 0.52, 0.49)) == pytest.approx(30)
    assert drift_ms(readings(0.5)) == 0


def test_minutes_with_few_readings_do_not_count() -> None:
    assert drift_ms([*readings(0.5, 0.5), (121.0, 9.0)]) == 0


def test_without_readings_nothing_is_proved() -> None:
    assert drift_ms([]) == float("inf")
    assert drift_ms([(0.0, 0.5)] * 30) == float("inf")


FILLING = [10.0 * n for n in range(12)]


def test_flat_memory_is_no_problem() -> None:
    assert memory_problem([*FILLING, *[120.0, 122.0] * 30]) is None


def test_growth_after_the_window_is_full_is_one() -> None:
    problem = memory_problem([*FILLING, *[120.0 + n for n in range(60)]])
    assert problem is not None
    assert problem.startswith("memory grew from 127 to 172 MiB")


def test_a_short_run_says_so() -> None:
    assert memory_problem([*FILLING, *[120.0] * 7]) == "too short to judge memory"
