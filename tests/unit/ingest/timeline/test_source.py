"""Source clocks: wraps, jumps, frozen clocks."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.ingest.media import MPEGTS_CLOCK, RTMP_CLOCK, SourceClock
from headwater.ingest.timeline.source import SourceTime, Step


def readings(raws: list[int], clock: SourceClock = RTMP_CLOCK, every: float = 0.04) -> tuple[list[int], list[Step]]:
    source = SourceTime(clock, raws[0])
    times, steps = [], []
    for n, raw in enumerate(raws):
        times.append(source.read(raw, 10 + n * every))
        steps.append(source.step)
    return times, steps


@pytest.mark.parametrize("bits", [31, 32])
def test_wraps_of_milliseconds(bits: int) -> None:
    raws = [(n * 40 - 200) % (1 << bits) for n in range(20)]
    times, steps = readings(raws)
    assert {b - a for a, b in itertools.pairwise(times)} == {3_600}
    assert set(steps) == {Step.FLOWS}


def test_wrap_of_33_bits_at_90_khz() -> None:
    times, steps = readings([(n * 3_600 - 9_000) % (1 << 33) for n in range(20)], MPEGTS_CLOCK)
    assert {b - a for a, b in itertools.pairwise(times)} == {3_600}
    assert set(steps) == {Step.FLOWS}


def test_a_rate_that_does_not_divide_90_khz() -> None:
    times, _ = readings([0, 441, 882], SourceClock(44_100, 32), 0.01)
    assert times == [0, 900, 1_800]


def test_a_track_that_starts_after_a_wrap_is_counted_like_the_others() -> None:
    source = SourceTime(RTMP_CLOCK, (1 << 32) + 500)
    assert source.read(480, 1.0) == ((1 << 32) + 480) * 90


@pytest.mark.parametrize(
    ("raw", "step"), [(5_700, Step.JUMPED), (-500, Step.JUMPED), (4_900, Step.FLOWS), (-200, Step.FLOWS)]
)
def test_what_is_a_jump(raw: int, step: Step) -> None:
    _, steps = readings([0, 40, 80, raw % (1 << 32)])
    assert steps[-1] is step


def test_a_pause_of_the_sender_explains_a_leap() -> None:
    source = SourceTime(RTMP_CLOCK, 0)
    source.read(0, 0.0)
    source.read(60_000, 60.0)
    assert source.step is Step.FLOWS


def test_a_frozen_clock_follows_arrival_and_its_own_time_when_it_catches_up() -> None:
    times, steps = readings([0, 40, 80] + [80] * 25 + [1_120, 1_160, 1_200])
    assert steps[-4] is Step.FROZEN and steps[-1] is Step.FLOWS
    assert times[27] == pytest.approx(27 * 3_600, abs=10)
    assert times[-1] == 1_200 * 90
    assert times[3:8] == [80 * 90] * 5


def test_a_frozen_clock_that_runs_on_late_keeps_the_time_it_was_given() -> None:
    times, _ = readings([0, 40, 80] + [80] * 25 + [120, 160])
    assert times[-1] - times[-2] == 3_600
    assert times[-2] > times[-3]


@given(st.lists(st.integers(0, (1 << 32) - 1), min_size=1, max_size=50), st.floats(0, 5))
def test_any_clock_is_read(raws: list[int], every: float) -> None:
    times, _ = readings(raws, every=every)
    assert len(times) == len(raws)


def test_a_clock_that_stepped_back_and_runs_is_not_frozen_at_its_peak() -> None:
    """Also when the network stalled meanwhile."""
    clock = SourceTime(RTMP_CLOCK, 0)
    clock.read(0, 0.0)
    clock.read(1_000, 1.0)
    for raw, at in ((800, 1.02), (840, 1.9), (880, 1.9), (920, 1.9), (960, 1.9), (1_000, 1.9), (1_040, 1.9)):
        assert clock.read(raw, at) == raw * 90
        assert clock.step is Step.FLOWS
