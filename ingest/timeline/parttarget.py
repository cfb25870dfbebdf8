"""PART-TARGET for a set of tracks. Sans-IO.

Source: RFC 8216bis 4.4.3.7: a part lasts at most PART-TARGET and, unless it ends its segment or comes
before an independent one, at least 85 % of it. So some whole number of frames must lie in between.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

LEAST = Fraction(85, 100)
"""Of PART-TARGET, that a part must last."""
LONGEST_MS = 2_000
"""Above it a low-latency playlist has no point."""


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one track: `duration` of one and `jitter` of the sum of several, both in seconds."""

    duration: Fraction
    jitter: Fraction = Fraction(0)


def fits(target_ms: int, frames: Frames) -> bool:
    """Whether a whole number of `frames` lasts between 85 % and 100 % of `target_ms`."""
    target = Fraction(target_ms, 1_000)
    count = math.floor((target - frames.jitter) / frames.duration)
    return count >= 1 and count * frames.duration - frames.jitter >= LEAST * target


def choose(least_ms: int, tracks: Sequence[Frames]) -> int | None:
    """The smallest PART-TARGET from `least_ms` to 2 s that fits every track, milliseconds; None: there is none."""
    for target_ms in range(least_ms, max(least_ms, LONGEST_MS) + 1):
        if all(fits(target_ms, frames) for frames in tracks):
            return target_ms
    return None


def rounded(duration: Fraction, clock_rate: int) -> Frames:
    """Frames whose times were rounded to a clock of `clock_rate` Hz; exact when it hits every frame."""
    exact = (duration * clock_rate).denominator == 1
    return Frames(duration, Fraction(0) if exact else Fraction(1, clock_rate))
