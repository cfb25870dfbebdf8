"""When each part is due, listed and released, with the faults in. Sans-IO.

All times are Unix milliseconds. Parts are listed in their order, so one that is listed late holds back those behind it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .faults import Faults, Kind
from .shape import Shape


@dataclass
class Schedule:
    """Of a server that started at `start_ms`; what was due before is without faults."""

    shape: Shape
    faults: Faults
    start_ms: int
    first: int = 0
    """The oldest part there ever was."""
    last: int = 0
    """The newest listed part."""

    def __post_init__(self) -> None:
        shape = self.shape
        self.last = self.start_ms // shape.part_ms - 1
        open_msn = (self.last + 1) // shape.parts
        self.first = (open_msn - shape.window) * shape.parts
        self._listed_ms = self.start_ms

    def due(self, number: int) -> int:
        """When the part ends on the true clock."""
        return (number + 1) * self.shape.part_ms

    def since_start(self, number: int) -> int:
        """The same, counted from the server's start."""
        return self.due(number) - self.start_ms

    def released(self, number: int) -> int:
        """When its bytes may be had."""
        return self._late(number, Kind.PART_DELAY)

    def next_listing(self) -> int:
        """When the part after `last` is listed."""
        return max(self._listed_ms, self._late(self.last + 1, Kind.PLAYLIST_DELAY))

    def list_next(self) -> int:
        """List one part more: its number."""
        self._listed_ms = self.next_listing()
        self.last += 1
        return self.last

    def _late(self, number: int, kind: Kind) -> int:
        since = self.since_start(number)
        fault = self.faults.on(number, since, kind)
        late = self.faults.frozen_until(since) + (fault.amount if fault else 0.0)
        return self.start_ms + round(late)
