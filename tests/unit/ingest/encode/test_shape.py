"""Sizes, rates and bit rates."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.ingest.encode.shape import (
    CLEARLY_SMALLER,
    MAX_GRID,
    MIN_GRID,
    Shape,
    bitrate_for,
    default_heights,
    divisor_for,
    grid_of,
    own_size,
    scaled,
    shown,
)
from headwater.ingest.media import VIDEO_TIMESCALE, Codec, Kind, Track, TrackId

NTSC = Fraction(30_000, 1_001)


def track(width: int, height: int, aspect: Fraction = Fraction(1)) -> Track:
    return Track(
        TrackId("v0"), Kind.VIDEO, Codec.H264, b"", "avc1.64001f", VIDEO_TIMESCALE, width=width, height=height,
        sample_aspect=aspect,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("source", "rotation", "expected"),
    [
        (track(1920, 1080), 0, "1920x1080"),
        (track(1920, 1080), 90, "1080x1920"),
        (track(1920, 1080), -90, "1080x1920"),
        (track(1920, 1080), 180, "1920x1080"),
        (track(1440, 1080, Fraction(4, 3)), 0, "1920x1080"),
        (track(720, 576, Fraction(64, 45)), 0, "1024x576"),
        (track(720, 576, Fraction(16, 15)), 0, "768x576"),
        (track(720, 480, Fraction(8, 9)), 0, "720x540"),
        (track(1080, 960, Fraction(1, 2)), 270, "1920x1080"),
    ],
)
def test_pictures_are_shown_upright_with_square_pixels(source: Track, rotation: int, expected: str) -> None:
    assert str(shown(source, rotation)) == expected


@pytest.mark.parametrize(
    ("source", "small", "expected"),
    [
        (Shape(1920, 1080), 720, "1280x720"),
        (Shape(1920, 1080), 480, "854x480"),
        (Shape(1080, 1920), 360, "360x640"),
        (Shape(2560, 1080), 720, "1706x720"),
        (Shape(853, 479), 478, "852x478"),
        (Shape(853, 479), 360, "642x360"),
        (Shape(481, 481), 480, "480x480"),
        (Shape(1998, 1080), 1080, "1998x1080"),
    ],
)
def test_rungs_keep_the_aspect_ratio(source: Shape, small: int, expected: str) -> None:
    assert str(scaled(source, small)) == expected


@given(st.integers(16, 8_000), st.integers(16, 8_000), st.data())
def test_rungs_are_even_never_larger_and_as_wide_as_the_source(width: int, height: int, data: st.DataObject) -> None:
    source = Shape(width, height)
    small = data.draw(st.integers(2, own_size(source)))
    rung = scaled(source, small)
    assert rung.width % 2 == rung.height % 2 == 0
    assert 0 < rung.width <= width
    assert 0 < rung.height <= height
    # Within the pixels that rounding to even sides moves, on the longer side.
    exact = max(width, height) * rung.small / min(width, height)
    assert abs(max(rung.width, rung.height) - exact) <= 2 + max(width, height) / min(width, height)


@pytest.mark.parametrize(
    ("source", "own", "heights"),
    [
        (Shape(1920, 1080), False, (720, 480, 360)),
        (Shape(1920, 1080), True, (1080, 720, 480, 360)),
        (Shape(1080, 1920), False, (720, 480, 360)),
        (Shape(3840, 2160), False, (1080, 720, 480, 360)),
        (Shape(3840, 2160), True, (1080, 720, 480, 360)),
        (Shape(1280, 720), False, (480, 360)),
        (Shape(1024, 576), False, (360, 240)),
        (Shape(640, 360), False, (240,)),
        (Shape(426, 240), False, ()),
        (Shape(320, 180), True, (180,)),
        (Shape(853, 479), True, (478, 360, 240)),
    ],
)
def test_the_default_ladder(source: Shape, own: bool, heights: tuple[int, ...]) -> None:
    assert default_heights(source, with_own=own) == heights


@given(st.integers(16, 8_000), st.integers(16, 8_000))
def test_the_default_ladder_is_clearly_smaller_than_the_source(width: int, height: int) -> None:
    source = Shape(width, height)
    found = default_heights(source, with_own=False)
    assert all(height <= source.small * CLEARLY_SMALLER for height in found)
    assert list(found) == sorted(set(found), reverse=True)


@pytest.mark.parametrize(
    ("rate", "grid"),
    [
        (None, Fraction(30)),
        (Fraction(0), Fraction(30)),
        (Fraction(30), Fraction(30)),
        (NTSC, NTSC),
        (Fraction(2998, 100), NTSC),
        (Fraction(24_000, 1_001), Fraction(24_000, 1_001)),
        (Fraction(2402, 100), Fraction(24)),
        (Fraction(251, 10), Fraction(25)),
        (Fraction(50), Fraction(50)),
        (Fraction(60_000, 1_001), Fraction(60_000, 1_001)),
        (Fraction(120), Fraction(60)),
        (Fraction(120_000, 1_001), Fraction(60_000, 1_001)),
        (Fraction(90), Fraction(45)),
        (Fraction(240), Fraction(60)),
        (Fraction(15), Fraction(15)),
        (Fraction(5), Fraction(10)),
        (Fraction(1), Fraction(10)),
        (Fraction(15, 2), Fraction(15)),
        (Fraction(142, 10), Fraction(71, 5)),
    ],
)
def test_the_grid_of_a_source(rate: Fraction | None, grid: Fraction) -> None:
    assert grid_of(rate) == grid


@given(st.fractions(Fraction(1, 1_000), 1_000))
def test_the_grid_is_bounded_and_near_a_multiple_or_part_of_the_source(rate: Fraction) -> None:
    grid = grid_of(rate)
    assert MIN_GRID <= grid <= MAX_GRID
    assert grid.denominator <= 1_001


@pytest.mark.parametrize(
    ("grid", "cap", "divisor"),
    [
        (Fraction(60), None, 1),
        (Fraction(60), 30, 2),
        (Fraction(60_000, 1_001), 30, 2),
        (Fraction(60), 29.97, 2),
        (NTSC, 30, 1),
        (Fraction(30), 29.97, 1),
        (Fraction(50), 30, 2),
        (Fraction(60), 25, 3),
        (Fraction(10), 60, 1),
    ],
)
def test_a_cap_takes_every_nth_frame(grid: Fraction, cap: float | None, divisor: int) -> None:
    assert divisor_for(grid, cap) == divisor


def test_bit_rates_grow_with_size_and_speed_and_shrink_with_the_codec() -> None:
    hd = Shape(1280, 720)
    assert bitrate_for(hd, Fraction(30), Codec.H264) == 2_800_000
    assert bitrate_for(hd, Fraction(60), Codec.H264) == 4_200_000
    assert bitrate_for(hd, Fraction(30), Codec.HEVC) == 2_100_000
    assert bitrate_for(hd, Fraction(30), Codec.AV1) == 1_800_000
    assert bitrate_for(Shape(854, 480), Fraction(30), Codec.H264) == 1_450_000
    assert bitrate_for(Shape(480, 854), Fraction(30), Codec.H264) == 1_450_000
    assert bitrate_for(Shape(2, 2), Fraction(10), Codec.AV1) == 100_000
