"""Frame rates measured from decode times, because headers and metadata are hints only. Sans-IO."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

STANDARD = tuple(
    Fraction(n, d)
    for n, d in (
        *((n, 1) for n in (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20)),
        (24_000, 1_001),
        (24, 1),
        (25, 1),
        (30_000, 1_001),
        (30, 1),
        (48, 1),
        (50, 1),
        (60_000, 1_001),
        (60, 1),
        (72, 1),
        (90, 1),
        (100, 1),
        (120_000, 1_001),
        (120, 1),
    )
)
"""Frames per second that a measurement is rounded to when it is near."""

NEAR = Fraction(1, 100)
"""Relative distance that counts as near."""


def measure(times: Sequence[int], rate: int, hint: Fraction | None) -> Fraction | None:
    """Frames per second of a track.

    Args:
        times: decode times of consecutive frames, ticks.
        rate: ticks per second; each time may be off by one tick, as senders round.
        hint: what the codec's own headers say; it wins when the measurement does not contradict it.

    Returns:
        None when there are fewer than three frames or they do not advance.
    """
    count = len(times) - 1
    span = times[-1] - times[0] if count >= 2 else 0
    if span <= 0:
        return hint
    measured = Fraction(count * rate, span)
    # Senders round each time to a tick, so the span is only known to within one.
    slack = max(NEAR, Fraction(1, span))
    if hint is not None and hint > 0 and abs(hint - measured) <= measured * slack:
        return hint
    # A whole rate and its NTSC neighbour differ by less than rounding: without headers the whole one is meant.
    exact = [standard for standard in STANDARD if abs(count * rate / standard - span) <= 1]
    exact.sort(key=lambda standard: standard.denominator)
    nearest = exact[0] if exact else min(STANDARD, key=lambda standard: abs(standard - measured))
    if abs(nearest - measured) <= measured * slack:
        return nearest
    return measured.limit_denominator(1_000)
