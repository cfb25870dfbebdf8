"""Numbers that wrap: 31-bit packet sequence numbers and 32-bit timestamps. Sans-IO.

Inside a session packets have *positions*: integers that never wrap and whose lowest 31 bits are the sequence number.
Only what comes from the wire is compared in circles.
"""

from __future__ import annotations

SEQUENCE_SPAN = 1 << 31
"""Sequence numbers are 0 .. 2^31 - 1 (draft section 3.1)."""
SEQUENCE_MASK = SEQUENCE_SPAN - 1
STAMP_SPAN = 1 << 32
"""Timestamps count microseconds modulo 2^32: they wrap after 71 minutes and 35 seconds (draft section 3)."""
STAMP_MASK = STAMP_SPAN - 1
MICRO = 1_000_000
"""Microseconds in a second."""


def sequence_offset(sequence: int, base: int) -> int:
    """How far `sequence` is after `base`, the short way round: -2^30 .. 2^30 - 1."""
    return ((sequence - base + (1 << 30)) & SEQUENCE_MASK) - (1 << 30)


def stamp_offset(stamp: int, base: int) -> int:
    """How many microseconds `stamp` is after `base`, the short way round: -2^31 .. 2^31 - 1."""
    return ((stamp - base + (1 << 31)) & STAMP_MASK) - (1 << 31)


def position_of(sequence: int) -> int:
    """The position that a session starts with, for the sequence number of its first packet.

    One span is added so that a packet before the first one has a position above zero as well.
    """
    return SEQUENCE_SPAN + sequence


def stamp_of(seconds: float) -> int:
    """The timestamp of `seconds` since the start of a connection."""
    return int(seconds * MICRO) & STAMP_MASK
