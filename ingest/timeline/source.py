"""A publisher's clock, read packet by packet: wraps undone, jumps found, frozen clocks replaced. Sans-IO.

Source: FLV 1.0 E.4.1 (31-bit timestamps), RTMP 1.0 section 3 (32-bit timestamps, serial arithmetic).
"""

from __future__ import annotations

import enum

from headwater.ingest.media import SourceClock

from .model import TICKS

JUMP_FORWARD_S = 5.0
"""Seconds that a clock may gain on the wall clock between two packets before it is a jump. Why: dropped
frames stay below it; media that runs further ahead would be paced, which delays it for as long as it lasts."""
JUMP_BACK_S = 0.3
"""Seconds that a track's clock may step back before it is a jump. Why: decode times of one track only go back by
jitter; a larger step that were waited out would take sound and picture apart."""
CAUGHT_UP_S = 1.0
"""Seconds between the time of a clock that was frozen and the time that passed meanwhile, within which its own time
counts again."""
FREEZE_S = 0.5
"""Seconds of packets without progress before arrival times are used instead. Why: below one second the
step that ends the freeze is not yet a hole."""
FREEZE_PACKETS = 3
"""Packets without progress before a clock counts as frozen. Why: two may share one millisecond."""
WRAP31_S = 60.0
"""Seconds around a step of 2^31 within which it is taken for the wrap of a 31-bit counter."""


class Step(enum.Enum):
    """What the last reading was."""

    FLOWS = "flows"
    JUMPED = "jumped"
    FROZEN = "frozen"


class SourceTime:
    """The clock of one track.

    Args:
        clock: its rate and width.
        reference: a recent raw value of the same publisher's clock, so that a track which starts after a
            wrap is counted like the others.
    """

    __slots__ = (
        "_at",
        "_half31",
        "_moved",
        "_moved_at",
        "_mul",
        "_peak",
        "_rate",
        "_skew",
        "_span",
        "_still",
        "step",
        "ticks",
    )

    def __init__(self, clock: SourceClock, reference: int) -> None:
        self.step = Step.FLOWS
        self.ticks = reference
        """The last reading, unwrapped, in ticks of the clock."""
        self._rate = clock.rate
        self._span = 1 << clock.bits
        self._half31 = int(WRAP31_S * clock.rate) if clock.bits == 32 else -1
        self._mul = TICKS // clock.rate if TICKS % clock.rate == 0 else 0
        self._peak = reference
        self._at: float | None = None
        self._moved_at = 0.0
        self._moved = 0
        self._skew = 0
        self._still = 0

    def read(self, raw: int, now: float) -> int:
        """Source time of a packet at 90 kHz. `raw`: as sent; `now`: its arrival, monotonic seconds.

        `step` then says whether the reading continues the last one. After a jump it does not: the caller
        gives the lane another anchor.
        """
        delta = self._delta(raw)
        self.ticks = ticks = self.ticks + delta
        at, self._at = self._at, now
        rise = ticks - self._peak
        self.step = Step.FLOWS
        if at is None:
            return self._move(ticks, now)
        if rise > 0:
            if rise > (now - self._moved_at + JUMP_FORWARD_S) * self._rate:
                return self._jump(ticks, now)
            if self._skew:
                self._forget_skew(ticks)
            return self._move(ticks, now)
        if rise < -JUMP_BACK_S * self._rate:
            return self._jump(ticks, now)
        # A clock that stepped back a little and runs is not frozen, also when it passes its peak.
        self._still = self._still + 1 if delta == 0 else 0
        if self._still >= FREEZE_PACKETS and now - self._moved_at > FREEZE_S:
            self.step = Step.FROZEN
            position = self._moved + int((now - self._moved_at) * TICKS)
            self._skew = position - self._scaled(ticks)
            return position
        return self._scaled(ticks) + self._skew

    def distance(self, raw: int) -> int:
        """Signed 90 kHz ticks from the last reading to `raw`; nothing is changed."""
        return self._delta(raw) * TICKS // self._rate

    def _delta(self, raw: int) -> int:
        """Signed ticks from the last reading to `raw`, modulo the counter's width."""
        span = self._span
        delta = (raw - self.ticks + (span >> 1)) % span - (span >> 1)
        if self._half31 >= 0 and (delta > self._half31 or delta < -self._half31):
            # FLV 1.0 E.4.1: some senders count in 31 bits, so a step near 2^31 is their wrap.
            short = (raw - self.ticks + (span >> 2)) % (span >> 1) - (span >> 2)
            if -self._half31 <= short <= self._half31:
                return short
        return delta

    def _scaled(self, ticks: int) -> int:
        return ticks * self._mul if self._mul else ticks * TICKS // self._rate

    def _move(self, ticks: int, now: float) -> int:
        self._peak = ticks
        self._moved_at = now
        self._still = 0
        position = self._moved = self._scaled(ticks) + self._skew
        return position

    def _jump(self, ticks: int, now: float) -> int:
        self.step = Step.JUMPED
        self._skew = 0
        return self._move(ticks, now)

    def _forget_skew(self, ticks: int) -> None:
        """A clock that was frozen runs again: if it caught up, its own time counts again."""
        position = self._scaled(ticks)
        last = self._scaled(self._peak) + self._skew
        if 0 < position - last < CAUGHT_UP_S * TICKS:
            self._skew = 0
