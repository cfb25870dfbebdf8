"""Where the time between camera and screen goes inside Headwater: one histogram, a label value for each stage.

    ingest      a packet's last byte read from the socket -> handed on by its stream's timeline
    encode      source sample given to the ladder -> the sample made from it taken out
    package     a part's last sample given to packaging -> the part is in the window
    origin      part published -> last byte of the answer to a held request handed to the socket
    edge_fill   part or playlist asked for by an edge: what the network and the upstream add once it is published
    first_byte  there at the edge -> first byte of a viewer's answer handed to the socket

How they add up stands in docs/metrics.md. Whoever owns a stage keeps its `StageTime`; the process registers all it has
as one `StageTimes`. Each observation is a bisection and two additions, so that the data path may afford one per packet.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from .histogram import Histogram

NAME = "headwater_stage_seconds"

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0)
"""Upper bounds of the buckets, seconds. Why: from what a handler costs over one frame (17 to 42 ms), which passthrough
waits, and SRT's usual latency (120 ms up) to what a ladder in trouble is behind; the same for all, so that they add."""


class Stage(enum.StrEnum):
    """The values of the label `stage`, in the order in which media passes them."""

    INGEST = "ingest"
    ENCODE = "encode"
    PACKAGE = "package"
    ORIGIN = "origin"
    EDGE_FILL = "edge_fill"
    FIRST_BYTE = "first_byte"


class StageTime(Histogram):
    """Times of one stage, seconds."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(BOUNDS_S)


class StageTimes(Collector):
    """The stages of this process, for Prometheus: there from the start, at 0.

    Args:
        registry: where they are registered.
        times: by stage.
    """

    def __init__(self, registry: CollectorRegistry, times: Mapping[Stage, StageTime]) -> None:
        self._times = times
        registry.register(self)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """One family."""
        family = HistogramMetricFamily(NAME, "Time that media spends in each stage of its way", labels=["stage"])
        for stage, time in self._times.items():
            family.add_metric([stage.value], time.buckets(), time.sum)
        yield family
