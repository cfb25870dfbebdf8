"""The metrics of what is kept, marked and purged: read when they are scraped."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from .core import Core
from .disk import Disk
from .diskformat import Drop
from .purge import What

Family = CounterMetricFamily | GaugeMetricFamily


class StoreMetrics(Collector):
    """Registered once per edge."""

    def __init__(self, core: Core, disk: Disk | None, registry: CollectorRegistry) -> None:
        """`disk`: None while there is none; its metrics are 0 then."""
        self._core = core
        self._disk = disk
        registry.register(self)

    def collect(self) -> Iterator[Family]:
        """All families of what this edge keeps."""
        yield from self._marks()
        yield from self._purges()
        yield from self._on_disk()

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

    def _on_disk(self) -> Iterator[Family]:
        disk = self._disk
        yield CounterMetricFamily(
            "headwater_edge_disk_hits", "Objects read from the disk tier", value=disk.hits if disk else 0
        )
        yield CounterMetricFamily(
            "headwater_edge_disk_writes", "Objects written to the disk tier", value=disk.writes if disk else 0
        )
        yield GaugeMetricFamily(
            "headwater_edge_disk_bytes", "Bytes of the disk tier's files", disk.held_bytes if disk else 0
        )
        yield GaugeMetricFamily(
            "headwater_edge_disk_objects", "Objects in the disk tier", len(disk.index) if disk else 0
        )
        drops = CounterMetricFamily(
            "headwater_edge_disk_drops", "Objects that the disk tier lost or left out", labels=["reason"]
        )
        for why in Drop:
            drops.add_metric([why.value], disk.drops[why] if disk else 0)
        yield drops

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
