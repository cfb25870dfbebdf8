"""What the parent of an edge with workers knows of its processes, for Prometheus."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .supervisor import Cause


class Restart(enum.StrEnum):
    """How a hot restart ended; the value is the label of the metric."""

    DONE = "done"
    REFUSED = "refused"
    """The settings could not be used."""
    FAILED = "failed"
    """The new processes did not start."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one process."""

    up: bool
    restarts: Mapping[Cause, int]


class CrewMetrics(Collector):
    """`standing()`: every process by name."""

    def __init__(self, standing: Callable[[], Mapping[str, Standing]], registry: CollectorRegistry) -> None:
        self.restarts: dict[Restart, int] = dict.fromkeys(Restart, 0)
        """Hot restarts so far."""
        self._standing = standing
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """All families."""
        up = GaugeMetricFamily("headwater_edge_worker_up", "1: the process runs and is ready", labels=["worker"])
        lost = CounterMetricFamily(
            "headwater_edge_worker_restarts",
            "Times that the process had to be started again, since the last hot restart, by why",
            labels=["worker", "cause"],
        )
        for name, standing in self._standing().items():
            up.add_metric([name], float(standing.up))
            for cause, count in standing.restarts.items():
                lost.add_metric([name, cause.value], count)
        yield from (up, lost)
        hot = CounterMetricFamily("headwater_edge_hot_restarts", "Hot restarts, by how they ended", labels=["result"])
        for result, count in self.restarts.items():
            hot.add_metric([result.value], count)
        yield hot
