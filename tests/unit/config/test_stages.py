from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from headwater.config.stages import BOUNDS_S, Stage, StageTime, StageTimes


def test_a_stage_is_there_before_anything_passed_it() -> None:
    registry = CollectorRegistry(auto_describe=True)
    StageTimes(registry, {Stage.INGEST: StageTime(), Stage.EDGE_FILL: StageTime()})
    text = generate_latest(registry).decode()
    assert text.count("# TYPE headwater_stage_seconds histogram") == 1
    assert 'headwater_stage_seconds_count{stage="ingest"} 0.0' in text
    assert 'headwater_stage_seconds_count{stage="edge_fill"} 0.0' in text


def test_buckets_are_cumulative_and_a_bound_belongs_to_its_bucket() -> None:
    time = StageTime()
    for seconds in (0.0005, 0.001, 0.0011, 7.0):
        time.observe(seconds)
    found = dict(time.buckets())
    assert (found["0.001"], found["0.0025"], found["5.0"], found["+Inf"]) == (2, 3, 3, 4)
    assert time.count == 4
    assert abs(time.sum - 7.0026) < 1e-9


def test_a_clock_that_was_read_before_counts_as_nothing() -> None:
    time = StageTime()
    time.observe(-0.5)
    assert time.buckets()[0] == (str(BOUNDS_S[0]), 1)
    assert time.sum == 0.0


def test_bounds_rise() -> None:
    assert list(BOUNDS_S) == sorted(set(BOUNDS_S))
