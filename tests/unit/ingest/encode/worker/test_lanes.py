"""Lanes: all jobs done, in order, on their own threads; exceptions are results."""

from __future__ import annotations

import threading

import pytest

from headwater.ingest.encode.worker.lanes import MOST_LANES, Lanes, spread


@pytest.fixture
def lanes() -> Lanes[object]:
    return Lanes(3)


def test_results_are_in_the_order_of_the_jobs(lanes: Lanes[object]) -> None:
    for _ in range(50):
        assert lanes.run([(number, lambda number=number: number) for number in range(9)]) == list(range(9))  # type: ignore[misc]
    lanes.close()


def test_each_lane_is_a_thread_and_the_first_is_the_callers(lanes: Lanes[object]) -> None:
    jobs = [(lane, threading.get_ident) for lane in (0, 1, 2, 0, 1, 2)]
    for _ in range(3):
        first = lanes.run(jobs)
        assert first == lanes.run(jobs) and first[:3] == first[3:]
        assert first[0] == threading.get_ident() and len(set(first)) == 3
    lanes.close()


def test_a_job_that_fails_is_its_own_result(lanes: Lanes[object]) -> None:
    def fail() -> object:
        raise ValueError("no")

    good, bad, other = lanes.run([(0, lambda: 1), (1, fail), (1, lambda: 2)])
    assert (good, other) == (1, 2) and isinstance(bad, ValueError)
    assert isinstance(lanes.run([(0, fail)])[0], ValueError)
    lanes.close()


def test_two_lanes_work_at_once() -> None:
    lanes: Lanes[bool] = Lanes(2)
    meeting = threading.Barrier(2, timeout=10)
    assert lanes.run([(0, lambda: meeting.wait() >= 0), (1, lambda: meeting.wait() >= 0)]) == [True, True]
    lanes.close()


def test_one_lane_has_no_thread() -> None:
    before = threading.active_count()
    lanes: Lanes[int] = Lanes(1)
    assert lanes.run([(0, lambda: 1), (5, lambda: 2)]) == [1, 2] and threading.active_count() == before


def test_lanes_are_bounded() -> None:
    lanes: Lanes[int] = Lanes(99)
    assert lanes.count == MOST_LANES
    lanes.close()


@pytest.mark.parametrize(
    ("weights", "count", "places"),
    [
        ([9, 4, 2], 2, [0, 1, 1]),
        ([9, 4, 2], 1, [0, 0, 0]),
        ([1, 9], 2, [1, 0]),
        ([], 2, []),
    ],
)
def test_work_is_spread_and_the_heaviest_is_the_callers(weights: list[float], count: int, places: list[int]) -> None:
    assert spread(weights, count) == places
