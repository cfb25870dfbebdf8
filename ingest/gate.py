"""The connections of a listener: how many there are, of whom, and who is turned away."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Protocol

import structlog

from .auth import Refusal
from .metrics import IngestMetrics

log = structlog.get_logger("headwater.ingest")

SAID_S = 1.0
"""Between two lines about connections refused for one reason. Why: a flood of them must not fill the disk."""


class Guest(Protocol):
    """What is counted."""

    @property
    def address(self) -> str:
        """Remote address without port."""

    @property
    def protocol(self) -> str:
        """The label of the metric."""


class Gate:
    """Counts the connections of one kind.

    Args:
        connections: of all addresses.
        per_address: of one.
        metrics: for what is refused.
    """

    def __init__(self, connections: int, per_address: int, metrics: IngestMetrics) -> None:
        self.closed = False
        """Nobody enters any more."""
        self.empty = asyncio.Event()
        self.empty.set()
        self._most, self._most_of_one = connections, per_address
        self._metrics = metrics
        self._inside: set[Guest] = set()
        self._addresses: Counter[str] = Counter()
        self._said: dict[Refusal, tuple[float, int]] = {}
        """By reason: when a refused connection was last said, and how many were not since."""

    def enter(self, guest: Guest) -> Refusal | None:
        """Let a connection in, or say why it may not stay."""
        refusal: Refusal | None = None
        if self.closed:
            refusal = Refusal.DRAIN
        elif len(self._inside) >= self._most:
            refusal = Refusal.CONNECTIONS
        elif self._addresses[guest.address] >= self._most_of_one:
            refusal = Refusal.ADDRESS
        if refusal is not None:
            self.turn_away(guest.address, refusal)
            return refusal
        self._inside.add(guest)
        self.empty.clear()
        self._addresses[guest.address] += 1
        self._metrics.connections.labels(guest.protocol).inc()
        return None

    def leave(self, guest: Guest) -> None:
        """A connection is closed. Idempotent."""
        if guest not in self._inside:
            return
        self._inside.remove(guest)
        self._metrics.connections.labels(guest.protocol).dec()
        self._addresses[guest.address] -= 1
        if self._addresses[guest.address] <= 0:
            del self._addresses[guest.address]
        if not self._inside:
            self.empty.set()

    def turn_away(self, address: str, refusal: Refusal, count: int = 1) -> None:
        """Count refused connections, and say so once in a while."""
        self._metrics.refused.labels(refusal.value).inc(count)
        said_at, unsaid = self._said.get(refusal, (float("-inf"), 0))
        now = time.monotonic()
        if now - said_at < SAID_S:
            self._said[refusal] = (said_at, unsaid + count)
            return
        self._said[refusal] = (now, 0)
        log.warning("connection refused", address=address, reason=refusal.value, more_before=unsaid)
