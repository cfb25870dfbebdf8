"""The metrics of upstreams: read from the tier when they are scraped. The label is the upstream's name."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from .breaker import BreakerState
from .tiers import Tiers

Family = CounterMetricFamily | GaugeMetricFamily


class TierMetrics(Collector):
    """Registered once per edge."""

    def __init__(self, tiers: Tiers, registry: CollectorRegistry) -> None:
        self._tiers = tiers
        registry.register(self)

    def collect(self) -> Iterable[Family]:
        """All families of this edge's upstreams."""
        yield from self._states()
        yield from self._counts()

    def _states(self) -> Iterable[Family]:
        up = GaugeMetricFamily("headwater_edge_upstream_up", "1: it takes requests", labels=["upstream"])
        breaker = GaugeMetricFamily(
            "headwater_edge_upstream_breaker", "1 for the state of its circuit breaker", labels=["upstream", "state"]
        )
        streams = GaugeMetricFamily(
            "headwater_edge_upstream_streams", "Streams that are asked of it, of the last minute", labels=["upstream"]
        )
        for member in self._tiers.members:
            up.add_metric([member.name], float(member.up))
            streams.add_metric([member.name], member.streams)
            for state in BreakerState:
                breaker.add_metric([member.name, state.value], float(member.breaker.state is state))
        yield from (up, breaker, streams)

    def _counts(self) -> Iterable[Family]:
        requests = CounterMetricFamily(
            "headwater_edge_upstream_requests", "Requests to it that ended, by result", labels=["upstream", "result"]
        )
        failovers = CounterMetricFamily(
            "headwater_edge_upstream_failovers",
            "Requests that it failed and another upstream was asked for",
            labels=["upstream"],
        )
        hedges = CounterMetricFamily(
            "headwater_edge_upstream_hedges",
            "Requests that it got because another upstream was overdue: answered first, or not",
            labels=["upstream", "outcome"],
        )
        frozen = CounterMetricFamily(
            "headwater_edge_upstream_frozen", "Playlists that made no progress there", labels=["upstream"]
        )
        taken = CounterMetricFamily(
            "headwater_edge_upstream_takeovers",
            "Playlists that go on there, from another upstream: with the same names, or with others",
            labels=["upstream", "names"],
        )
        for member in self._tiers.members:
            name, counts = member.name, member.counts
            for result, count in counts.requests.items():
                requests.add_metric([name, result], count)
            failovers.add_metric([name], counts.failovers)
            hedges.add_metric([name, "won"], counts.hedges_won)
            hedges.add_metric([name, "lost"], counts.hedges - counts.hedges_won)
            frozen.add_metric([name], counts.frozen)
            taken.add_metric([name, "same"], counts.taken_over - counts.taken_over_changed)
            taken.add_metric([name, "changed"], counts.taken_over_changed)
        yield from (requests, failovers, hedges, frozen, taken)
