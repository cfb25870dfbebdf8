"""Metrics of the viewers' TLS listener, read when they are scraped; without one they have no series."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .tls import Certificates
from .tlsserver import TlsServer


class TlsMetrics(Collector):
    """Registered once per edge."""

    def __init__(
        self, server: TlsServer | None, certificates: Certificates | None, registry: CollectorRegistry
    ) -> None:
        self._server = server
        self._certificates = certificates
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """All families of this listener."""
        connections = CounterMetricFamily(
            "headwater_edge_tls_connections",
            "TLS connections of viewers, by protocol and TLS version",
            labels=["protocol", "version"],
        )
        for kind, count in (self._server.connections if self._server is not None else {}).items():
            connections.add_metric(kind, count)
        yield connections
        failed = CounterMetricFamily(
            "headwater_edge_tls_handshakes_failed", "TLS handshakes that were not done", labels=["reason"]
        )
        for reason, count in (self._server.failed if self._server is not None else {}).items():
            failed.add_metric([reason], count)
        yield failed
        reloads = CounterMetricFamily(
            "headwater_edge_tls_reloads", "Changed certificate files read, by result", labels=["result"]
        )
        for result, count in (self._certificates.reloads if self._certificates is not None else {}).items():
            reloads.add_metric([result], count)
        yield reloads
        expiry = GaugeMetricFamily(
            "headwater_edge_tls_certificate_expiry_timestamp_seconds",
            "When each certificate ends, Unix time",
            labels=["certificate"],
        )
        for name, unix in (self._certificates.expiries() if self._certificates is not None else {}).items():
            expiry.add_metric([name], unix)
        yield expiry
