"""The circuit breaker of one upstream. Sans-IO; `now` in monotonic seconds.

CLOSED ── failures in a row, or nobody there ─> OPEN ── time, or a probe answered ─> HALF_OPEN
HALF_OPEN ── the one request that is let through: answered ─> CLOSED, failed ─> OPEN, for twice as long
HALF_OPEN ── nobody asks for anything, and IDLE_PROBES are answered ─> CLOSED
"""

from __future__ import annotations

import enum

MOST_OPEN_S = 30.0
"""Longest time without a trial. Why: an upstream that is back is used again within half a minute."""
TRIAL_S = 10.0
"""How long a trial may take before another one is let through: it may be a request that is held."""
AT_ONCE_S = 0.25
"""Failures within this time count as one. Why: a shield whose origin dies fails all that it had asked there, parts of
each stream, and has the next origin's a moment later. Who gives it up for that changes the presentation twice."""
IDLE_PROBES = 3
"""Answered in a row, with no request under way that would tell more. Why: an upstream that is back while all streams
live elsewhere is a spare one. When it is needed, all their requests come at once and have to find it whole: with one
let through, a stream's renditions were torn apart between it and the next one."""


class BreakerState(enum.Enum):
    """The value is the label of the metric."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """`failures` in a row open it, for `open_s` seconds at first."""

    def __init__(self, failures: int, open_s: float) -> None:
        self.state = BreakerState.CLOSED
        self._limit = failures
        self._first_s = open_s
        self._open_s = open_s
        self._failures = 0
        self._failed_at = -AT_ONCE_S
        self._until = 0.0
        self._trial_until = 0.0
        self._probes = 0

    def allows(self, now: float) -> bool:
        """Whether a request may be sent. Asking changes nothing but OPEN into HALF_OPEN when its time is over."""
        if self.state is BreakerState.OPEN and now >= self._until:
            self._half_open()
        if self.state is BreakerState.HALF_OPEN:
            return now >= self._trial_until
        return self.state is BreakerState.CLOSED

    def sent(self, now: float) -> None:
        """A request was sent; half open, it is the trial."""
        if self.state is BreakerState.HALF_OPEN:
            self._trial_until = now + TRIAL_S
            self._probes = 0

    def succeeded(self) -> bool:
        """A request was answered; True when that closed the breaker."""
        self._failures = 0
        # An answer to what was sent before it opened proves nothing.
        if self.state is not BreakerState.HALF_OPEN:
            return False
        self.state = BreakerState.CLOSED
        self._open_s = self._first_s
        return True

    def failed(self, now: float, *, absent: bool = False) -> None:
        """A request failed; `absent`: nobody listens there."""
        if now - self._failed_at >= AT_ONCE_S:
            self._failures += 1
            self._failed_at = now
        if self.state is BreakerState.OPEN:
            return
        if self.state is BreakerState.HALF_OPEN:
            self._open_s = min(2 * self._open_s, MOST_OPEN_S)
        elif self._failures < self._limit and not absent:
            return
        self.state = BreakerState.OPEN
        self._until = now + self._open_s

    def probed(self, now: float) -> bool:
        """A probe was answered: the next request may try. True when that closed the breaker."""
        if self.state is BreakerState.OPEN:
            self._half_open()
        if self.state is BreakerState.CLOSED or now < self._trial_until:
            return False
        self._probes += 1
        if self._probes < IDLE_PROBES:
            return False
        # How long it opens next time stays as it is: of requests nothing was proved.
        self.state = BreakerState.CLOSED
        self._failures = 0
        return True

    def _half_open(self) -> None:
        self.state = BreakerState.HALF_OPEN
        self._trial_until = 0.0
        self._probes = 0
