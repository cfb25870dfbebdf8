"""What a process of an edge tells the parent about itself: its metrics, who watches, what its status page would show.

JSON over the process's control socket, at `/report`; asked for whenever somebody looks at the parent's pages.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from .merge import Family, Sample
from .status import Facts, RenditionStatus, StreamStatus, UpstreamStatus

PATH = "/report"


@dataclass(frozen=True, slots=True)
class Report:
    """Of one process, at one time."""

    families: tuple[Family, ...]
    viewers: Mapping[tuple[str, str], bytes]
    """Sketches (`edge.sketch`) by stream and rendition."""
    facts: Facts


def families_of(registry: CollectorRegistry) -> tuple[Family, ...]:
    """All that a registry says."""
    return tuple(
        Family(
            metric.name,
            metric.type,
            metric.documentation,
            tuple(Sample(sample.name, tuple(sample.labels.items()), sample.value) for sample in metric.samples),
        )
        for metric in registry.collect()
    )


def metrics_of(families: Iterable[Family]) -> list[Metric]:
    """The way back, for an encoder of the text format."""
    metrics = []
    for family in families:
        metric = Metric(family.name, family.text, family.kind)
        for sample in family.samples:
            metric.add_sample(sample.name, dict(sample.labels), sample.value)
        metrics.append(metric)
    return metrics


def to_json(report: Report) -> dict[str, object]:
    """As it goes over the socket."""
    return {
        "families": [
            [
                family.name,
                family.kind,
                family.text,
                [[sample.name, sample.labels, sample.value] for sample in family.samples],
            ]
            for family in report.families
        ],
        "viewers": [[*labels, base64.b64encode(data).decode()] for labels, data in report.viewers.items()],
        "facts": dataclasses.asdict(report.facts),
    }


def from_json(document: Any) -> Report:
    """As it came. Raises KeyError, TypeError or ValueError for what no `to_json` made."""
    families = tuple(
        Family(
            name,
            kind,
            text,
            tuple(
                Sample(sample, tuple((str(label), str(value)) for label, value in labels), float(value))
                for sample, labels, value in samples
            ),
        )
        for name, kind, text, samples in document["families"]
    )
    viewers = {(stream, rendition): base64.b64decode(data) for stream, rendition, data in document["viewers"]}
    return Report(families, viewers, _facts(document["facts"]))


def _facts(document: Any) -> Facts:
    streams = tuple(
        StreamStatus(**{**stream, "renditions": tuple(RenditionStatus(**one) for one in stream["renditions"])})
        for stream in document["streams"]
    )
    upstream = document["upstream"]
    return Facts(streams, None if upstream is None else UpstreamStatus(**upstream))
