"""Metrics of ingest. Values of a stream are read when Prometheus asks, so packets cost nothing and the series
of a stream go with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from headwater.config.stages import Stage, StageTime

from .auth import Pause, Refusal
from .series import LiveSeries

if TYPE_CHECKING:
    from .stream import LiveStream

_COUNTERS: tuple[tuple[str, str, Callable[[LiveStream], float]], ...] = (
    ("cuts", "Segments started.", lambda stream: stream.timeline.counters.cuts),
    (
        "cuts_without_keyframe",
        "Segments that had to start without a keyframe.",
        lambda stream: stream.timeline.counters.cuts_without_keyframe,
    ),
    ("discontinuities", "Segments marked discontinuous.", lambda stream: stream.timeline.counters.discontinuities),
    ("timestamp_jumps", "Jumps of a publisher's clock.", lambda stream: stream.timeline.counters.jumps),
    ("holes", "Times at which a rendition fell silent.", lambda stream: stream.timeline.counters.holes),
    ("dropped_packets", "Packets without a place in time.", lambda stream: stream.timeline.counters.dropped),
    ("received_bytes", "Bytes from publishers.", lambda stream: stream.received_bytes),
)
_GAUGES: tuple[tuple[str, str, Callable[[LiveStream], float]], ...] = (
    ("bitrate_bits_per_second", "What the publisher sends, over the last seconds.", lambda stream: stream.bitrate),
    (
        "keyframe_interval_seconds",
        "Between the last two keyframes; 0: not known.",
        lambda stream: stream.timeline.keyframe_interval_s,
    ),
    ("date_offset_seconds", "Date minus stream time.", lambda stream: stream.timeline.drift_s),
    ("held_packets", "Packets held by the timeline.", lambda stream: stream.timeline.held),
    ("has_publisher", "1 while a publisher is connected.", lambda stream: stream.publisher is not None),
)


class IngestMetrics(LiveSeries):
    """All metrics of ingest.

    Args:
        registry: where they are registered.
        streams: the streams there are now.
    """

    def __init__(self, registry: CollectorRegistry, streams: Callable[[], Iterable[LiveStream]]) -> None:
        self._streams = streams
        self.stages = {Stage.INGEST: StageTime(), Stage.ENCODE: StageTime()}
        """Of all streams together; the process registers them with those of its other parts."""
        self.connections = Gauge("headwater_ingest_connections", "Open connections.", ["protocol"], registry=registry)
        self.publishers = Gauge("headwater_ingest_publishers", "Publishers that send.", ["protocol"], registry=registry)
        self.refused = Counter(
            "headwater_ingest_refused", "Connections, publishes and tracks refused.", ["reason"], registry=registry
        )
        self.paused = Counter("headwater_ingest_pauses", "Pauses of reading.", ["reason"], registry=registry)
        self.closed = Counter("headwater_ingest_closed", "Sessions that ended.", ["reason"], registry=registry)
        self.takeovers = Counter(
            "headwater_ingest_takeovers", "Streams taken over from a silent publisher.", registry=registry
        )
        self.state_errors = Counter(
            "headwater_ingest_state_errors", "State files that could not be written.", registry=registry
        )
        for refusal in Refusal:
            self.refused.labels(refusal.value)
        for pause in Pause:
            self.paused.labels(pause.value)
        super().__init__(registry)

    def collect(self) -> Iterator[Metric]:
        """The series of every stream."""
        streams = list(self._streams())
        for name, text, read in _COUNTERS:
            counter = CounterMetricFamily(f"headwater_ingest_{name}", text, labels=["stream"])
            for stream in streams:
                counter.add_metric([stream.name], read(stream))
            yield counter
        for name, text, read in _GAUGES:
            gauge = GaugeMetricFamily(f"headwater_ingest_{name}", text, labels=["stream"])
            for stream in streams:
                gauge.add_metric([stream.name], float(read(stream)))
            yield gauge
        packets = CounterMetricFamily(
            "headwater_ingest_packets", "Packets from publishers.", labels=["stream", "rendition"]
        )
        for stream in streams:
            for rendition, count in stream.packets.items():
                packets.add_metric([stream.name, rendition], count)
        yield packets
