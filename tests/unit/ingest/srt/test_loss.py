"""The list of missing packets."""

from __future__ import annotations

import random

from headwater.ingest.srt.loss import LossList, encode
from headwater.ingest.srt.packets import MAX_LOSS_WORDS
from headwater.ingest.srt.sequence import position_of


def filled(*gaps: tuple[int, int]) -> LossList:
    losses = LossList()
    for first, last in gaps:
        losses.open(first, last)
    return losses


def test_gaps_shrink_split_and_close() -> None:
    losses = filled((10, 14), (20, 20))
    assert losses.count == 6
    assert losses.fill(12)
    assert losses.words() == [10 | 1 << 31, 11, 13 | 1 << 31, 14, 20]
    assert losses.fill(10)
    assert losses.fill(14)
    assert losses.fill(20)
    assert losses.words() == [11, 13]
    assert losses.head == (11, 11)
    assert not losses.fill(20)
    assert not losses.fill(5)
    assert not losses.fill(12)
    assert losses.drop_head() == 1
    assert losses.drop_head() == 1
    assert not losses
    assert losses.count == 0


def test_what_is_missing_in_a_range() -> None:
    losses = filled((10, 14), (20, 20), (30, 35))
    assert losses.missing(12, 31) == [12, 13, 14, 20, 30, 31]
    assert losses.missing(15, 19) == []
    assert losses.missing(0, 9) == []
    assert losses.missing(36, 99) == []
    assert losses.end_of(12) == 14
    assert losses.end_of(35) == 35


def test_the_oldest_come_first_and_as_many_as_fit() -> None:
    losses = filled(*((number * 3, number * 3 + 1) for number in range(1000)))
    words = losses.words()
    assert len(words) == MAX_LOSS_WORDS
    assert words[:2] == [1 << 31, 1]


def test_numbers_wrap() -> None:
    end = position_of((1 << 31) - 1)
    assert encode(end, end) == [(1 << 31) - 1]
    assert encode(end, end + 2) == [(1 << 31) - 1 | 1 << 31, 1]


def test_against_a_set() -> None:
    dice = random.Random(4)
    for _ in range(200):
        losses, missing, top = LossList(), set[int](), 0
        for _ in range(40):
            if dice.random() < 0.4:
                first = top + dice.randrange(1, 4)
                top = first + dice.randrange(5)
                losses.open(first, top)
                missing |= set(range(first, top + 1))
                top += 1
            else:
                position = dice.randrange(top + 2)
                assert losses.fill(position) == (position in missing)
                missing.discard(position)
            assert losses.count == len(missing)
            assert losses.missing(0, top) == sorted(missing)
