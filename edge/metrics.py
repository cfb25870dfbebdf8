"""The edge's metrics: a collector over the core's plain counters, and two histograms of wake-ups.

Why not prometheus_client's own counters: a labelled increment costs a lock and a lookup per request.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from headwater.config.histogram import Histogram
from headwater.config.stages import StageTime

from . import reports
from .core import Core
from .message import Purpose, UpstreamAnswer, UpstreamRequest
from .tokens import Verdict

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
ROUND_TRIP_GROWTH = 1.001
"""Per answer. Why: some hundred answers a minute, so a way that became longer is known as such within minutes."""


class Wakes:
    """`core.Observer`, and told by the fetcher of every answer: how long what is new takes to reach viewers."""

    def __init__(self) -> None:
        self.spread = Histogram(BOUNDS_S)
        """From the first to the last answer of one wake."""
        self.delay = Histogram(BOUNDS_S)
        """From a playlist's last byte to the last answer of its wake."""
        self.fill = StageTime()
        self.first_byte = StageTime()
        self._began = 0.0
        self._round_trip = float("inf")
        """To the upstream and back, at its quickest; seconds."""
        self.failed: str | None = None
        """Why the newest upstream request failed; None: it did not."""
        self.heard = 0.0
        """When the upstream last gave an answer; perf_counter seconds, 0: never."""
        self.arrived = 0.0
        """perf_counter seconds at which the upstream's last byte came."""

    def landed(self, request: UpstreamRequest, asked: float, answer: UpstreamAnswer) -> None:
        """An upstream request ended that was sent at `asked`, perf_counter seconds; nobody was answered yet."""
        self.arrived = time.perf_counter()
        if answer.failure is not None or answer.status >= 500:
            self.failed = answer.failure.reason if answer.failure is not None else f"it answers {answer.status}"
            return
        self.failed, self.heard = None, self.arrived
        if answer.status not in (200, 206):
            return
        began = answer.began
        # The quickest of late: it is believed a little less with each answer, for ways change.
        self._round_trip = min(began - asked, self._round_trip * ROUND_TRIP_GROWTH)
        since = asked
        if request.purpose is not Purpose.OBJECT:
            # The upstream held it: counted from when it had news, which came half a round trip before its first byte.
            since = max(asked, began - self._round_trip / 2)
        self.fill.observe(self.arrived - since)

    def read(self) -> None:
        """An object came from the disk; nobody was answered yet."""
        self.arrived = time.perf_counter()

    def waking(self, count: int) -> None:
        """The first answer is about to be written."""
        self._began = time.perf_counter()

    def woke(self, count: int) -> None:
        """The last one was."""
        now = time.perf_counter()
        self.spread.observe(now - self._began)
        if self.arrived:
            self.delay.observe(now - self.arrived)
            self.first_byte.spread(self._began - self.arrived, now - self.arrived, count)

    def handed(self, count: int) -> None:
        """All who waited for an object have it."""
        if count and self.arrived:
            self.first_byte.spread(0.0, time.perf_counter() - self.arrived, count)


class Metrics(Collector):
    """Registered once per edge; reads when it is scraped."""

    def __init__(self, core: Core, wakes: Wakes, registry: CollectorRegistry) -> None:
        self._core = core
        self._wakes = wakes
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
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
        broken = CounterMetricFamily(
            "headwater_edge_fills_broken", "Growing answers that ended short", labels=["reason"]
        )
        for reason, count in tally.fills.broken.items():
            broken.add_metric([reason], count)
        yield broken
        tokens = CounterMetricFamily(
            "headwater_edge_tokens", "Requests by what became of their playback token", labels=["outcome"]
        )
        for verdict in Verdict:
            tokens.add_metric([verdict.label], core.gate.counts[verdict] if core.gate is not None else 0)
        yield tokens
        for name, text, value in (
            ("headwater_edge_sent_bytes", "Bytes written to viewers", tally.bytes_sent),
            ("headwater_edge_connections_accepted", "Viewer connections accepted", tally.accepted),
            ("headwater_edge_woken", "Held playlist requests answered by news", tally.woken),
            ("headwater_edge_slow_readers_closed", "Connections closed for not reading", tally.slow_closed),
            ("headwater_edge_fills_streamed", "Answers sent on while they came", tally.fills.streamed),
            ("headwater_edge_fills_joined", "Viewers who joined one that grew", tally.fills.joined),
            ("headwater_edge_fills_resumed", "Upstream requests for the rest of one", tally.fills.resumed),
            ("headwater_edge_fills_bytes", "Bytes of them, as they came", tally.fills.size),
            ("headwater_edge_store_evictions", "Objects evicted to stay within edge.cache_bytes", core.store.evictions),
        ):
            yield CounterMetricFamily(name, text, value=value)
        for name, text, value in (
            ("headwater_edge_held", "Requests that wait now", tally.held),
            ("headwater_edge_connections", "Viewer connections open now", tally.connections),
            ("headwater_edge_followers", "Playlists followed now", core.followers),
            ("headwater_edge_flights", "Objects on their way from the upstream", core.flights),
            ("headwater_edge_fills", "Answers that are sent on while they come, now", core.fills),
            ("headwater_edge_store_bytes", "Bytes in the store", core.store.bytes),
            ("headwater_edge_store_objects", "Objects in the store", len(core.store)),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        for name, text, histogram in (
            ("wake_spread_seconds", "From the first to the last answer of one wake", self._wakes.spread),
            (
                "publish_to_write_seconds",
                "From a playlist's last byte to the last held answer written",
                self._wakes.delay,
            ),
        ):
            yield HistogramMetricFamily(
                f"headwater_edge_{name}", text, buckets=histogram.buckets(), sum_value=histogram.sum
            )
        yield from reports.families(core.audience)
