"""Sizes, frame rates and bit rates of a ladder: the arithmetic behind `plan`. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from headwater.ingest.media import Codec, Track

STANDARD_RATES = (
    *(Fraction(rate) for rate in (60, 50, 48, 30, 25, 24, 20, 15, 12, 10)),
    *(Fraction(rate * 1000, 1001) for rate in (60, 30, 24)),
)
"""Frames per second that a measured rate may stand for."""

SNAP = Fraction(1, 50)
"""Distance from a standard rate, as a part of it, that is measurement. Why: RTMP's milliseconds over two seconds are
within 1 %, screen recordings are within 2 %; 24 and 25 are 4 % apart."""

MAX_GRID, MIN_GRID = Fraction(60), Fraction(10)
"""Frames per second of a ladder. Why: above 60 nobody's screen gains; below 10 a frame is a fifth of a part."""

DEFAULT_GRID = Fraction(30)
"""Of a source that does not tell its frame rate."""

HEIGHTS = (1080, 720, 480, 360)
"""The default ladder, by the smaller side."""

LOW_HEIGHT = 240
"""Added to a default ladder that would have fewer than two rungs."""

CLEARLY_SMALLER = Fraction(4, 5)
"""A default rung has at most this part of the source's smaller side. Why: 480p beside 540p is one picture twice."""

BASE_RATE = 2_800_000
"""bit/s of 1280x720 at 30 frames per second, H.264 veryfast without look-ahead. Why: 0.1 bit per pixel; above it the
eye gains little, and phones' lines lose."""

RATE_OVER_PIXELS, RATE_OVER_FPS = 0.8, 0.6
"""Exponents of the bit rate. Why: smaller pictures have more detail per pixel, faster ones less news per frame."""

CODEC_RATE = {Codec.H264: 1.0, Codec.HEVC: 0.75, Codec.AV1: 0.65}
"""Bit rate of a codec for the picture that H.264 makes, all at presets that keep up."""

MAXRATE = 1.15
"""Times the bit rate: the default greatest rate."""

BUFFER_S = 1.0
"""Seconds of bit rate: the default buffer of the rate control."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A picture as it is shown: upright, with square pixels."""

    width: int
    height: int

    @property
    def small(self) -> int:
        """The smaller side."""
        return min(self.width, self.height)

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def shown(track: Track, rotation: int = 0) -> Shape:
    """How a track's pictures are shown: narrow pixels made wide, wide ones too (nothing is thrown away), then turned by
    `rotation` degrees."""
    width, height, aspect = Fraction(track.width), Fraction(track.height), track.sample_aspect
    if aspect >= 1:
        width *= aspect
    elif aspect > 0:
        height /= aspect
    shape = Shape(max(1, round(width)), max(1, round(height)))
    return shape if rotation % 180 == 0 else Shape(shape.height, shape.width)


def scaled(source: Shape, small: int) -> Shape:
    """`source` with a smaller side of `small`: even sides, the same aspect ratio, not above the source by more than
    the pixel that makes a side of one even."""
    small = _even(small)
    large = max(source.width, source.height)
    most = max(2, large - large % 2)
    other = min(2 * round(Fraction(large * small, source.small) / 2), max(most, small))
    return Shape(other, small) if source.width >= source.height else Shape(small, other)


def own_size(source: Shape) -> int:
    """The smaller side of a rung that has the source's size."""
    return _even(source.small)


def default_heights(source: Shape, *, with_own: bool) -> tuple[int, ...]:
    """The smaller sides of the default ladder. `with_own`: players do not get the source itself, so the first is a rung
    of its size, up to 1080."""
    limit = source.small * CLEARLY_SMALLER
    found = [height for height in HEIGHTS if height <= limit]
    if len(found) < 2 and limit >= LOW_HEIGHT:
        found.append(LOW_HEIGHT)
    own = min(own_size(source), HEIGHTS[0])
    return tuple([own, *found] if with_own and own not in found else found)


def grid_of(rate: Fraction | None) -> Fraction:
    """The constant frame rate for a source of `rate` frames per second: a standard rate where it is near one, a part
    of it above 60, a multiple of it below 10."""
    if rate is None or rate <= 0:
        return DEFAULT_GRID
    divisor = 1
    while snapped(rate / divisor) > MAX_GRID:
        divisor += 1
    grid = snapped(rate / divisor)
    return grid if grid >= MIN_GRID else grid * ceil(MIN_GRID / grid)


def snapped(rate: Fraction) -> Fraction:
    """The standard rate that `rate` stands for, or a nearby number of few digits."""
    nearest = min(STANDARD_RATES, key=lambda standard: abs(rate - standard) / standard)
    if abs(rate - nearest) <= nearest * SNAP:
        return nearest
    return max(Fraction(1, 10), rate.limit_denominator(10))


def divisor_for(grid: Fraction, cap: float | None) -> int:
    """Every n-th frame of `grid` is not faster than `cap` frames per second; 29.97 passes for 30, 30 for 29.97."""
    if cap is None:
        return 1
    limit = Fraction(cap) * (1 + SNAP / 10)
    return max(1, ceil(grid / limit))


def bitrate_for(shape: Shape, fps: Fraction, codec: Codec) -> int:
    """The default bit rate, bit/s, in steps that look chosen."""
    pixels = shape.width * shape.height / (1280 * 720)
    rate: float = BASE_RATE * pixels**RATE_OVER_PIXELS * (float(fps) / 30) ** RATE_OVER_FPS * CODEC_RATE[codec]
    step = 100_000 if rate >= 2_000_000 else 50_000 if rate >= 500_000 else 10_000
    return max(100_000, step * round(rate / step))


def _even(side: int) -> int:
    return max(2, side - side % 2)
