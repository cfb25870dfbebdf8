from __future__ import annotations

import dataclasses

import pytest
from tests.results_kit import run, tick

from headwater.loadtest.records import Count, PhaseSpan, ServerSample, Timing
from headwater.loadtest.results.document import to_json
from headwater.loadtest.results.figures import Figures, Lags, figures_of, figures_of_run, server_figures
from headwater.loadtest.results.histograms import Histogram
from headwater.loadtest.results.markdown import to_markdown

SPAN = PhaseSpan("all", 0, 10)


def test_two_processes_are_added_up() -> None:
    figures = figures_of(
        SPAN,
        [
            tick(0, 0, part=[1000] * 99, counts={Count.PARTS: 3, Count.JOINED: 7}, viewers=5, cpu=0.4),
            tick(0, 1, part=[9000], counts={Count.PARTS: 4}, errors={"reset part": 1}, viewers=6, cpu=0.7),
            tick(1, 0, counts={Count.PARTS: 5}, errors={"reset part": 2}, viewers=8),
        ],
        (),
    )
    assert figures.count(Count.PARTS) == 12
    assert figures.errors == {"reset part": 3}
    assert figures.error_ratio == pytest.approx(3 / 15)
    assert figures.viewers == 11, "of one second, over the processes"
    assert figures.joins_per_second == pytest.approx(0.7)
    assert figures.cpu == 0.7
    assert figures.percentile_us(Timing.PART, 50) == pytest.approx(1000, rel=0.001)
    assert figures.percentile_us(Timing.PART, 100) == pytest.approx(9000, rel=0.001)
    assert figures.percentile_us(Timing.STALL, 50) is None


def test_only_ticks_inside_count() -> None:
    ticks = [tick(second, counts={Count.PARTS: 1}) for second in range(10)]
    assert figures_of(PhaseSpan("", 2.0, 5.0), ticks, ()).count(Count.PARTS) == 3
    assert figures_of(PhaseSpan("", 2.4, 5.4), ticks, ()).count(Count.PARTS) == 3
    assert figures_of(PhaseSpan("", 2.6, 5.6), ticks, ()).count(Count.PARTS) == 3, "a tick belongs where its middle is"


def test_ratios() -> None:
    figures = Figures(
        "x", 2.0, {Count.STALLED_US: 1_000_000, Count.WATCHED_US: 999_000_000, Count.BYTES: 500_000, Count.JOINED: 4}
    )
    assert figures.stall_ratio == pytest.approx(0.001)
    assert figures.bits_per_second == 2_000_000
    assert figures.joins_per_second == 2


def test_ratios_of_nothing_are_zero() -> None:
    empty = Figures("x", 0.0)
    assert (empty.stall_ratio, empty.error_ratio, empty.bits_per_second, empty.joins_per_second) == (0, 0, 0, 0)
    assert empty.origin_requests_per_part is None
    assert empty.holds(Timing.PART, 50)


def test_a_percentile_holds_up_to_a_fifth_of_lag() -> None:
    part = [10_000] * 100
    fine = figures_of(SPAN, [tick(part=part, lag_us=4_000)], ())  # the kit's p99 is half of it
    assert fine.holds(Timing.PART, 99)
    assert not fine.holds(Timing.PART, 100), "the maximum stands against the largest lag"
    assert not figures_of(SPAN, [tick(part=part, lag_us=4_100)], ()).holds(Timing.PART, 99)


def test_one_bad_second_spoils_the_tail_and_not_the_median() -> None:
    ticks = [tick(second, part=[10_000], lag_us=100_000 if second == 4 else 200) for second in range(10)]
    figures = figures_of(SPAN, ticks, ())
    assert figures.holds(Timing.PART, 50)
    assert figures.holds(Timing.PART, 90)
    assert not figures.holds(Timing.PART, 99)


def test_lag_at_a_percentile() -> None:
    lags = Lags(p99=(1, 2, 3, 4), largest=(10, 20, 30, 40))
    assert [lags.at(percent) for percent in (1, 50, 75, 76, 99, 99.9, 100)] == [1, 2, 3, 4, 4, 40, 40]
    assert Lags().at(99) == 0


def test_server_counters_grow_from_the_sample_before() -> None:
    samples = [ServerSample(float(second), {"parts": second * 4.0, "cpu": second / 10}) for second in range(10)]
    figures = server_figures(PhaseSpan("", 3.5, 6.0), samples)
    assert figures == {"parts": 12.0, "cpu": 0.6}


def test_server_figures_need_two_samples_of_a_counter() -> None:
    assert server_figures(SPAN, [ServerSample(1.0, {"parts": 4.0, "memory": 7.0})]) == {"memory": 7.0}
    assert server_figures(PhaseSpan("", 5, 9), [ServerSample(1.0, {"parts": 4.0})]) == {}


def test_origin_requests_per_part_prefer_the_origins_own_count() -> None:
    server = {"parts": 10.0, "origin_requests": 15.0, "edge_fetches": 40.0}
    assert Figures("x", 1.0, server=server).origin_requests_per_part == 1.5
    assert Figures("x", 1.0, server={"parts": 10.0, "edge_fetches": 40.0}).origin_requests_per_part == 4
    assert Figures("x", 1.0, server={"parts": 0.0, "edge_fetches": 40.0}).origin_requests_per_part is None


def test_the_whole_run_comes_first() -> None:
    result = run(12, samples=4)
    whole, *phases = figures_of_run(result)
    assert [one.name for one in phases] == [span.name for span in result.phases]
    assert whole.count(Count.PARTS) == sum(one.count(Count.PARTS) for one in phases)


def test_the_figures_of_a_run_are_added_up_once() -> None:
    result = run(3, samples=2)
    assert figures_of_run(result) is figures_of_run(result)
    assert figures_of_run(dataclasses.replace(result, ticks=()))[0].count(Count.PARTS) == 0


def test_whatever_the_sums_depend_on_is_another_run() -> None:
    result = run(3, samples=2)
    figures = figures_of_run(result)
    assert figures_of_run(dataclasses.replace(result, verdicts=(), invalid=("x",))) is figures
    assert len(figures_of_run(dataclasses.replace(result, phases=()))) == 1
    assert "parts" not in figures_of_run(dataclasses.replace(result, server=()))[0].server
    assert figures_of_run(dataclasses.replace(result, seconds=60.0))[0].seconds == 60


def test_judging_and_reporting_decode_each_tick_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decode, decoded = Histogram.decode, list[bytes]()

    def counted(data: bytes) -> Histogram:
        decoded.append(data)
        return decode(data)

    monkeypatch.setattr(Histogram, "decode", counted)
    result = run(3, samples=2)
    assert result.verdicts
    to_json(result)
    to_markdown(result)
    assert len(decoded) == sum(len(tick.timings) for tick in result.ticks)
