"""BANDWIDTH and AVERAGE-BANDWIDTH."""

from __future__ import annotations

from headwater.origin.bitrate import BitrateMeter, Bitrates


def test_nothing_before_the_first_segment() -> None:
    meter = BitrateMeter(4)
    assert meter.bitrates() is None
    meter.segment(0.0, 100)
    assert meter.bitrates() is None


def test_the_peak_is_the_largest_run_of_half_to_one_and_a_half_target_durations() -> None:
    meter = BitrateMeter(4)
    for size in (1_000, 1_000, 4_000, 4_000):
        meter.segment(1.0, size)
    assert meter.bitrates() == Bitrates(peak=32_000, average=20_000)


def test_a_single_long_segment_counts() -> None:
    meter = BitrateMeter(4)
    meter.segment(2.0, 1_000)
    meter.segment(2.0, 3_000)
    assert meter.bitrates() == Bitrates(peak=12_000, average=8_000)


def test_runs_do_not_reach_over_a_gap() -> None:
    meter = BitrateMeter(4)
    meter.segment(1.0, 3_000)
    meter.gap()
    meter.segment(1.0, 3_000)
    assert meter.bitrates() == Bitrates(peak=24_000, average=24_000)
    meter.gap()
    meter.segment(1.0, 0)
    meter.segment(1.0, 0)
    assert meter.bitrates() == Bitrates(peak=12_000, average=12_000)


def test_the_peak_never_falls() -> None:
    meter = BitrateMeter(4)
    meter.segment(2.0, 10_000)
    for _ in range(50):
        meter.segment(2.0, 10)
    rates = meter.bitrates()
    assert rates is not None and rates.peak == 40_000
