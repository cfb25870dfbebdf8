"""Ticks: histograms made in bulk say what recording one by one says."""

from __future__ import annotations

from collections import Counter

from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.loadtest.generator.ticks import Ticks, bucket, encoded
from headwater.loadtest.players.ledger import Ledger
from headwater.loadtest.records import DIGITS, HIGHEST_US, LOWEST_US, Count, Tick, Timing


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(LOWEST_US, HIGHEST_US), min_size=1, max_size=50))
def test_bulk_is_the_same_as_one_by_one(values: list[int]) -> None:
    plain = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
    for value in values:
        plain.record_value(value)
    found = HdrHistogram.decode(encoded(Counter(map(bucket, values))))
    for percentile in (0, 50, 90, 99, 99.9, 100):
        assert found.get_value_at_percentile(percentile) == plain.get_value_at_percentile(percentile)
    assert found.get_total_count() == len(values)


def test_the_buckets_are_those_of_the_histogram() -> None:
    histogram = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
    for power in range(32):
        for value in (1 << power, (1 << power) - 1, (1 << power) + 1):
            if LOWEST_US <= value <= HIGHEST_US:
                assert bucket(value) == histogram.get_counts_array_index(value)


def test_a_second() -> None:
    ledger, reported = Ledger(), list[Tick]()
    ticks = Ticks(ledger, reported.append)
    ledger.parts, ledger.stalled = 2, 0.25
    ledger.part_us += [1_000, 3_000]
    ledger.error("status 404 part")
    ticks.turn()
    ledger.part_us.append(2_000)
    ledger.latency_us.append(5_000_000)
    ticks.close(Tick(0, 7, viewers=3, playing=2, cpu=0.5))
    assert not reported, "histograms are encoded one per turn"
    ledger.parts = 40
    for _ in range(3):
        ticks.turn()
    (tick,) = reported
    assert (tick.second, tick.viewers, tick.cpu) == (7, 3, 0.5)
    assert tick.counts == {Count.PARTS: 2, Count.STALLED_US: 250_000}
    assert tick.errors == {"status 404 part": 1}
    assert tick.timings.keys() == {Timing.PART, Timing.LATENCY}
    assert HdrHistogram.decode(tick.timings[Timing.PART]).get_total_count() == 3
    ticks.close(Tick(0, 8, 3, 2))
    ticks.finish()
    assert reported[1].counts == {Count.PARTS: 40}
    assert not reported[1].timings
    assert not reported[1].errors


def test_seconds_are_reported_in_order_however_fast_they_end() -> None:
    ledger, reported = Ledger(), list[Tick]()
    ticks = Ticks(ledger, reported.append)
    for second in range(5):
        ledger.part_us += [second + 1]
        ticks.close(Tick(0, second, 0, 0))
    ticks.finish()
    assert [tick.second for tick in reported] == [0, 1, 2, 3, 4]
