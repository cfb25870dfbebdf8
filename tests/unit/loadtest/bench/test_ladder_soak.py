"""What the soak of a ladder calls a problem."""

from __future__ import annotations

import pytest

from headwater.loadtest.bench.ladder_soak import later, memory_problem, too_slow


def test_a_slow_minute_is_a_problem_and_a_slow_moment_is_none() -> None:
    assert too_slow([1.4] * 60) is None
    assert too_slow([1.4] * 20 + [0.7] * 3 + [1.4] * 40) is None
    assert too_slow([1.4] * 24 + [0.9] * 12 + [1.4] * 24) == "encoding at 0.90x of real time in one minute"
    assert too_slow([]) == "no speed was told"


def test_delay_that_grows_is_a_problem() -> None:
    assert later([0.02, 0.03] * 20) is None
    assert later([0.02 + n / 200 for n in range(100)]) is not None
    assert later([0.5 - n / 200 for n in range(100)]) is None
    assert later([0.1] * 4) == "too few parts to judge its delay"


@pytest.mark.parametrize(("growth", "fine"), [(0.0, True), (0.0001, True), (0.001, False)])
def test_memory(growth: float, fine: bool) -> None:
    readings = [250 + 60 * min(n, 10) / 10 for n in range(12)] + [310 * (1 + growth * n) for n in range(228)]
    assert (memory_problem(readings) is None) is fine


def test_a_short_run_proves_nothing_about_memory() -> None:
    assert memory_problem([300.0] * 15) == "too short to judge memory"
