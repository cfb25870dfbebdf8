"""Who is woken when."""

from __future__ import annotations

import math
import random

import pytest

from headwater.ingest.srt.schedule import Schedule, grid_point


def test_the_last_word_counts() -> None:
    schedule = Schedule()
    assert schedule.next() is None
    schedule.set(1, 5.0)
    schedule.set(2, 3.0)
    schedule.set(1, 2.0)
    assert schedule.next() == 2.0
    schedule.set(1, 9.0)
    assert schedule.next() == 3.0
    schedule.set(2, math.inf)
    assert schedule.next() == 9.0
    schedule.remove(1)
    schedule.remove(1)
    assert schedule.next() is None


def test_pop() -> None:
    schedule = Schedule()
    for key, due in ((1, 1.0), (2, 2.0), (3, 3.0)):
        schedule.set(key, due)
    assert schedule.pop(0.5) == []
    assert schedule.pop(2.0) == [1, 2]
    assert schedule.pop(2.0) == []
    schedule.set(1, 1.0)
    assert schedule.pop(9.0) == [1, 3]


def test_against_a_table_and_bounded() -> None:
    dice = random.Random(3)
    schedule, table = Schedule(), dict[int, float]()
    for step in range(20_000):
        key = dice.randrange(20)
        if dice.random() < 0.1:
            schedule.remove(key)
            table.pop(key, None)
        else:
            table[key] = float(step + dice.randrange(50))
            schedule.set(key, table[key])
        assert schedule.next() == min(table.values(), default=None)
        if dice.random() < 0.1:
            due = {key for key, at in table.items() if at <= step}
            assert set(schedule.pop(step)) == due
            for key in due:
                del table[key]
        assert len(schedule._heap) <= 64 + 4 * 20 + 1


@pytest.mark.parametrize(
    ("due", "now", "point"),
    [(0.0, 0.0, 0.01), (0.013, 0.0, 0.02), (0.02, 0.0, 0.02), (0.013, 0.02, 0.03), (86_400.07, 86_400.07, 86_400.08)],
)
def test_the_grid(due: float, now: float, point: float) -> None:
    found = grid_point(due, now)
    assert found == pytest.approx(point, abs=1e-9)
    assert found > now
    assert grid_point(found, now) == found
