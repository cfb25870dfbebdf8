"""Estimates stay within a few percent from ten to a hundred thousand; sketches survive transport and refuse rubbish."""

from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.edge.sketch import FEW, REGISTERS, Sketch, SketchError, load


def filled(count: int, seed: int = 1) -> Sketch:
    dice = random.Random(seed)
    sketch = Sketch()
    for _ in range(count):
        sketch.add(dice.getrandbits(64))
    return sketch


@pytest.mark.parametrize("count", [0, 1, FEW])
def test_few_are_counted_exactly(count: int) -> None:
    assert filled(count).estimate() == count
    assert bool(filled(count)) is (count > 0)


@pytest.mark.parametrize("count", [FEW + 1, 100, 1_000, 10_000, 100_000])
def test_the_estimate_is_within_five_percent(count: int) -> None:
    # Three standard errors of 1.6 %
    assert filled(count).estimate() == pytest.approx(count, rel=0.05)


def test_the_mean_error_is_that_of_the_method() -> None:
    errors = [filled(5_000, seed).estimate() / 5_000 - 1 for seed in range(12)]
    assert abs(sum(errors) / len(errors)) < 0.015


def test_who_comes_again_counts_once() -> None:
    sketch = filled(1_000)
    before = sketch.estimate()
    sketch.merge(filled(1_000))
    assert sketch.estimate() == before


@pytest.mark.parametrize(("left", "right"), [(10, 20), (10, 5_000), (5_000, 10), (4_000, 6_000)])
def test_a_merge_counts_the_union(left: int, right: int) -> None:
    merged, whole = filled(left, 1), filled(right, 2)
    merged.merge(whole)
    assert merged.estimate() == pytest.approx(left + right, rel=0.05)
    assert load(merged.dump()).estimate() == merged.estimate()


def test_extreme_hashes_have_a_place() -> None:
    sketch = filled(FEW + 1)
    for value in (0, 2**64 - 1, 2**12 - 1, 1 << 63):
        sketch.add(value)
    assert sketch.estimate() > FEW


@pytest.mark.parametrize(
    "data",
    [
        b"", b"x", b"s1234567", b"s" + bytes(8 * (FEW + 1)), b"r", b"rxx", b"r" + zlib.compress(bytes(10)),
        b"r" + zlib.compress(bytes(REGISTERS + 1)), b"r" + zlib.compress(b"\xff" * REGISTERS),
        b"r" + zlib.compress(bytes(REGISTERS))[:-1],
    ],
)  # fmt: skip
def test_what_is_no_sketch_is_refused(data: bytes) -> None:
    with pytest.raises(SketchError):
        load(data)


def test_a_bomb_is_refused() -> None:
    with pytest.raises(SketchError):
        load(b"r" + zlib.compress(bytes(1 << 24)))


@given(st.binary(max_size=80))
@settings(max_examples=60)
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        load(data)
    except SketchError:
        return
