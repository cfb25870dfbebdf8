"""How fast a publisher is read: its share of a core, its bit rate cap, and the rate that is shown. Sans-IO."""

from __future__ import annotations

from collections.abc import Callable

from .auth import Pause

WINDOW_S = 2.0
"""Seconds over which the bit rate cap and the share of a core are averaged."""
BUSY_SHARE = 0.25
"""Share of a core that one publisher may keep busy, averaged over the same window. Why: bytes do not tell what a
message costs; a flood of empty ones would take the event loop from everybody else. 6 Mbit/s of video need 0.01."""
LEAST_S = 0.05
"""Added to a pause. Why: reading on a few bytes later would only pause again."""
SMOOTH = 0.3
"""Weight of the last second in the displayed bit rate."""


class Pace:
    """Leaky buckets of what one publisher sent and what reading it cost.

    Args:
        bitrate: cap, bit/s.
        ahead_s: seconds by which media is further ahead of real time than it may be, at a monotonic time.
        now: monotonic seconds.
    """

    def __init__(self, bitrate: int, ahead_s: Callable[[float], float], now: float) -> None:
        self._per_second = bitrate / 8
        self._ahead_s = ahead_s
        self._bytes = self._busy = 0.0
        self._at = now

    def read(self, size: int, work_s: float, now: float) -> tuple[Pause, float] | None:
        """Note that `size` bytes were read with `work_s` seconds of CPU: why and for how many seconds reading has to
        pause now, or None."""
        elapsed, self._at = now - self._at, now
        self._bytes = max(0.0, self._bytes - elapsed * self._per_second) + size
        self._busy = max(0.0, self._busy - elapsed * BUSY_SHARE) + work_s
        above = self._bytes / self._per_second - WINDOW_S
        busy = self._busy / BUSY_SHARE - WINDOW_S
        ahead = self._ahead_s(now)
        if above <= 0 and busy <= 0 and ahead <= 0:
            return None
        waits = {Pause.BITRATE: above, Pause.WORK: busy, Pause.AHEAD: ahead}
        pause, wait = max(waits.items(), key=lambda item: item[1])
        return pause, wait + LEAST_S


class Rate:
    """The bit rate of a growing count of bytes, smoothed.

    Args:
        now: monotonic seconds.
    """

    def __init__(self, now: float) -> None:
        self.bits_per_s = 0.0
        self._at = now
        self._bytes = 0

    def look(self, received: int, now: float, least_s: float) -> None:
        """Take the count of bytes so far into account; nearer than `least_s` to the last look, nothing happens."""
        elapsed = now - self._at
        if elapsed >= least_s:
            rate = (received - self._bytes) * 8 / elapsed
            self.bits_per_s += (rate - self.bits_per_s) * (SMOOTH if self.bits_per_s else 1.0)
            self._at, self._bytes = now, received
