"""When a worker that was lost is followed by another. Sans-IO.

The first one at once, then with pauses that double; after a storm of losses only the source goes on for a while.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_S = 60.0
"""Seconds over which losses are counted; a worker that ran this long is a good one."""
STORM = 6
"""Losses within `WINDOW_S` after which the ladder pauses. Why: one bad packet costs one or two; a source that no
decoder bears costs all of them."""
FIRST_REST_S = 60.0
LONGEST_REST_S = 600.0
"""A rest doubles with each storm that follows a rest. Why: viewers of the source are served, and each try costs CPU."""


@dataclass(frozen=True, slots=True)
class Again:
    """Start another worker after `pause_s` seconds."""

    pause_s: float


@dataclass(frozen=True, slots=True)
class Rest:
    """Only the source goes on for `pause_s` seconds; then it is tried again."""

    pause_s: float


class Restarts:
    """The losses of one stream's workers.

    Args:
        least_s, most_s: pause before the second start in a row, and the longest one.
    """

    def __init__(self, least_s: float, most_s: float) -> None:
        self._least_s = least_s
        self._most_s = most_s
        self._losses: deque[float] = deque(maxlen=STORM)
        self._rest_s = FIRST_REST_S

    def lost(self, now: float) -> Again | Rest:
        """A worker was lost at `now`, monotonic seconds."""
        losses = self._losses
        if losses and now - losses[-1] >= WINDOW_S:
            self._rest_s = FIRST_REST_S
        while losses and now - losses[0] >= WINDOW_S:
            losses.popleft()
        losses.append(now)
        if len(losses) < STORM:
            count = len(losses)
            return Again(0.0 if count == 1 else min(self._most_s, self._least_s * 2 ** (count - 2)))
        losses.clear()
        rest_s, self._rest_s = self._rest_s, min(2 * self._rest_s, LONGEST_REST_S)
        return Rest(rest_s)
