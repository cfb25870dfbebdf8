"""PART-TARGET: whole frames within 85 to 100 % of it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.ingest.timeline.parttarget import Frames, choose, fits, rounded

NTSC = Fraction(1_001, 30_000)


@pytest.mark.parametrize(
    "rate",
    [Fraction(24_000, 1_001), 24, 25, Fraction(30_000, 1_001), 30, 48, 50, Fraction(60_000, 1_001), 60],
)
def test_520_ms_fits_the_usual_frame_rates(rate: Fraction) -> None:
    assert choose(520, [rounded(1 / Fraction(rate), 1_000)]) == 520


@pytest.mark.parametrize(
    "frame",
    [
        Fraction(1024, 48_000),
        Fraction(1024, 44_100),
        Fraction(1024, 8_000),
        Fraction(20, 1_000),
        Fraction(1536, 48_000),
    ],
)
def test_520_ms_fits_the_usual_audio_frames(frame: Fraction) -> None:
    assert choose(520, [Frames(frame)]) == 520


def test_five_frames_a_second_need_600_ms() -> None:
    assert choose(520, [rounded(Fraction(1, 5), 1_000), Frames(Fraction(1024, 48_000))]) == 600


def test_two_seconds_is_the_end() -> None:
    assert choose(520, [rounded(Fraction(2), 1_000)]) == 2_000
    assert choose(520, [rounded(Fraction(3), 1_000)]) is None


@given(st.integers(1, 2_000), st.integers(200, 2_000))
def test_what_fits_really_fits(frame_ms: int, least: int) -> None:
    frames = rounded(Fraction(frame_ms, 1_000), 1_000)
    chosen = choose(least, [frames])
    if chosen is not None:
        assert fits(chosen, frames)
        assert any(0.85 * chosen <= count * frame_ms <= chosen for count in range(1, chosen + 1))
        assert all(not fits(lower, frames) for lower in range(least, chosen))
