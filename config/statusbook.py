"""Watches a role's metrics for its status page: what they were some minutes ago, and what they are now."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from importlib.metadata import version

from . import stages
from .admin import Figures
from .problems import RULES, find
from .status import Facts, Snapshot, Status
from .status import stages as stage_status

EVERY_S = 30.0
KEPT = 10
"""Snapshots. Why: the last five minutes are what somebody wants to know who was just woken."""

METRICS = frozenset((*(rule.metric for rule in RULES), f"{stages.NAME}_bucket"))
"""Names of the samples that are looked at."""


class StatusBook:
    """Of one role. `facts`: what it knows beyond its metrics. `ready`: why it wants no traffic, or None."""

    def __init__(
        self,
        role: str,
        registry: Figures | Callable[[], Snapshot],
        ready: Callable[[], str | None],
        facts: Callable[[], Facts],
    ) -> None:
        self._role = role
        self._registry = registry
        self._ready = ready
        self._facts = facts
        self._version = version("headwater")
        self._began = time.monotonic()
        self._kept: deque[tuple[float, Snapshot]] = deque([(self._began, {})], KEPT)
        """What was before the start is nothing."""
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Take a snapshot now and then, on the running loop."""
        self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._on_timer)

    def stop(self) -> None:
        """No more. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self.start()
        self.keep()

    def keep(self) -> None:
        """Remember what the metrics say now."""
        self._kept.append((time.monotonic(), self._snapshot()))

    def _snapshot(self) -> Snapshot:
        if callable(self._registry):
            return self._registry()
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self._registry.collect()
            for sample in family.samples
            if sample.name in METRICS
        }

    def status(self) -> Status:
        """How the role does."""
        at, before = self._kept[0]
        now, clock = self._snapshot(), time.monotonic()
        facts = self._facts()
        return Status(
            role=self._role,
            version=self._version,
            uptime_s=round(clock - self._began, 1),
            ready=self._ready(),
            window_s=round(clock - at, 1),
            streams=facts.streams,
            upstream=facts.upstream,
            stages=stage_status(now, before, stages.NAME),
            problems=find(now, before),
            workers=facts.workers,
        )
