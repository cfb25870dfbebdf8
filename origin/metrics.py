"""What the origin counts. One object per process; series of a stream go with the stream.

part latency    last packet of a part read from the socket -> part published
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from headwater.config.stages import Stage, StageTime

from .conformance import RULES

_LATENCY_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)
"""Seconds. Fine around one frame (17 to 42 ms), which is what a passthrough part waits for its successor."""

_OF_RENDITION = ("stream", "rendition")


class OriginMetrics:
    """The origin's series. Labels: streams and renditions (capped by ingest), fixed words for the rest."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.stages = {Stage.PACKAGE: StageTime(), Stage.ORIGIN: StageTime()}
        """Registered by the process, with those of its other parts."""
        self.streams = Gauge("headwater_origin_streams", "Streams known", ("state",), registry=registry)
        self.parts = Counter("headwater_origin_parts", "Parts published", _OF_RENDITION, registry=registry)
        self.gap_parts = Counter("headwater_origin_gap_parts", "Parts listed as GAP", _OF_RENDITION, registry=registry)
        self.segments = Counter("headwater_origin_segments", "Segments completed", _OF_RENDITION, registry=registry)
        self.part_bytes = Counter(
            "headwater_origin_part_bytes", "Bytes of parts published", _OF_RENDITION, registry=registry
        )
        self.bitrate = Gauge(
            "headwater_origin_bitrate_bits_per_second",
            "Average bit rate over the window, bit/s",
            _OF_RENDITION,
            registry=registry,
        )
        self.part_latency = Histogram(
            "headwater_origin_part_latency_seconds",
            "From the arrival of a part's last packet to its publication",
            ("kind",),
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self.held = Gauge("headwater_origin_held_requests", "Requests held now", ("kind",), registry=registry)
        self.responses = Counter(
            "headwater_origin_responses", "Requests answered", ("route", "status"), registry=registry
        )
        self.refused = Counter(
            "headwater_origin_refused",
            "Connections closed without an answer of a route",
            ("reason",),
            registry=registry,
        )
        self.response_bytes = Counter(
            "headwater_origin_response_bytes", "Bytes of bodies sent", ("route",), registry=registry
        )

        self.violations = Counter(
            "headwater_conformance_violations",
            "Things published that a rule of docs/conformance.md forbids",
            ("rule",),
            registry=registry,
        )
        for rule in RULES:
            self.violations.labels(str(rule))

    def remove(self, stream: str, rendition: str) -> None:
        """Drop the series of a rendition that is gone."""
        for metric in (self.parts, self.gap_parts, self.segments, self.part_bytes, self.bitrate):
            metric.remove_by_labels({"stream": stream, "rendition": rendition})
