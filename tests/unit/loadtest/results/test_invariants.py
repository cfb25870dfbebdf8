from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.loadtest.records import Count, Timing
from headwater.loadtest.results import InvariantError, check_invariant, judge, series_of
from headwater.loadtest.results.figures import Figures, Lags
from headwater.loadtest.results.histograms import Histogram
from headwater.loadtest.results.invariants import NAMES, Kind, parse

FIGURES = Figures(
    "storm",
    10.0,
    counts={Count.FATAL: 2, Count.STALLED_US: 500_000, Count.WATCHED_US: 999_500_000, Count.BYTES: 125_000_000},
    errors={"reset part": 3},
    timings={Timing.PART: Histogram.of([100_000] * 99 + [400_000])},
    viewers=70,
    server={"cpu": 0.8, "memory": 2e8, "parts": 10.0, "origin_requests": 19.0, "headwater_edge_refused_total": 4.0},
)


@pytest.mark.parametrize(
    ("invariant", "ok"),
    [
        ("fatal == 2", True),
        ("fatal != 2", False),
        ("fatal<3", True),
        ("  fatal  <=  1 ", False),
        ("stall_ratio < 0.1 %", True),
        ("stall_ratio < 0.05%", False),
        ("stall_ratio < 0.001", True),
        ("part p99 < 250 ms", True),
        ("part p99.9 < 250 ms", False),
        ("part max > 0.399 s", True),
        ("part p50 >= 99000 us", True),
        ("part max < 1 min", True),
        ("part max > 0", True),
        ("stalled <= 500 ms", True),
        ("watched > 16 min", True),
        ("errors <= 2", False),
        ("error_ratio == 100 %", True),
        ("mbit_s >= 100", True),
        ("mbit_s >= 0.1 Gbit/s", True),
        ("bytes == 125 MB", True),
        ("viewers > 70", False),
        ("server_cpu < 1", True),
        ("server_memory < 100 MiB", False),
        ("origin_requests_per_part <= 2", True),
        ("headwater_edge_refused_total == 0", False),
    ],
)
def test_judged(invariant: str, ok: bool) -> None:
    verdict = judge(invariant, FIGURES)
    assert (verdict.ok, verdict.phase, verdict.invariant, verdict.note) == (ok, "storm", invariant, "")
    assert verdict.measured is not None


def test_the_measured_value_is_in_base_units_and_readable() -> None:
    verdict = judge("part p99 < 250 ms", FIGURES)
    assert verdict.measured == pytest.approx(0.1, rel=0.001)
    assert verdict.shown == "100 ms"
    assert judge("stall_ratio < 1 %", FIGURES).shown == "0.05 %"
    assert judge("mbit_s > 1", FIGURES).shown == "100 Mbit/s"


@pytest.mark.parametrize("invariant", ["startup p99 < 3 s", "headwater_edge_held < 5", "stall max == 0"])
def test_what_nobody_measured_is_broken(invariant: str) -> None:
    verdict = judge(invariant, FIGURES)
    assert (verdict.ok, verdict.measured, verdict.shown) == (False, None, "not measured")
    assert verdict.note


def test_without_metrics_the_servers_figures_are_broken() -> None:
    verdict = judge("origin_requests_per_part <= 2", Figures("x", 1.0))
    assert not verdict.ok
    assert "/metrics" in verdict.note


def test_a_percentile_that_does_not_hold_says_so() -> None:
    figures = Figures("x", 1.0, timings={Timing.PART: Histogram.of([10_000])}, lags=Lags((3_000,), (3_000,)))
    verdict = judge("part p99 < 250 ms", figures)
    assert verdict.ok
    assert verdict.note == "invalid: the generator's own lag was 3.00 ms"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fatl == 0", "did you mean 'fatal'"),
        ("stal_ratio < 1 %", "did you mean 'stall_ratio'"),
        ("latncy p99 < 1 s", "did you mean 'latency'"),
        ("Part p99 < 1 s", "did you mean 'part'"),
        ("part p99 < 250", "measured in us, µs, ms, s, min"),
        ("part < 250 ms", "`part p99`"),
        ("part p0 < 250 ms", "p0 is no percentile"),
        ("part p101 < 250 ms", "p101 is no percentile"),
        ("part p9.9.9 < 250 ms", "no percentile"),
        ("fatal p99 == 0", "fatal has no p99"),
        ("fatal == 1 ms", "measured in no unit"),
        ("stall_ratio < 1 ms", "measured in no unit, %"),
        ("fatal = 0", "is no invariant"),
        ("fatal == -1", "is no invariant"),
        ("fatal == 1e9", "is no invariant"),
        ("fatal == " + "9" * 30, "is no invariant"),
        ("", "is no invariant"),
        ("fatal == 0; rm -rf /", "is no invariant"),
        ("x" * 5000, "is no invariant"),
    ],
)
def test_refused_with_advice(text: str, says: str) -> None:
    with pytest.raises(InvariantError) as caught:
        check_invariant(text)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 1500


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        check_invariant(text)
    except InvariantError:
        return
    assert judge(text, FIGURES).phase == "storm"


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMES), st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), st.integers(0, 10**6))
def test_every_figure_can_be_judged(name: str, compare: str, value: int) -> None:
    which = " p99" if name in set(Timing) else ""
    unit = {Kind.TIME: "ms", Kind.BYTES: "B"}.get(parse(f"{name}{which} < 0").kind, "")
    text = f"{name}{which} {compare} {value} {unit}"
    parsed = parse(text)
    assert (parsed.figure, parsed.compare) == (name, compare)
    assert judge(text, FIGURES).invariant == text


def test_every_count_and_timing_has_a_name() -> None:
    assert set(Timing) <= set(NAMES)
    assert {name.value.removesuffix("_us") for name in Count} <= set(NAMES)


def test_the_series_that_the_scrape_has_to_keep() -> None:
    texts = ["fatal == 0", "headwater_edge_held < 5", "process_open_fds < 9", "part p99 < 1 s"]
    assert series_of(texts) == {"headwater_edge_held", "process_open_fds"}
