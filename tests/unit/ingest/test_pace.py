"""How fast a publisher may be read, on a stepped clock."""

from __future__ import annotations

import pytest

from headwater.ingest.auth import Pause
from headwater.ingest.pace import Pace, Rate


def test_what_is_within_all_bounds_is_read_on() -> None:
    pace = Pace(8_000_000, lambda now: 0.0, 0.0)
    assert all(pace.read(100_000, 0.001, step / 10) is None for step in range(100))


def test_a_burst_of_two_seconds_is_taken_and_more_is_not() -> None:
    pace = Pace(8_000_000, lambda now: 0.0, 0.0)
    assert pace.read(1_999_999, 0.0, 0.0) is None
    paused = pace.read(1_000_001, 0.0, 0.0)
    assert paused is not None
    assert paused[0] is Pause.BITRATE
    assert paused[1] == pytest.approx(1.05)
    assert pace.read(0, 0.0, 1.06) is None


def test_a_quarter_of_a_core_is_the_most() -> None:
    pace = Pace(8_000_000, lambda now: 0.0, 0.0)
    reasons = [pace.read(10, 0.01, step / 100) for step in range(300)]
    assert reasons[40] is None
    assert reasons[-1] is not None and reasons[-1][0] is Pause.WORK


def test_the_longest_pause_is_named() -> None:
    pace = Pace(8_000_000, lambda now: 7.0, 0.0)
    assert pace.read(3_000_000, 0.0, 0.0) == (Pause.AHEAD, 7.05)


def test_the_shown_rate_is_smoothed() -> None:
    rate = Rate(10.0)
    rate.look(125_000, 10.2, 0.5)
    assert rate.bits_per_s == 0
    rate.look(125_000, 11.0, 0.5)
    assert rate.bits_per_s == 1_000_000
    rate.look(125_000, 12.0, 0.5)
    assert rate.bits_per_s == 700_000
