"""Numbers that wrap."""

from __future__ import annotations

import pytest

from headwater.ingest.srt.sequence import (
    SEQUENCE_MASK,
    STAMP_MASK,
    position_of,
    sequence_offset,
    stamp_of,
    stamp_offset,
)


@pytest.mark.parametrize(
    ("sequence", "base", "offset"),
    [
        (5, 5, 0),
        (6, 5, 1),
        (4, 5, -1),
        (0, SEQUENCE_MASK, 1),
        (SEQUENCE_MASK, 0, -1),
        (10, SEQUENCE_MASK - 9, 20),
        ((1 << 30) - 1, 0, (1 << 30) - 1),
        (1 << 30, 0, -(1 << 30)),
    ],
)
def test_sequence_offset(sequence: int, base: int, offset: int) -> None:
    assert sequence_offset(sequence, base) == offset


@pytest.mark.parametrize(
    ("stamp", "base", "offset"),
    [(7, 7, 0), (0, STAMP_MASK, 1), (STAMP_MASK, 0, -1), (1 << 31, 0, -(1 << 31)), (5, (1 << 33) + 2, 3)],
)
def test_stamp_offset(stamp: int, base: int, offset: int) -> None:
    assert stamp_offset(stamp, base) == offset


@pytest.mark.parametrize("sequence", [0, 1, SEQUENCE_MASK])
def test_positions_hold_the_sequence_number_and_room_before_it(sequence: int) -> None:
    position = position_of(sequence)
    assert position & SEQUENCE_MASK == sequence
    assert (position + 1) & SEQUENCE_MASK == (sequence + 1) % (1 << 31)
    assert position - (1 << 30) > 0


def test_stamps_wrap() -> None:
    assert stamp_of(1.5) == 1_500_000
    assert stamp_of((1 << 32) / 1e6 + 2) == 2_000_000
