"""Metrics whose values are read when Prometheus asks: streams come and go, and their series with them."""

from __future__ import annotations

import contextlib

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector


class LiveSeries(Collector):
    """What a collector of the streams' series has in common; `collect` is its own.

    Args:
        registry: where it is registered, last of all: registering asks for its description.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        registry.register(self)

    def close(self) -> None:
        """Take the series out of the registry. Idempotent."""
        with contextlib.suppress(KeyError):
            self._registry.unregister(self)

    def describe(self) -> list[Metric]:
        """Nothing: streams come and go."""
        return []
