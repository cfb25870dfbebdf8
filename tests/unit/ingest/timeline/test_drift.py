"""Dates and the present."""

from __future__ import annotations

import itertools

import pytest

from headwater.ingest.timeline.drift import Drift


def test_dates_follow_a_slow_media_clock_by_a_millisecond_per_cut() -> None:
    drift = Drift(0.0, 1_000.0, 90_000_000, 0)
    offsets = []
    for second in range(1, 4_000):
        drift.observe(float(second), 90_000_000 + int(second * 90_000 * (1 - 1e-4)))
        if second % 2 == 0:
            offsets.append(drift.slew(float(second), 1_000.0 + second))
    assert max(b - a for a, b in itertools.pairwise(offsets)) <= 1_000
    # The media clock lost 100 us every second; dates are late by what 30 s of minimum and 10 s of base hide.
    assert offsets[-1] == pytest.approx(3_999 * 100, abs=5_000)


def test_jitter_does_not_move_dates() -> None:
    drift = Drift(0.0, 0.0, 0, 0)
    for n in range(10_000):
        drift.observe(n * 0.04 + (n * 7919 % 100) / 1_000, int(n * 3_600))
        if n % 50 == 0:
            assert abs(drift.slew(n * 0.04, n * 0.04)) <= 2_000


def test_a_wall_clock_that_is_set_moves_dates_slowly() -> None:
    drift = Drift(0.0, 0.0, 0, 0)
    for n in range(1_000):
        drift.observe(n * 0.04, n * 3_600)
    assert drift.slew(40.0, 3_640.0) == 1_000
    assert drift.slew(42.0, 3_642.0) == 2_000


def test_ahead_and_now() -> None:
    drift = Drift(10.0, 10.0, 900_000, 0)
    assert drift.ahead_s(10.0, 900_000 + 270_000) == pytest.approx(3.0)
    assert drift.ahead_s(15.0, 900_000) == pytest.approx(-5.0, abs=0.01)
    assert drift.stream_now(11.0) == pytest.approx(990_000, abs=1)


def test_the_present_is_not_ahead_of_its_date() -> None:
    drift = Drift(10.0, 10.0, 900_000, 0)
    drift.observe(10.5, 900_000 + 180_000)
    assert drift.stream_now(10.5) == pytest.approx(945_000, abs=1)
    behind = Drift(10.0, 1_000.0, 900_000, 989_000_000)
    assert behind.stream_now(10.0) == pytest.approx(900_000, abs=1)
