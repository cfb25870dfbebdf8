"""Says in the log what the edge refused or had to break off: a line per reason and second, however many there were."""

from __future__ import annotations

import structlog

log = structlog.get_logger("headwater.edge")

EVERY_S = 1.0
"""Why: a flood of refusals must not fill the disk. The exact counts are in the metrics."""


class RefusalLog:
    """Watches counts by reason, which the request core keeps because it does not log. `usual` reasons are not said."""

    def __init__(self, counts: dict[str, int], event: str = "refused", usual: tuple[str, ...] = ()) -> None:
        self._counts = counts
        self._event = event
        self._usual = usual
        self._said: dict[str, int] = {}
        self._next = 0.0

    def look(self, now: float) -> None:
        """Log what came since the last line; to be called often, `now` in monotonic seconds."""
        if now < self._next:
            return
        self._next = now + EVERY_S
        for reason, count in self._counts.items():
            fresh = count - self._said.get(reason, 0)
            if fresh:
                self._said[reason] = count
                if reason not in self._usual:
                    log.warning(self._event, reason=reason, requests=fresh)
