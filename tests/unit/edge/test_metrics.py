"""What Prometheus is told."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from tests.edge_kit import Script, Viewer, make_core

from headwater.edge.message import Outcome, Purpose, UpstreamAnswer
from headwater.edge.metrics import BOUNDS_S, Histogram, Metrics, Wakes


def test_a_histogram_is_cumulative() -> None:
    histogram = Histogram()
    for seconds in (0.0005, 0.001, 0.003, 99.0):
        histogram.observe(seconds)
    samples = {(s.name, s.labels.get("le")): s.value for s in histogram.family("h", "d").samples}
    assert samples["h_bucket", "0.001"] == 2
    assert samples["h_bucket", "0.005"] == 3
    assert samples["h_bucket", "+Inf"] == samples["h_count", None] == 4
    assert len(samples) == len(BOUNDS_S) + 3


def test_wakes_are_timed() -> None:
    wakes = Wakes()
    wakes.waking(3)
    wakes.woke(3)
    assert wakes.spread.family("h", "d").samples[-1].value >= 0
    assert [s.value for s in wakes.delay.family("h", "d").samples if s.name == "h_count"] == [0]
    wakes.arrived = 1e-9
    wakes.woke(3)
    assert [s.value for s in wakes.delay.family("h", "d").samples if s.name == "h_count"] == [1]


def test_all_families_are_there_and_labels_are_bounded() -> None:
    registry = CollectorRegistry()
    core = make_core(Script())
    metrics = Metrics(core, Wakes(), registry)
    Viewer(core).get("/healthz", 1.0)
    core.tally.fetched(Purpose.PREFETCH, UpstreamAnswer(0.0, 0.0, 200))
    core.tally.refuse("head")
    core.tally.bytes_sent = 7
    value = registry.get_sample_value
    assert value("headwater_edge_requests_total", {"outcome": Outcome.REJECT.value}) == 1
    assert value("headwater_edge_upstream_fetches_total", {"purpose": "prefetch", "result": "2xx"}) == 1
    assert value("headwater_edge_refused_total", {"reason": "head"}) == 1
    assert value("headwater_edge_sent_bytes_total") == 7
    for name in ("held", "connections", "followers", "flights", "store_bytes", "store_objects"):
        assert value(f"headwater_edge_{name}") == 0
    assert {sample.name for family in metrics.collect() for sample in family.samples} >= {
        "headwater_edge_wake_spread_seconds_count",
        "headwater_edge_publish_to_write_seconds_count",
        "headwater_edge_slow_readers_closed_total",
        "headwater_edge_store_evictions_total",
    }
