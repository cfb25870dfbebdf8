"""The clock for machines survives scaling, noise and any width."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.loadtest.publish.stripes import StripeWriter, read_stripes

NOW = 1_795_173_300_123


@given(st.integers(0, 2**42 - 1), st.integers(96, 3840))
def test_round_trip(unix_ms: int, width: int) -> None:
    row = StripeWriter(width).row(unix_ms)
    assert len(row) == width
    assert read_stripes(row) == unix_ms


@pytest.mark.parametrize("width", [160, 320, 854, 1920])
def test_scaled(width: int) -> None:
    row = StripeWriter(1280).row(NOW)
    assert read_stripes([row[at * 1280 // width] for at in range(width)]) == NOW


def test_noise() -> None:
    noise = random.Random(1)
    row = [value + noise.randint(-40, 40) for value in StripeWriter(640).row(NOW)]
    assert read_stripes(row) == NOW


def test_what_is_no_clock() -> None:
    assert read_stripes(bytes(640)) is None
    row = bytearray(StripeWriter(480).row(NOW))
    row[200:210] = bytes(255 - value for value in row[200:210])
    assert read_stripes(row) is None
