"""A clock for machines: Unix milliseconds as 48 black and white cells across the picture. Sans-IO.

Cells from the left: white, black (so that a reader finds the levels), 42 bits of Unix milliseconds with the highest
bit first (enough until 2109), 4 bits of check sum (the sum of the number's eleven 4-bit digits, modulo 16).
Glass-to-glass delay = the reader's clock minus the number in the picture it sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

CELLS = 48
_CLOCK_BITS = 42
_CHECK_BITS = 4
BLACK, WHITE = 16, 235


def _check(milliseconds: int) -> int:
    return sum(milliseconds >> shift & 15 for shift in range(0, _CLOCK_BITS, 4)) & 15


def _edges(width: int) -> list[int]:
    return [cell * width // CELLS for cell in range(CELLS + 1)]


class StripeWriter:
    """Writes rows for one picture width (>= 96 pixels)."""

    def __init__(self, width: int) -> None:
        edges = _edges(width)
        sizes = [right - left for left, right in pairwise(edges)]
        self._cells = [(bytes((BLACK,)) * size, bytes((WHITE,)) * size) for size in sizes]

    def row(self, unix_ms: int) -> bytes:
        """One luma row of `width` bytes."""
        clock = unix_ms & (1 << _CLOCK_BITS) - 1
        word = (0b10 << _CLOCK_BITS | clock) << _CHECK_BITS | _check(clock)
        return b"".join([cell[word >> (CELLS - 1 - i) & 1] for i, cell in enumerate(self._cells)])


def read_stripes(row: Sequence[int]) -> int | None:
    """Unix milliseconds from one row of luma or grey values of any width; None when it shows no valid clock."""
    edges = _edges(len(row))
    middles = [row[(left + right) // 2] for left, right in pairwise(edges)]
    white, black = middles[0], middles[1]
    if white - black < 64:
        return None
    level = (white + black) // 2
    word = 0
    for value in middles:
        word = word << 1 | (value > level)
    clock = word >> _CHECK_BITS & (1 << _CLOCK_BITS) - 1
    return clock if word & 15 == _check(clock) else None
