"""Metrics of several processes as those of one edge. Sans-IO.

Each series of a process gets the label `worker`: its number, or `node`. Nothing is exported twice: a sum over workers
is `sum without (worker) (...)` in Prometheus. Only the number of viewers is no sum, since one may be at two workers; it
comes merged, without the label.

For the status page, which has no Prometheus, `as_one` adds up: what viewers were answered is the workers', what the
upstreams were asked is the node's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .edgeplan import NODE
from .status import Series, Snapshot

WORKER = "worker"
"""The label."""

VIEWERS = frozenset(("headwater_edge_viewers", "headwater_edge_stream_viewers"))
"""Families whose values cannot be added."""

_UPSTREAM = "headwater_edge_upstream_"
_FILL = ("stage", "edge_fill")


@dataclass(frozen=True, slots=True)
class Sample:
    """One value."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


@dataclass(frozen=True, slots=True)
class Family:
    """All samples of one metric; `kind` as Prometheus has it: counter, gauge, histogram."""

    name: str
    kind: str
    text: str
    samples: tuple[Sample, ...] = field(default=())


def labelled(processes: Mapping[str, Iterable[Family]]) -> list[Family]:
    """One family of each name, with the samples of all processes; viewers left out."""
    heads: dict[str, Family] = {}
    samples: dict[str, list[Sample]] = {}
    for worker, families in processes.items():
        for family in families:
            if family.name in VIEWERS:
                continue
            heads.setdefault(family.name, family)
            samples.setdefault(family.name, []).extend(
                Sample(sample.name, (*sample.labels, (WORKER, worker)), sample.value) for sample in family.samples
            )
    return [Family(name, head.kind, head.text, tuple(samples[name])) for name, head in heads.items()]


def watching(viewers: Mapping[tuple[str, str], int]) -> list[Family]:
    """The families of viewers, from counts by stream and rendition (empty: of the stream as a whole)."""
    renditions = tuple(
        Sample("headwater_edge_viewers", (("stream", stream), ("rendition", rendition)), float(count))
        for (stream, rendition), count in viewers.items()
        if rendition
    )
    streams = tuple(
        Sample("headwater_edge_stream_viewers", (("stream", stream),), float(count))
        for (stream, rendition), count in viewers.items()
        if not rendition
    )
    text = "in the last 15 to 30 s, estimated over all workers"
    return [
        Family("headwater_edge_viewers", "gauge", f"Viewers of a rendition {text}", renditions),
        Family("headwater_edge_stream_viewers", "gauge", f"Viewers of a stream {text}", streams),
    ]


def as_one(processes: Mapping[str, Iterable[Family]], wanted: frozenset[str]) -> Snapshot:
    """Sums of the samples called `wanted`, each process heard about its own side."""
    total: dict[Series, float] = {}
    for worker, families in processes.items():
        for family in families:
            for sample in family.samples:
                if sample.name in wanted and _upwards(sample) is (worker == NODE):
                    series = (sample.name, tuple(sorted(sample.labels)))
                    total[series] = total.get(series, 0.0) + sample.value
    return total


def value_of(families: Iterable[Family], name: str) -> float:
    """Sum of all samples called `name`; 0 when there are none."""
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


def _upwards(sample: Sample) -> bool:
    """It tells of the upstream side."""
    return sample.name.startswith(_UPSTREAM) or _FILL in sample.labels
