"""Sums over workers."""

from __future__ import annotations

from headwater.ingest.encode.model import Progress
from headwater.ingest.encode.numbers import Numbers


def progress(cpu_s: float, duplicated: int, dropped: int, errors: int) -> Progress:
    return Progress(0, 0.0, 0.0, cpu_s, 0, 0, duplicated, dropped, errors, 0)


def test_sums_go_on_over_workers() -> None:
    numbers = Numbers()
    numbers.progress(progress(1.0, 2, 3, 4))
    numbers.progress(progress(1.5, 2, 4, 4))
    numbers.another_worker()
    numbers.progress(progress(0.5, 1, 0, 1))
    assert (numbers.cpu_s, numbers.duplicated, numbers.dropped, numbers.errors) == (2.0, 3, 4, 5)


def test_sums_never_fall() -> None:
    numbers = Numbers()
    numbers.progress(progress(1.0, 5, 5, 5))
    numbers.progress(progress(1.0, 0, 0, 0))
    assert (numbers.duplicated, numbers.dropped, numbers.errors) == (5, 5, 5)


def test_steps_are_counted_by_direction_and_cause() -> None:
    numbers = Numbers()
    for _ in range(2):
        numbers.change("down", "speed")
    numbers.change("up", "calm")
    assert numbers.changes == {("down", "speed"): 2, ("up", "calm"): 1}
