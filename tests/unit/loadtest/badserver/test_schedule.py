"""When parts are listed and released."""

from __future__ import annotations

from headwater.loadtest.badserver.faults import Faults
from headwater.loadtest.badserver.schedule import Schedule
from headwater.loadtest.badserver.shape import Shape

START = 1_700_000_000_250


def schedule(*faults: str) -> Schedule:
    return Schedule(Shape(500, 4), Faults.of(faults), START)


def listings(made: Schedule, count: int) -> list[int]:
    """When each of the next parts is listed, milliseconds since the start."""
    found = []
    for _ in range(count):
        found.append(made.next_listing() - START)
        made.list_next()
    return found


def test_parts_come_on_the_true_clock() -> None:
    made = schedule()
    assert made.due(made.last) == START - 250
    assert made.first % 4 == 0
    assert made.last + 1 - made.first >= made.shape.window * 4
    assert listings(made, 3) == [250, 750, 1_250]
    assert made.released(made.last) - START == 1_250


def test_a_part_is_released_late_but_listed_in_time() -> None:
    made = schedule("part-delay=200")
    number = made.last + 1
    assert listings(made, 2) == [250, 750]
    assert made.released(number) - START == 450
    assert made.released(number - 1) < START, "what was there before is as it should be"


def test_a_late_listing_holds_back_those_behind_it() -> None:
    made = schedule("playlist-delay=1200,from=0.5,to=1")
    assert listings(made, 5) == [250, 1_950, 1_950, 1_950, 2_250]
    assert made.released(made.last - 3) - START == 750


def test_a_freeze_publishes_all_of_it_at_its_end() -> None:
    made = schedule("freeze,from=0.5,to=2", "playlist-delay=10")
    first = made.last + 1
    assert listings(made, 5) == [260, 2_010, 2_010, 2_010, 2_260]
    assert [made.released(first + n) - START for n in range(5)] == [250, 2_000, 2_000, 2_000, 2_250]
