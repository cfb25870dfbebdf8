"""The metrics of what is kept, marked and purged: read when they are scraped."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from .core import Core
from .purge import What

Family = CounterMetricFamily | GaugeMetricFamily


class StoreMetrics(Collector):
    """Registered once per edge."""

    def __init__(self, core: Core, registry: CollectorRegistry) -> None:
        self._core = core
        registry.register(self)

    def collect(self) -> Iterator[Family]:
        """All families of what this edge keeps."""
        yield from self._marks()
        yield from self._purges()

    def _purges(self) -> Iterator[Family]:
        purges = self._core.purges
        orders = CounterMetricFamily("headwater_edge_purges", "Purges carried out", labels=["kind"])
        found = CounterMetricFamily(
            "headwater_edge_purged", "Objects removed or made stale, and playlists asked for anew", labels=["kind"]
        )
        for what in What:
            orders.add_metric([what.value], purges.orders[what])
            found.add_metric([what.value], purges.found[what])
        yield from (orders, found)

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
