from __future__ import annotations

import pytest
from tests.results_kit import CLOCK, MACHINE, tick

from headwater.loadtest.records import Count, PhaseSpan, Timing
from headwater.loadtest.results import Collector, RunResult
from headwater.loadtest.results.collector import Snapshot, bottlenecks
from headwater.loadtest.results.histograms import Histogram


def result_of(collector: Collector, *phases: PhaseSpan, seconds: float = 3.0) -> RunResult:
    return collector.result(
        url="http://x/index.m3u8",
        started=1.0,
        seconds=seconds,
        scenario="s",
        command="headwater loadtest",
        machine=MACHINE,
        clock=CLOCK,
        phases=phases,
    )


def test_a_snapshot_is_of_all_processes() -> None:
    collector = Collector()
    assert collector.snapshot() == Snapshot()
    collector.add(tick(0, 0, part=[1000] * 50, counts={Count.JOINED: 3, Count.BYTES: 10, Count.STALLS: 1}, lag_us=900))
    collector.add(tick(0, 1, part=[9000] * 50, counts={Count.JOINED: 4}, errors={"reset part": 2}, viewers=1, cpu=0.5))
    now = collector.snapshot()
    assert (now.second, now.viewers, now.playing, now.joins, now.bits, now.errors) == (0, 11, 11, 7, 80, 2)
    assert (now.stalls, now.cpu, now.lag_us, now.error_total) == (1, 0.5, 900, 2)
    assert now.part_p50_us == pytest.approx(1000, rel=0.001)
    assert now.part_p99_us == pytest.approx(9000, rel=0.001)


def test_a_snapshot_waits_for_the_slower_process_but_not_for_a_silent_one() -> None:
    collector = Collector()
    for process in (0, 1):
        collector.add(tick(0, process))
    collector.add(tick(1, 0))
    assert collector.snapshot().second == 0
    for second in (2, 3, 4):
        collector.add(tick(second, 0))
    assert collector.snapshot().second == 2
    assert collector.snapshot().viewers == 10


def test_viewers_without_parts_show_segments() -> None:
    collector = Collector()
    collector.add(tick())
    assert collector.snapshot().part_p50_us is None
    segment = tick(1)
    collector.add(type(segment)(0, 1, 1, 1, timings={Timing.SEGMENT: Histogram.of([5000]).encode()}))
    assert collector.snapshot().part_p50_us == pytest.approx(5000, rel=0.001)


def test_a_tick_that_comes_twice_counts_once() -> None:
    collector = Collector()
    collector.add(tick(0, counts={Count.PARTS: 4}, errors={"x": 3}))
    collector.add(tick(0, counts={Count.PARTS: 5}, errors={"x": 1}))
    now = collector.snapshot()
    assert (now.totals[Count.PARTS], now.error_total) == (5, 1)
    assert len(collector.ticks()) == 1


def test_the_result_has_every_tick_in_order_and_the_phases_judged() -> None:
    collector = Collector()
    for second, process in ((2, 0), (0, 1), (1, 0), (0, 0), (1, 1), (2, 1)):
        collector.add(tick(second, process, counts={Count.FATAL: second}))
    phases = (PhaseSpan("a", 0, 1, ("fatal == 0",)), PhaseSpan("b", 1, 3, ("fatal == 0", "fatal == 6")))
    result = result_of(collector, *phases)
    assert [(t.second, t.process) for t in result.ticks] == [(s, p) for s in range(3) for p in range(2)]
    assert [(v.phase, v.ok) for v in result.verdicts] == [("a", True), ("b", False), ("b", True)]
    assert result.failed
    assert not result.invalid


def test_a_generator_that_was_too_busy_makes_the_run_invalid() -> None:
    collector = Collector()
    for second in range(200):
        collector.add(tick(second, 0, cpu=0.95 if second in range(50, 56) else 0.3))
        collector.add(tick(second, 1, cpu=0.89))
    result = result_of(collector, seconds=200)
    assert len(result.invalid) == 1
    assert "process 0 used more than 90% of a core in 6 of 200 s, up to 6 s in a row" in result.invalid[0]
    assert result.failed, "though no invariant is broken"


def test_five_seconds_in_a_row_or_a_twentieth_may_be_busy() -> None:
    busy = [tick(second, cpu=0.95 if second in range(50, 55) else 0.3) for second in range(200)]
    assert not bottlenecks(busy, 200)
    assert not bottlenecks([tick(second, cpu=0.95 if second % 20 == 0 else 0.3) for second in range(200)], 200)
    assert bottlenecks([tick(second, cpu=0.95 if second % 19 == 0 else 0.3) for second in range(200)], 200)


def test_a_process_that_was_kept_from_its_cpu_makes_the_run_invalid() -> None:
    late = [tick(second, lag_us=1_500_000 if second == 7 else 900) for second in range(40)]
    assert bottlenecks(late, 40) == ("generator process 0 was kept from its CPU, or by its work, for 1.5 s",)
    assert not bottlenecks([tick(second, lag_us=900_000) for second in range(40)], 40)


def test_a_process_that_fell_silent_makes_the_run_invalid() -> None:
    ticks = [tick(second, process) for second in range(40) for process in (0, 1) if process == 0 or second < 30]
    assert bottlenecks(ticks, 40) == ("generator process 1 did not report 10 of 40 s",)
    assert not bottlenecks([tick(second) for second in range(39)], 40)
