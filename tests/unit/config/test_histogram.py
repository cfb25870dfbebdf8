from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.config.histogram import Histogram

BOUNDS = (0.001, 0.0025, 0.005, 0.01)


def test_a_histogram_is_cumulative() -> None:
    histogram = Histogram(BOUNDS)
    for seconds in (0.0005, 0.001, 0.003, 99.0):
        histogram.observe(seconds)
    assert histogram.buckets() == [("0.001", 2), ("0.0025", 2), ("0.005", 3), ("0.01", 3), ("+Inf", 4)]
    assert (histogram.count, histogram.sum) == (4, 99.0045)


def test_a_line_answered_one_by_one_is_spread_over_its_time() -> None:
    histogram = Histogram(BOUNDS)
    histogram.spread(0.0, 0.01, 1_000)
    assert histogram.buckets() == [("0.001", 100), ("0.0025", 250), ("0.005", 500), ("0.01", 1000), ("+Inf", 1000)]
    histogram.spread(0.02, 0.02, 5)
    histogram.spread(0.002, 0.002, 7)
    assert histogram.counts == [100, 157, 250, 500, 5]


@given(
    st.floats(0, 0.02), st.floats(0, 0.02), st.integers(0, 50)
)  # fmt: skip
@settings(max_examples=60)
def test_nothing_of_a_line_is_lost(first: float, width: float, times: int) -> None:
    histogram = Histogram(BOUNDS)
    histogram.spread(first, first + width, times)
    assert histogram.count == times
    assert min(histogram.counts) >= 0
