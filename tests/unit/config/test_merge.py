"""Metrics of several processes as those of one edge."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from headwater.config.merge import Family, Sample, as_one, labelled, value_of, watching
from headwater.config.report import families_of, metrics_of


def process(requests: int, viewers: int, lag: float) -> tuple[Family, ...]:
    registry = CollectorRegistry()
    counter = Counter("headwater_edge_requests", "Requests answered", ["outcome"], registry=registry)
    counter.labels("hit").inc(requests)
    upstream = Counter("headwater_edge_upstream_fetches", "Upstream requests", ["result"], registry=registry)
    upstream.labels("2xx").inc(requests / 10)
    Gauge("headwater_edge_stream_viewers", "Viewers", ["stream"], registry=registry).labels("show").set(viewers)
    stages = Histogram("headwater_stage_seconds", "Stages", ["stage"], buckets=(0.1, 1.0), registry=registry)
    for stage in ("edge_fill", "first_byte"):
        stages.labels(stage).observe(lag)
    return families_of(registry)


PROCESSES = {"0": process(10, 5, 0.05), "1": process(30, 6, 0.5), "node": process(100, 2, 0.05)}


def text(families: list[Family]) -> str:
    class Figures(CollectorRegistry):
        def collect(self):  # type: ignore[no-untyped-def]
            return metrics_of(families)

    return generate_latest(Figures()).decode()


def test_each_series_says_whose_it_is_and_none_is_there_twice() -> None:
    families = labelled(PROCESSES)
    page = text(families)
    assert 'headwater_edge_requests_total{outcome="hit",worker="0"} 10.0' in page
    assert 'headwater_stage_seconds_bucket{le="0.1",stage="edge_fill",worker="node"} 1.0' in page
    lines = [line for line in page.splitlines() if not line.startswith("#")]
    series = [line.rpartition(" ")[0] for line in lines]
    assert len(series) == len(set(series))
    names = [line for line in page.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names)), "one head for each name"
    # A page that the parser of the client library reads, with sums over workers as Prometheus would make them
    parsed = {metric.name: metric for metric in text_string_to_metric_families(page)}
    hits = [sample.value for sample in parsed["headwater_edge_requests"].samples if sample.name.endswith("_total")]
    assert sum(hits) == 140


def test_viewers_are_merged_and_not_labelled() -> None:
    assert "headwater_edge_stream_viewers" not in {family.name for family in labelled(PROCESSES)}
    page = text(watching({("show", ""): 9, ("show", "720p"): 7}))
    assert 'headwater_edge_stream_viewers{stream="show"} 9.0' in page
    assert 'headwater_edge_viewers{rendition="720p",stream="show"} 7.0' in page


def test_as_one_hears_each_side_from_those_who_are_on_it() -> None:
    wanted = frozenset(
        ("headwater_edge_requests_total", "headwater_edge_upstream_fetches_total", "headwater_stage_seconds_count")
    )
    one = as_one(PROCESSES, wanted)
    assert one == {
        ("headwater_edge_requests_total", (("outcome", "hit"),)): 40.0,
        ("headwater_edge_upstream_fetches_total", (("result", "2xx"),)): 10.0,
        ("headwater_stage_seconds_count", (("stage", "edge_fill"),)): 1.0,
        ("headwater_stage_seconds_count", (("stage", "first_byte"),)): 2.0,
    }


def test_the_sum_of_one_name() -> None:
    families = (Family("a", "gauge", "x", (Sample("a", (("b", "1"),), 2.0), Sample("a", (("b", "2"),), 3.0))),)
    assert (value_of(families, "a"), value_of(families, "c")) == (5.0, 0.0)
