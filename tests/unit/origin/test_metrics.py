from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from headwater.origin.metrics import OriginMetrics


def test_series_go_with_their_rendition() -> None:
    registry = CollectorRegistry()
    metrics = OriginMetrics(registry)
    for name in ("one", "two"):
        metrics.parts.labels(name, "source").inc()
        metrics.bitrate.labels(name, "source").set(5)
    metrics.remove("one", "source")
    metrics.remove("one", "source")
    text = generate_latest(registry).decode()
    assert 'stream="one"' not in text
    assert 'headwater_origin_parts_total{rendition="source",stream="two"} 1.0' in text
