from __future__ import annotations

import dataclasses

import pytest
from tests.results_kit import run, tick

from headwater.loadtest.records import Count, Timing
from headwater.loadtest.results.figures import figures_of_run
from headwater.loadtest.results.timeline import MAX_MOMENTS, delay_of, moments

RUN = run(3, samples=2)


def test_a_moment_is_a_second_of_all_processes() -> None:
    ticks = (
        tick(0, 0, part=[1000] * 99, counts={Count.JOINED: 3, Count.BYTES: 10}, lag_us=100),
        tick(0, 1, part=[9000], errors={"x": 2}),
        tick(2, 0, lag_us=50_000),
    )
    first, last = moments(dataclasses.replace(RUN, ticks=ticks), Timing.PART)
    assert (first.second, first.viewers, first.playing, first.joins, first.errors, first.bits) == (
        0.5,
        20,
        20,
        3,
        2,
        80,
    )
    assert first.delay == pytest.approx((0.001, 0.001, 0.009), rel=0.001)
    assert first.latency == (None, None, None)
    assert (last.second, last.delay, last.lag, last.doubtful) == (2.5, (None, None, None), 0.05, False)


def test_a_moment_with_too_much_lag_is_doubtful() -> None:
    ticks = (tick(0, part=[10_000], lag_us=5_000), tick(1, part=[10_000], lag_us=3_000))
    assert [one.doubtful for one in moments(dataclasses.replace(RUN, ticks=ticks), Timing.PART)] == [True, False]


def test_a_long_run_has_longer_moments_and_true_percentiles() -> None:
    long = 2 * MAX_MOMENTS
    ticks = tuple(tick(s, part=[1000 if s % 2 else 3000], counts={Count.JOINED: 1}) for s in (0, 1, long - 2, long - 1))
    found = moments(dataclasses.replace(RUN, ticks=ticks), Timing.PART)
    assert [one.second for one in found] == [1, long - 1]
    assert found[0].delay == pytest.approx((0.001, 0.003, 0.003), rel=0.001)
    assert (found[0].viewers, found[0].joins) == (10, 1)


def test_without_ticks_there_is_no_moment() -> None:
    assert moments(dataclasses.replace(RUN, ticks=()), Timing.PART) == ()


def test_runs_without_parts_are_told_by_segments() -> None:
    assert delay_of(figures_of_run(RUN)[0]) is Timing.PART
    assert delay_of(figures_of_run(dataclasses.replace(RUN, ticks=()))[0]) is Timing.SEGMENT
