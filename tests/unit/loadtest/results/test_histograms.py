from __future__ import annotations

import base64
import math
import struct
import zlib

import pytest
from hdrh import codec
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.loadtest.records import HIGHEST_US, LOWEST_US
from headwater.loadtest.results.histograms import MAX_ENCODED, Histogram, HistogramError

DELAYS = st.lists(st.integers(LOWEST_US, HIGHEST_US), min_size=1, max_size=200)


@settings(max_examples=40, deadline=None)
@given(DELAYS, st.sampled_from([1.0, 50.0, 90.0, 99.0, 99.9, 100.0]))
def test_percentiles_are_those_of_the_sorted_samples(delays: list[int], percent: float) -> None:
    exact = sorted(delays)[max(1, int(percent * len(delays) / 100 + 0.5)) - 1]
    assert Histogram.of(delays).percentile(percent) == pytest.approx(exact, rel=0.001, abs=1)


@settings(max_examples=20, deadline=None)
@given(DELAYS)
def test_percentiles_agree_with_the_library(delays: list[int]) -> None:
    mine = Histogram.of(delays)
    theirs = HdrHistogram.decode(mine.encode())
    assert mine.percentiles((0.1, 50, 99.9)) == tuple(theirs.get_value_at_percentile(p) for p in (0.1, 50, 99.9))


@settings(max_examples=20, deadline=None)
@given(DELAYS, DELAYS)
def test_merging_is_recording_into_one(some: list[int], others: list[int]) -> None:
    merged = Histogram.merged([Histogram.of(some).encode(), Histogram.of(others).encode()])
    together = Histogram.of(some + others)
    assert merged.count == together.count
    assert merged.percentiles((10, 50, 99, 100)) == together.percentiles((10, 50, 99, 100))
    assert merged.maximum == together.maximum


def test_a_histogram_that_grows_forgets_what_it_knew() -> None:
    histogram = Histogram.of([10])
    assert histogram.percentile(99) == 10
    histogram.add(Histogram.of([20] * 9))
    assert (histogram.percentile(99), histogram.count, histogram.maximum) == (20, 10, 20)


def test_without_samples() -> None:
    empty = Histogram()
    assert (empty.count, empty.maximum, empty.percentile(50), empty.distribution([1, 2])) == (0, 0, 0, [0, 0])
    assert Histogram.decode(empty.encode()).count == 0


def test_what_is_beyond_an_hour_counts_as_an_hour() -> None:
    assert Histogram.of([-5, 2 * HIGHEST_US]).percentiles((1, 100)) == pytest.approx((LOWEST_US, HIGHEST_US), rel=0.001)


def test_a_distribution_counts_from_below() -> None:
    assert Histogram.of([10, 20, 20, 3000]).distribution([9, 10, 20, 100, HIGHEST_US]) == [0, 1, 3, 3, 4]


def encoded(plain: bytes) -> bytes:
    """What a file could hold: any payload in a right envelope."""
    packed = zlib.compress(plain)
    return base64.b64encode(struct.pack(">II", codec.get_compression_cookie(), len(packed)) + packed)


def payload(
    *, digits: int = 3, lowest: int = 1, highest: int = HIGHEST_US, body: bytes = b"", length: int = -1
) -> bytes:
    header = (codec.get_encoding_cookie(), len(body) if length < 0 else length, 0, digits, lowest, highest, 1.0)
    return struct.pack(">IIIIQQd", *header) + body


def test_the_hand_made_payload_is_one() -> None:
    assert Histogram.decode(encoded(payload(body=b"\x02\x02"))).count == 2


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"no base64!",
        b"AAAA",
        base64.b64encode(b"\0" * 64),
        b"A" * (MAX_ENCODED + 4),
        encoded(b"short"),
        encoded(payload(digits=5, highest=2**62)),
        encoded(payload(lowest=0)),
        encoded(payload(highest=2**62)),
        encoded(payload(body=b"\x02", length=2**31)),
        encoded(payload(body=b"\xff" * 40)),
        encoded(payload(body=b"\xfe" + b"\xff" * 8)),
        encoded(payload(body=b"\x02"))[:-8],
    ],
    ids=range(13),
)
def test_hostile_bytes_are_one_error(hostile: bytes) -> None:
    with pytest.raises(HistogramError):
        Histogram.decode(hostile)


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(HistogramError):
        Histogram.decode(encoded(b"\0" * 50_000_000))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=40))
def test_any_counters_are_a_histogram_or_the_error(body: bytes) -> None:
    try:
        histogram = Histogram.decode(encoded(payload(body=body)))
    except HistogramError:
        return
    total = Histogram()
    total.add(histogram)
    assert math.isfinite(total.percentile(99))
    assert 0 <= total.percentile(50) <= total.maximum or not total.count
