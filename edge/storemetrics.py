"""The metrics of what is kept, marked and purged: read when they are scraped."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from .core import Core

Family = CounterMetricFamily | GaugeMetricFamily


class StoreMetrics(Collector):
    """Registered once per edge."""

    def __init__(self, core: Core, registry: CollectorRegistry) -> None:
        self._core = core
        registry.register(self)

    def collect(self) -> Iterator[Family]:
        """All families of what this edge keeps."""
        yield from self._marks()

    def _marks(self) -> Iterator[Family]:
        alone = self._core.alone
        yield GaugeMetricFamily(
            "headwater_edge_hit_for_miss", "URLs that nobody queues for: their answers may not be shared", len(alone)
        )
        marked = CounterMetricFamily(
            "headwater_edge_hit_for_miss_marked", "URLs found to have answers for one viewer only", labels=["reason"]
        )
        for why, count in alone.counts.items():
            marked.add_metric([why.value], count)
        yield marked
