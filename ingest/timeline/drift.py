"""What stream time is now, and how dates stay near the wall clock. Sans-IO.

The smallest delay between a packet's stream time and its arrival is the best sight of how the media clock
runs against ours: queues only ever add to it.
"""

from __future__ import annotations

from collections import deque

from .model import TICKS
from .start import MOST_BURST_S

BUCKET_S = 5.0
BUCKETS = 6
"""Six buckets of 5 s: the floor is the least delay of about the last 30 s."""
BASE_S = 10.0
"""Seconds after an anchor during which the floor is still being found and dates are left alone."""
SLEW_US = 1_000
"""Most that the date offset changes per cut, microseconds. Why: a player must not see dates jump."""
MOST_AHEAD_S = MOST_BURST_S + 1.0
"""Seconds that a publisher can be ahead of the wall clock by what it had stored."""
PACE_SLACK = 200e-6
"""Part by which a media clock may run fast without being paced. Why: crystals are good to 100 ppm."""


class Drift:
    """The relation of stream time, our monotonic clock and Unix time since the last anchor.

    Args:
        now, unix: of the anchor's arrival.
        position: the anchor's stream time, 90 kHz ticks.
        offset_us: date minus stream time so far, microseconds; it moves towards what dates the anchor `unix`.
    """

    __slots__ = (
        "_base",
        "_bucket",
        "_bucket_end",
        "_floor",
        "_floors",
        "_now",
        "_position",
        "_true_offset_us",
        "_unix_minus_now",
        "offset_us",
    )

    def __init__(self, now: float, unix: float, position: int, offset_us: int) -> None:
        lag = now - position / TICKS
        self.offset_us = offset_us
        """Date minus stream time, microseconds."""
        self._true_offset_us = round(unix * 1_000_000) - position * 100 // 9
        self._unix_minus_now = unix - now
        self._now = now
        self._position = position
        self._base: float | None = None
        self._floor = lag
        self._floors: deque[float] = deque(maxlen=BUCKETS)
        self._bucket = lag
        self._bucket_end = now + BUCKET_S

    def observe(self, now: float, position: int) -> None:
        """A packet of the primary track with stream time `position` arrived at `now`."""
        lag = now - position / TICKS
        if now >= self._bucket_end:
            self._floors.append(self._bucket)
            self._floor = min(self._floors)
            self._bucket = lag
            self._bucket_end = now + BUCKET_S
            if self._base is None and now >= self._now + BASE_S:
                self._base = self._floor
        elif lag < self._bucket:
            self._bucket = lag
        if lag < self._floor:
            self._floor = lag

    def stream_now(self, now: float) -> int:
        """The stream time of a packet that would arrive at `now` without delay, 90 kHz ticks.

        Not later than what is dated `now`. Why: a publisher may run ahead by what it had stored when it
        began; the next one must not be placed behind that, or each return would add to it.
        A greater distance than that comes from a wall clock that was set, and means nothing here.
        """
        early = now - self._floor
        ahead = early - (now + self._unix_minus_now - self.offset_us / 1_000_000)
        return int((early - ahead if 0 < ahead <= MOST_AHEAD_S else early) * TICKS)

    def slew(self, now: float, unix: float) -> int:
        """Move the date offset towards the wall clock, once per cut; the new offset in microseconds."""
        if self._base is not None:
            drift = (self._floor - self._base) + (unix - now - self._unix_minus_now)
            error = self._true_offset_us + round(drift * 1_000_000) - self.offset_us
            self.offset_us += max(-SLEW_US, min(SLEW_US, error))
        return self.offset_us

    def ahead_s(self, now: float, position: int) -> float:
        """Seconds by which `position` is ahead of real time since the anchor."""
        return (position - self._position) / TICKS - (now - self._now) * (1 + PACE_SLACK)
