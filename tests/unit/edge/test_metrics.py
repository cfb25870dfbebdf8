"""What Prometheus is told."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry
from tests.edge_kit import Script, Viewer, make_core

from headwater.edge.message import Failure, Outcome, Purpose, UpstreamAnswer, UpstreamRequest
from headwater.edge.metrics import Metrics, Wakes


def test_wakes_are_timed_from_the_news_on() -> None:
    wakes = Wakes()
    wakes.waking(3)
    wakes.woke(3)
    assert (wakes.spread.count, wakes.delay.count, wakes.first_byte.count) == (1, 0, 0)
    wakes.landed(UpstreamRequest("/p", Purpose.PLAYLIST), time.perf_counter(), answered(0.0))
    wakes.waking(3)
    wakes.woke(3)
    wakes.handed(2)
    assert (wakes.spread.count, wakes.delay.count, wakes.first_byte.count) == (2, 1, 5)
    assert 0.0 <= wakes.first_byte.sum < 1.0


def test_filling_counts_what_was_asked_for_whole_and_what_was_held_from_its_news_on() -> None:
    wakes = Wakes()
    now = time.perf_counter()
    wakes.landed(UpstreamRequest("/s", Purpose.OBJECT), now - 3.0, answered(now - 2.5))
    assert 3.0 <= wakes.fill.sum < 3.5
    before = wakes.fill.sum
    # Held for 9 s, then 1 s of transfer; the quickest way there and back was half a second.
    wakes.landed(UpstreamRequest("/p", Purpose.PREFETCH), now - 10.0, answered(now - 1.0))
    assert 1.25 <= wakes.fill.sum - before < 1.75
    wakes.landed(UpstreamRequest("/p", Purpose.PREFETCH), now, UpstreamAnswer(0.0, 0.0, failure=Failure.RESET))
    wakes.landed(UpstreamRequest("/p", Purpose.PREFETCH), now, UpstreamAnswer(0.0, 0.0, 404))
    assert wakes.fill.count == 2


def answered(began: float) -> UpstreamAnswer:
    return UpstreamAnswer(0.0, 0.0, 200, began=began or time.perf_counter())


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
