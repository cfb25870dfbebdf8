"""Sizes and lengths of the stream."""

from __future__ import annotations

import pytest

from headwater.loadtest.badserver.shape import SIZES, Rendition, Shape, ShapeError, filler
from headwater.loadtest.fragments import boxes


def test_bodies_are_boxes_of_the_size_asked_for() -> None:
    shape = Shape(part_bytes=30_000)
    assert {one: len(body) for one, body in shape.bodies.items()} == {
        Rendition.HD: 30_000,
        Rendition.SD: 15_000,
        Rendition.AUDIO: 3_000,
    }
    assert set(SIZES) == set(Rendition)
    assert list(boxes(filler(100))) == [(b"free", 8, 100)]


@pytest.mark.parametrize(("part_ms", "parts", "target"), [(200, 5, 1), (500, 4, 2), (1_000, 4, 4), (334, 3, 2)])
def test_the_window_covers_what_can_be_skipped(part_ms: int, parts: int, target: int) -> None:
    shape = Shape(part_ms, parts)
    assert shape.target_duration == target
    assert shape.window * shape.segment_ms >= 6_000 * target + 20_000
    assert shape.bits_per_second(Rendition.HD) == -(-160_000_000 // part_ms)


@pytest.mark.parametrize("numbers", [(199, 4, 500), (1_001, 4, 500), (500, 0, 500), (500, 21, 500), (500, 4, 100)])
def test_numbers_are_bounded(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ShapeError):
        Shape(*numbers)
