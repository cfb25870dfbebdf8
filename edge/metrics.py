"""The edge's metrics: a collector over the core's plain counters, and two histograms of wake-ups.

Why not prometheus_client's own counters: a labelled increment costs a lock and a lookup per request.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from .core import Core

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class Histogram:
    """Counts per bucket, as plain numbers."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one value."""
        self._counts[bisect_left(BOUNDS_S, seconds)] += 1
        self._sum += seconds

    def family(self, name: str, documentation: str) -> HistogramMetricFamily:
        """As Prometheus wants it: cumulative."""
        buckets: list[tuple[str, float]] = []
        total = 0
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((bound, total))
        return HistogramMetricFamily(name, documentation, buckets=buckets, sum_value=self._sum)


class Wakes:
    """`core.Observer`: how long it takes from the first to the last answer of one wake."""

    def __init__(self) -> None:
        self.spread = Histogram()
        self.delay = Histogram()
        self._began = 0.0
        self.arrived = 0.0
        """perf_counter seconds at which the upstream's last byte came; set by the fetcher."""

    def waking(self, count: int) -> None:
        """The first answer is about to be written."""
        self._began = time.perf_counter()

    def woke(self, count: int) -> None:
        """The last one was."""
        now = time.perf_counter()
        self.spread.observe(now - self._began)
        if self.arrived:
            self.delay.observe(now - self.arrived)


class Metrics(Collector):
    """Registered once per edge; reads when it is scraped."""

    def __init__(self, core: Core, wakes: Wakes, registry: CollectorRegistry) -> None:
        self._core = core
        self._wakes = wakes
        registry.register(self)

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
        """All families of this edge."""
        core, tally = self._core, self._core.tally
        requests = CounterMetricFamily("headwater_edge_requests", "Requests answered, by outcome", labels=["outcome"])
        for outcome, count in tally.requests.items():
            requests.add_metric([outcome.value], count)
        yield requests
        fetches = CounterMetricFamily(
            "headwater_edge_upstream_fetches", "Upstream requests ended", labels=["purpose", "result"]
        )
        for (purpose, result), count in tally.fetches.items():
            fetches.add_metric([purpose, result], count)
        yield fetches
        refused = CounterMetricFamily("headwater_edge_refused", "Requests and connections refused", labels=["reason"])
        for reason, count in tally.refused.items():
            refused.add_metric([reason], count)
        yield refused
        if core.gate is not None:
            tokens = CounterMetricFamily(
                "headwater_edge_tokens", "Requests by what became of their playback token", labels=["outcome"]
            )
            for verdict, count in core.gate.counts.items():
                tokens.add_metric([verdict.label], count)
            yield tokens
        for name, text, value in (
            ("headwater_edge_sent_bytes", "Bytes written to viewers", tally.bytes_sent),
            ("headwater_edge_connections_accepted", "Viewer connections accepted", tally.accepted),
            ("headwater_edge_woken", "Held playlist requests answered by news", tally.woken),
            ("headwater_edge_slow_readers_closed", "Connections closed for not reading", tally.slow_closed),
            ("headwater_edge_store_evictions", "Objects evicted to stay within edge.cache_bytes", core.store.evictions),
        ):
            yield CounterMetricFamily(name, text, value=value)
        for name, text, value in (
            ("headwater_edge_held", "Requests that wait now", tally.held),
            ("headwater_edge_connections", "Viewer connections open now", tally.connections),
            ("headwater_edge_followers", "Playlists followed now", core.followers),
            ("headwater_edge_flights", "Objects on their way from the upstream", core.flights),
            ("headwater_edge_store_bytes", "Bytes in the store", core.store.bytes),
            ("headwater_edge_store_objects", "Objects in the store", len(core.store)),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        yield self._wakes.spread.family(
            "headwater_edge_wake_spread_seconds", "From the first to the last answer of one wake"
        )
        yield self._wakes.delay.family(
            "headwater_edge_publish_to_write_seconds", "From a playlist's last byte to the last held answer written"
        )
