"""The ledger knows every count and timing of the records."""

from __future__ import annotations

from headwater.loadtest.players.ledger import MAX_KINDS, Ledger, us
from headwater.loadtest.records import HIGHEST_US, Count, Timing


def test_every_count_and_timing_has_its_place() -> None:
    ledger = Ledger()
    assert ledger.counts() == {}
    for count in Count:
        if not count.value.endswith("_us"):
            setattr(ledger, count.value, 3)
    ledger.stalled, ledger.watched = 0.5, 2.0
    expected = dict.fromkeys(Count, 3) | {Count.STALLED_US: 500_000, Count.WATCHED_US: 2_000_000}
    assert ledger.counts() == expected
    assert all(ledger.times(timing) == [] for timing in Timing)
    ledger.clear()
    assert ledger.counts() == {}


def test_kinds_of_errors_are_bounded() -> None:
    ledger = Ledger()
    for status in range(1_000):
        ledger.error(f"status {status} part")
    assert len(ledger.errors) == MAX_KINDS + 1
    assert ledger.errors["other"] == 1_000 - MAX_KINDS


def test_times_fit_the_histogram() -> None:
    assert [us(value) for value in (-1.0, 0.0, 0.0015, 1e9)] == [1, 1, 1_500, HIGHEST_US]
