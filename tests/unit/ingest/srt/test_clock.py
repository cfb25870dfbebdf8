"""The sender's clock."""

from __future__ import annotations

import pytest

from headwater.ingest.srt.clock import MIN_SAMPLES, SAMPLES, Clock

WRAP = (1 << 32) / 1e6


def test_stamps_are_in_our_time() -> None:
    clock = Clock(5_000_000, 100.0)
    assert clock.sent_at(5_000_000, 100.0) == 100.0
    assert clock.sent_at(6_500_000, 101.6) == pytest.approx(101.5)
    assert clock.sent_at(4_000_000, 100.0) == pytest.approx(99.0)


def test_wraps_need_no_state() -> None:
    clock = Clock((1 << 32) - 1_000_000, 100.0)
    for later in (0.5, 1.5, 3000.0, WRAP, 5 * WRAP + 7, 1000 * WRAP):
        stamp = int((1 << 32) - 1_000_000 + round(later * 1e6)) & 0xFFFFFFFF
        assert clock.sent_at(stamp, 100.0 + later + 0.2) == pytest.approx(100.0 + later, abs=1e-5)


def test_the_base_follows_after_enough_samples() -> None:
    clock = Clock(0, 0.0)
    for number in range(SAMPLES - 1):
        clock.sample(number * 1000, number * 0.001 + 0.03, 0.05)
    assert clock.base == 0.0
    clock.sample(999 * 1000, 0.999 + 0.03, 0.05)
    assert clock.base == pytest.approx(0.03, abs=1e-5)


def test_few_samples_count_after_a_while_and_fewer_do_not() -> None:
    clock = Clock(0, 0.0)
    for number in range(MIN_SAMPLES):
        clock.sample(number * 2_000_000, number * 2.0 + 0.03, 0.05)
    assert clock.base == pytest.approx(0.03, abs=1e-5)
    clock = Clock(0, 0.0)
    for number in range(MIN_SAMPLES - 1):
        clock.sample(number * 4_000_000, number * 4.0 + 0.03, 0.05)
    assert clock.base == 0.0


def test_a_longer_round_trip_is_no_drift() -> None:
    clock = Clock(0, 0.0)
    clock.sample(0, 0.0, 0.1)
    for number in range(1, SAMPLES):
        clock.sample(number * 10_000, number * 0.01 + 0.05, 0.2)
    assert clock.base == pytest.approx(0.0, abs=1e-6)
