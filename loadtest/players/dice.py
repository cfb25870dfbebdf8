"""A viewer's own dice: the same seed, the same viewer. Sans-IO.

SplitMix64 (Steele, Lea, Flood 2014). Why not `random.Random`: one takes 2.5 KiB, and there are thousands.
"""

from __future__ import annotations

import math

_MASK = (1 << 64) - 1


class Dice:
    """Draws that depend on the seed only."""

    __slots__ = ("_state",)

    def __init__(self, *seed: int) -> None:
        self._state = 0
        for number in seed:
            self._state = (self._state + number) & _MASK
            self._state = self.bits()

    def bits(self) -> int:
        """64 bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def between(self, low: float, high: float) -> float:
        """Uniform."""
        return low + (high - low) * (self.bits() >> 11) / (1 << 53)

    def distance(self, mean: float) -> float:
        """Exponential: the distance to the next event of a Poisson process."""
        return -mean * math.log(1.0 - self.between(0.0, 1.0))
