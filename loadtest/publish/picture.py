"""The test picture: drawn once, then only what moves is touched, straight in the planes of one 4:2:0 frame. Sans-IO.

From the top: colour bars with a block that crosses them every four seconds; a dark panel with the UTC clock, the
frame counter and a patch of grain (something to encode); the stripes of `stripes`. For the first 100 ms of each
second a white square flashes at the right of the clock, with the beep of `tone`.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from .glyphs import CELL, HEIGHT, Font
from .stripes import StripeWriter

FLASH_MS = 100
"""How long the flash and the beep last."""
SWEEP_S = 4
"""The block crosses the picture in this time."""

# 75 % bars, BT.709 limited range: white, yellow, cyan, green, magenta, red, blue.
BARS = ((180, 128, 128), (168, 44, 136), (145, 147, 44), (133, 63, 52), (63, 193, 204), (51, 109, 212), (28, 212, 120))
PANEL, INK, DIM = 24, 235, 150
NEUTRAL = 128
GRAIN_LEVEL, GRAIN_DEPTH = 96, 15


class Planes(NamedTuple):
    """Writable memory of one yuv420p frame and the bytes from one row to the next."""

    y: memoryview
    u: memoryview
    v: memoryview
    y_stride: int
    uv_stride: int


class Layout(NamedTuple):
    """Where things are, in luma pixels; every number is even."""

    bars_end: int
    clock_y: int
    clock_x: int
    flash: tuple[int, int, int]
    counter_y: int
    grain: tuple[int, int, int, int]
    stripes_y: int
    block: int


def _even(value: float) -> int:
    return int(value) // 2 * 2


def _scales(width: int, height: int) -> tuple[int, int]:
    """Font sizes: twelve characters of the clock and the flash across, a fifth of the picture down; the small text."""
    clock = max(1, min(width // (13 * CELL + 8), height // (5 * HEIGHT)))
    return clock, max(1, clock // 3)


def layout_of(width: int, height: int) -> Layout:
    """Where things are in a picture of that size, also for whoever measures it."""
    clock_scale, small_scale = _scales(width, height)
    bars_end = _even(height * 0.55)
    stripes_y = height - _even(max(8, height / 16))
    clock_y = bars_end + _even(max(2, height / 30))
    clock_x = _even(2 * clock_scale)
    counter_y = _even(clock_y + HEIGHT * (clock_scale + small_scale))
    flash_x = _even(clock_x + 12 * CELL * clock_scale + 2 * clock_scale)
    flash_side = _even(min(HEIGHT * clock_scale, width - flash_x - 2))
    grain_height = _even(max(0, min(height / 8, stripes_y - counter_y - 2)))
    return Layout(
        bars_end,
        clock_y,
        clock_x,
        (flash_x, clock_y, flash_side),
        counter_y,
        (_even(width * 0.75), counter_y, _even(width / 8), grain_height),
        stripes_y,
        _even(max(4, min(height / 9, width / 4))),
    )


class TestPicture:
    """Draws into `planes`, which must keep what was drawn from one call to the next."""

    __test__ = False  # the name is the field's own; pytest shall not take it for a test

    def __init__(self, planes: Planes, width: int, height: int, fps: Fraction, title: str) -> None:
        """`width` and `height` even, at least 160 x 90; `title` is shown as far as it fits."""
        self._planes = planes
        self._width, self._height, self._fps = width, height, fps
        clock_scale, small_scale = _scales(width, height)
        self._clock = Font(clock_scale, INK, PANEL)
        self._small = Font(small_scale, DIM, PANEL)
        self._stripes = StripeWriter(width)
        self._layout = layout_of(width, height)
        self._block_x = 0
        noise = hashlib.shake_128(b"grain").digest(1 << 16)
        self._grain = bytes(GRAIN_LEVEL + value % GRAIN_DEPTH for value in noise)
        self._background(title.upper())

    def draw(self, number: int, unix_ms: int) -> None:
        """Frame `number`, captured at `unix_ms`."""
        moment = datetime.fromtimestamp(unix_ms // 1000, UTC)
        text = f"{moment:%H:%M:%S}.{unix_ms % 1000:03d}"
        self._text(self._clock, text, self._layout.clock_x, self._layout.clock_y)
        self._text(self._small, f"{number:08d}", self._layout.clock_x, self._layout.counter_y)
        self._draw_flash(unix_ms % 1000 < FLASH_MS)
        self._draw_block(number)
        self._draw_grain(number)
        self._rows(self._layout.stripes_y, self._height, self._stripes.row(unix_ms))

    def _background(self, title: str) -> None:
        width, planes = self._width, self._planes
        count = len(BARS)
        edges = [_even(width * bar / count) for bar in range(count)] + [width]
        sizes = [right - left for left, right in pairwise(edges)]
        self._bar_y = b"".join(bytes((bar[0],)) * size for bar, size in zip(BARS, sizes, strict=True))
        self._bar_u = b"".join(bytes((bar[1],)) * (size // 2) for bar, size in zip(BARS, sizes, strict=True))
        self._bar_v = b"".join(bytes((bar[2],)) * (size // 2) for bar, size in zip(BARS, sizes, strict=True))
        half = width // 2
        self._rows(0, self._layout.bars_end, self._bar_y)
        self._rows(self._layout.bars_end, self._height, bytes((PANEL,)) * width)
        for row in range(self._height // 2):
            at = row * planes.uv_stride
            barred = row < self._layout.bars_end // 2
            planes.u[at : at + half] = self._bar_u if barred else bytes((NEUTRAL,)) * half
            planes.v[at : at + half] = self._bar_v if barred else bytes((NEUTRAL,)) * half
        title_x = self._layout.clock_x + self._small.width(10)
        room = (self._layout.grain[0] - title_x) // self._small.width(1)
        if room > 0:
            self._text(self._small, title[:room], title_x, self._layout.counter_y)

    def _rows(self, top: int, bottom: int, row: bytes) -> None:
        luma, stride, size = self._planes.y, self._planes.y_stride, len(row)
        for at in range(top * stride, bottom * stride, stride):
            luma[at : at + size] = row

    def _text(self, font: Font, text: str, x: int, y: int) -> None:
        luma, stride = self._planes.y, self._planes.y_stride
        at = y * stride + x
        for line in font.lines(text):
            size = len(line)
            for _ in range(font.scale):
                luma[at : at + size] = line
                at += stride

    def _draw_flash(self, on: bool) -> None:
        x, y, side = self._layout.flash
        luma, stride = self._planes.y, self._planes.y_stride
        row = bytes((INK if on else PANEL,)) * side
        for at in range(y * stride + x, (y + side) * stride + x, stride):
            luma[at : at + side] = row

    def _draw_block(self, number: int) -> None:
        side = self._layout.block
        travel = self._width - side
        x = _even(float(number / self._fps % SWEEP_S) / SWEEP_S * travel)
        top = _even((self._layout.bars_end - side) / 2)
        self._fill_block(self._block_x, top, side, None)
        self._fill_block(x, top, side, (INK, NEUTRAL, NEUTRAL))
        self._block_x = x

    def _fill_block(self, x: int, top: int, side: int, colour: tuple[int, int, int] | None) -> None:
        """The square at `x` in one colour, or the bars again."""
        planes, half = self._planes, side // 2
        if colour is None:
            row_y = self._bar_y[x : x + side]
            row_u, row_v = (bar[x // 2 : x // 2 + half] for bar in (self._bar_u, self._bar_v))
        else:
            row_y, row_u, row_v = (
                bytes((value,)) * size for value, size in zip(colour, (side, half, half), strict=True)
            )
        at = top * planes.y_stride + x
        for _ in range(side):
            planes.y[at : at + side] = row_y
            at += planes.y_stride
        at = top // 2 * planes.uv_stride + x // 2
        for _ in range(half):
            planes.u[at : at + half] = row_u
            planes.v[at : at + half] = row_v
            at += planes.uv_stride

    def _draw_grain(self, number: int) -> None:
        x, y, width, height = self._layout.grain
        luma, stride = self._planes.y, self._planes.y_stride
        spread = len(self._grain) - width
        start = number * 7919
        at = y * stride + x
        for row in range(height):
            # Primes, so that neither a row nor a frame repeats soon.
            source = (start + row * 4099) % spread
            luma[at : at + width] = self._grain[source : source + width]
            at += stride
