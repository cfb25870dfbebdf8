"""Metrics of ingest without a stream."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from headwater.ingest.auth import Refusal
from headwater.ingest.metrics import IngestMetrics


def test_every_reason_is_there_from_the_start_and_streams_are_not() -> None:
    registry = CollectorRegistry()
    metrics = IngestMetrics(registry, lambda: ())
    metrics.refused.labels(Refusal.KEY.value).inc()
    assert registry.get_sample_value("headwater_ingest_refused_total", {"reason": "key"}) == 1
    for refusal in Refusal:
        assert registry.get_sample_value("headwater_ingest_refused_total", {"reason": refusal.value}) is not None
    text = generate_latest(registry).decode()
    assert "stream=" not in text
    assert "headwater_ingest_dropped_packets_total" in text
    metrics.close()
    assert "headwater_ingest_dropped_packets_total" not in generate_latest(registry).decode()
