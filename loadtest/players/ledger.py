"""What the viewers of one process see, between two ticks. Sans-IO.

Hot paths add to plain attributes and append to plain lists: `generator.ticks` turns them into a Tick once a second.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from headwater.loadtest.records import HIGHEST_US, LOWEST_US, Count, Timing

MAX_KINDS = 256
"""Of errors. Why: statuses x kinds of requests of a really broken server; what comes beyond is `other`."""


def us(seconds: float) -> int:
    """A time as a histogram takes it."""
    value = int(seconds * 1e6)
    if LOWEST_US <= value <= HIGHEST_US:
        return value
    return LOWEST_US if value < LOWEST_US else HIGHEST_US


@dataclass(slots=True)
class Ledger:
    """Names of counts are those of `records.Count`, names of times those of `records.Timing` and `_us`."""

    joined: int = 0
    left: int = 0
    fatal: int = 0
    started: int = 0
    stalls: int = 0
    stalled: float = 0.0
    """Seconds."""
    watched: float = 0.0
    """Seconds."""
    switches: int = 0
    pauses: int = 0
    seeks: int = 0
    playlists: int = 0
    parts: int = 0
    segments: int = 0
    others: int = 0
    gaps: int = 0
    late: int = 0
    early: int = 0
    behind: int = 0
    connections: int = 0
    retries: int = 0
    bytes: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    part_us: list[int] = field(default_factory=list)
    playlist_us: list[int] = field(default_factory=list)
    segment_us: list[int] = field(default_factory=list)
    response_us: list[int] = field(default_factory=list)
    first_byte_us: list[int] = field(default_factory=list)
    startup_us: list[int] = field(default_factory=list)
    latency_us: list[int] = field(default_factory=list)
    stall_us: list[int] = field(default_factory=list)

    def error(self, kind: str) -> None:
        """Count an error."""
        if kind not in self.errors and len(self.errors) >= MAX_KINDS:
            kind = "other"
        self.errors[kind] = self.errors.get(kind, 0) + 1

    def counts(self) -> dict[Count, int]:
        """What was counted, without zeros."""
        special = {Count.STALLED_US: int(self.stalled * 1e6), Count.WATCHED_US: int(self.watched * 1e6)}
        found = {count: special[count] if count in special else getattr(self, count.value) for count in Count}
        return {count: value for count, value in found.items() if value}

    def times(self, timing: Timing) -> list[int]:
        """The values of one timing."""
        found: list[int] = getattr(self, f"{timing.value}_us")
        return found

    def clear(self) -> None:
        """Begin the next tick. Times are not touched: who takes them clears them."""
        for name in _NUMBERS:
            setattr(self, name, 0)
        self.stalled = self.watched = 0.0
        self.errors = {}


_NUMBERS = tuple(item.name for item in fields(Ledger) if item.type == "int")
