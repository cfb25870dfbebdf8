"""Arrivals, and what was sampled of a generator."""

from __future__ import annotations

from headwater.loadtest.bench.drive import Drive, arrivals
from headwater.loadtest.records import Tick, ViewerClass


def test_viewers_come_evenly() -> None:
    comers = arrivals(ViewerClass(), 4, start_s=2, over_s=8)
    assert [arrival.at for arrival in comers] == [2, 4, 6, 8]
    assert {arrival.stay_s for arrival in comers} == {None}


def test_memory_is_that_of_the_last_look() -> None:
    found = Drive(3, 0.0, resident=[(0.2, 10), (0.7, 20), (1.2, 30)])
    assert [found.resident_at(second) for second in (0.0, 0.7, 1.0, 9.0)] == [10, 20, 20, 30]


def test_a_busy_generator_is_no_measure() -> None:
    ticks = tuple(Tick(0, second, 1, 1, cpu=0.99) for second in range(20))
    assert Drive(20, 0.0, ticks).invalid
    assert not Drive(20, 0.0, tuple(Tick(0, second, 1, 1, cpu=0.2) for second in range(20))).invalid
    assert Drive(20, 0.0, ticks).figures(0, 5).viewers == 1
