"""Viewers and what their players report, as Prometheus is told."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from .viewers import Audience

_OF_RENDITION = ("stream", "rendition")
_HISTOGRAMS = (
    ("buffer_seconds", "Media ahead of the playhead, as players report it", "buffer"),
    ("throughput_bits_per_second", "Throughput, as players measure it", "throughput"),
    ("latency_seconds", "Latency at the playhead, as players report it", "latency"),
)


def families(audience: Audience) -> Iterator[Metric]:
    """All families of an audience."""
    watching = GaugeMetricFamily(
        "headwater_edge_viewers", "Viewers of a rendition in the last 15 to 30 s, estimated", labels=_OF_RENDITION
    )
    streams = GaugeMetricFamily(
        "headwater_edge_stream_viewers", "Viewers of a stream in the last 15 to 30 s, estimated", labels=["stream"]
    )
    for (stream, rendition), count in audience.viewers().items():
        if rendition:
            watching.add_metric([stream, rendition], count)
        else:
            streams.add_metric([stream], count)
    yield from (watching, streams)
    faults = CounterMetricFamily(
        "headwater_edge_cmcd_malformed", "Reports of players that could not be read", labels=["reason"]
    )
    for fault, count in audience.faults.items():
        faults.add_metric([fault.value], count)
    yield faults
    yield from _reported(audience)


def _reported(audience: Audience) -> Iterator[Metric]:
    qualities = list(audience.qualities())
    for name, text, attribute in (
        ("reports", "Requests that came with a report", "reports"),
        ("stalls", "Reports of an empty buffer", "stalls"),
    ):
        counter = CounterMetricFamily(f"headwater_edge_cmcd_{name}", text, labels=_OF_RENDITION)
        for labels, quality in qualities:
            counter.add_metric(labels, getattr(quality, attribute))
        yield counter
    states = CounterMetricFamily(
        "headwater_edge_cmcd_states", "Reports by the player's state", labels=(*_OF_RENDITION, "state")
    )
    for labels, quality in qualities:
        for state, count in quality.states.items():
            states.add_metric([*labels, state.value], count)
    yield states
    for name, text, attribute in _HISTOGRAMS:
        histogram = HistogramMetricFamily(f"headwater_edge_cmcd_{name}", text, labels=_OF_RENDITION)
        for labels, quality in qualities:
            values = getattr(quality, attribute)
            histogram.add_metric(labels, values.buckets(), values.sum)
        yield histogram
