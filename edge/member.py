"""One upstream among several: its breaker, its share, its probes, its counters. Sans-IO."""

from __future__ import annotations

import enum
import zlib
from dataclasses import dataclass, field

from .breaker import Breaker, BreakerState
from .message import Cancel, Failure, Purpose, Upstream, UpstreamAnswer, UpstreamRequest

SLOWEST = 0.1
"""Share of its weight with which an upstream comes back."""
_NEUTRAL = frozenset((Failure.TOO_LARGE, Failure.BUSY, Failure.ORPHAN))
"""Failures that say nothing about the upstream."""
_BROKEN = frozenset((500, 502, 504))
"""Statuses that count as failures. Why not 503: with it an upstream says that it lives, and that it is not the time."""


class Health(enum.Enum):
    """What an answer says about the upstream."""

    GOOD = "good"
    BAD = "bad"
    ABSENT = "absent"
    NEUTRAL = "neutral"


def health_of(answer: UpstreamAnswer) -> Health:
    """Passive health: from an answer to a request that somebody needed."""
    if answer.failure is not None:
        if answer.failure is Failure.CONNECT:
            return Health.ABSENT
        return Health.NEUTRAL if answer.failure in _NEUTRAL else Health.BAD
    if answer.status in _BROKEN:
        return Health.BAD
    return Health.NEUTRAL if answer.status in (503, 508) else Health.GOOD


@dataclass(slots=True)
class Counts:
    """What the metrics show of one upstream."""

    requests: dict[str, int] = field(default_factory=dict)
    """By result: a status class, or a `Failure` in lower case."""
    failovers: int = 0
    """Requests that it failed and another upstream was asked for."""
    hedges: int = 0
    """Requests that it got because another one was overdue, and those of them that it answered first."""
    hedges_won: int = 0
    frozen: int = 0
    """Streams found standing still."""
    taken_over: int = 0
    """Playlists that came to be followed here, from another upstream; those of them with other names or numbers."""
    taken_over_changed: int = 0


@dataclass(frozen=True, slots=True)
class ProbeRules:
    """From `config.settings_upstream.EdgeTiers`; an empty path: no probes."""

    path: str
    every_s: float
    timeout_s: float


class Member:
    """One upstream of this node; `index` is its place in the configuration."""

    def __init__(
        self, index: int, name: str, upstream: Upstream, breaker: Breaker, *, weight: float = 1.0, sibling: bool = False
    ) -> None:
        self.index = index
        self.name = name
        self.upstream = upstream
        self.breaker = breaker
        self.sibling = sibling
        self.streams = 0
        """Streams whose home it is."""
        self.counts = Counts()
        self._weight = weight
        self._returned = float("-inf")
        self._probe: Cancel | None = None
        self._probe_at = 0.0
        self._probes = 0

    @property
    def up(self) -> bool:
        """Whether it takes requests, as far as we know."""
        return self.breaker.state is BreakerState.CLOSED

    def weight_at(self, now: float, slow_start_s: float) -> float:
        """Slow start: its weight rises from a tenth to the whole within `slow_start_s` of its return."""
        since = now - self._returned
        return self._weight * min(1.0, max(SLOWEST, since / slow_start_s))

    def heard(self, answer: UpstreamAnswer) -> None:
        """An answer came."""
        result = answer.failure.name.lower() if answer.failure else f"{answer.status // 100}xx"
        self.counts.requests[result] = self.counts.requests.get(result, 0) + 1
        health = health_of(answer)
        if health is Health.GOOD:
            if self.breaker.succeeded():
                self._returned = answer.at
        elif health is not Health.NEUTRAL:
            self.breaker.failed(answer.at, absent=health is Health.ABSENT)

    # -- active health

    def probe(self, rules: ProbeRules, now: float) -> None:
        """Begin the next probe when it is due, and give up one that takes too long."""
        if not rules.path or now < self._probe_at:
            return
        if self._probe is not None:
            self.stop()
            self.breaker.failed(now)
        self._probe_at = now + rules.timeout_s

        def done(answer: UpstreamAnswer) -> None:
            self._probe = None
            self._probes += 1
            # Spread, so that the edges of a tier do not knock all at once; without dice, so that tests step it.
            jitter = zlib.crc32(f"{self.name} {self._probes}".encode()) % 400 / 1_000 - 0.2
            self._probe_at = answer.at + rules.every_s * (1 + jitter)
            if answer.failure is None and answer.status < 500:
                if self.breaker.probed(answer.at):
                    self._returned = answer.at
            else:
                self.breaker.failed(answer.at, absent=answer.failure is Failure.CONNECT)

        self._probe = self.upstream.fetch(UpstreamRequest(rules.path, Purpose.PROBE), done)

    def stop(self) -> None:
        """End the probe under way."""
        if self._probe is not None:
            self._probe()
            self._probe = None
