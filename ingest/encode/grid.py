"""The constant frame rate of a ladder: source frames in, places of the grid out. Sans-IO.

    Grid      one per stream: which places a source frame fills (none, one, or more by repetition), and when they are
    RungGrid  one per rung: which places it shows (every n-th), and which of them are IDRs

A place shows the source frame nearest to it. The grid starts on the first cut and then follows the source slowly: what
jitters (times of whole milliseconds) is not followed, a clock that runs at another speed and a phase that moved are. So
a complete source gets one place per frame, for ever, and samples have no gap between them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from headwater.ingest.media import VIDEO_TIMESCALE

MAX_DIVISOR = 8
"""Most grid frames per frame of a rung. Why: 60 frames/s at 7.5 is where even an overloaded ladder ends."""
MAX_RATE = 240
"""Frames per second. Why: above what any encoder sends live; each place costs an encode per rung."""
DEAD_BAND = VIDEO_TIMESCALE // 500
"""Ticks (2 ms) by which the source may be off the grid without being followed. Why: RTMP's whole milliseconds, and the
clock steps of the timeline, stay inside, so a clean source gets exactly constant durations."""
LONGEST_REPEAT_S = 6
"""Seconds that a frame is shown again for want of another. Why: the timeline lists silence as a hole after at most 5 s
(2.5 times its longest frame of 2 s); this is only the bound behind it."""
_SLOW = 16
"""Frames over which the phase is averaged. Why: half a second at 30 frames/s, well above jitter."""
_HASTY = 4
"""The same for a frame that could have gone to either of two places. Why: a phase that moved by half a frame is seen
within two frames, and jitter that stays below is not."""
_PULL = 32
"""Inverse of the part of the phase that is made up for per frame. Why: with the average above, and with `MAX_DIVISOR`
places fixed in advance, the loop settles without ringing."""
_FASTEST = 100
"""The most that a place's duration changes for it: one part in so many. Why: 1 % is not seen."""
_MOST_CUTS = 64
"""Cuts that may wait for a frame. Why: two minutes of segments; later ones fall on the same frame anyway."""


@dataclass(frozen=True, slots=True)
class Place:
    """One frame of the grid."""

    number: int
    """Counts places; consecutive ones touch in time, except behind a hole."""
    time: int
    """Ticks at `VIDEO_TIMESCALE`; likewise the others."""
    following: tuple[int, ...]
    """When the next `MAX_DIVISOR` places are."""
    shown: int
    """`pts` of the source frame."""
    repeated: bool
    """The source frame was shown at an earlier place already."""


@dataclass(frozen=True, slots=True)
class Take:
    """What a rung makes of a place. Ticks at `VIDEO_TIMESCALE`."""

    dts: int
    pts: int
    duration: int
    idr: bool


class Grid:
    """Places source frames.

    Args:
        rate: frames per second of the grid.
        anchor: where it starts: the first cut, or where a worker that is replaced stopped. None: at the first frame.
            Frames before it are not placed.
    """

    def __init__(self, rate: Fraction, anchor: int | None = None) -> None:
        if not 0 < rate <= MAX_RATE:
            raise ValueError(f"a grid of {rate} frames per second")
        self.duplicated = 0
        self.dropped = 0
        self._exact = (VIDEO_TIMESCALE / rate).as_integer_ratio()
        self._period = float(VIDEO_TIMESCALE / rate)
        self._limit = ceil(LONGEST_REPEAT_S * rate)
        self._number = 0
        self._base = 0
        self._index = 0
        self._times: deque[int] = deque()
        self._previous: int | None = None
        """`pts` of the frame that can be shown again."""
        self._last: int | None = None
        self._interval = self._period
        self._phase = 0.0
        """By how much the source's frames are later than their places, averaged."""
        self._floor: int | None = None
        """Nothing before it has a place."""
        self._waits = True
        """Nothing was placed since the anchor."""
        if anchor is not None:
            self._start(anchor)

    @property
    def next_time(self) -> int | None:
        """When the next place is; None before the first, and in a hole."""
        return self._times[0] if self._times else None

    def hole(self, until: int) -> None:
        """There is nothing before `until`: the grid starts anew at the first frame at or after it."""
        self._times.clear()
        self._previous = self._last = None
        self._floor = until

    def restart(self, anchor: int) -> None:
        """Go on at `anchor`, as a new grid would; places and counts go on."""
        self._previous = self._last = self._floor = None
        self._waits = True
        self._start(anchor)

    def frame(self, pts: int) -> list[Place]:
        """Places that are decided by a source frame, in order: those that repeat the frame before it, then at most one
        that shows it. Frames come in order of `pts`."""
        if self._last is not None and pts <= self._last:
            self.dropped += 1
            return []
        if self._floor is not None and pts < self._floor:
            self.dropped += 1
            return []
        self._floor = None
        if not self._times:
            self._start(pts)
        self._observe(pts)
        steps = self._steps(pts)
        if steps < 0:
            # Before the anchor nothing is missed.
            if self._waits:
                self._previous = pts
            else:
                self.dropped += 1
            return []
        if steps > self._limit or (steps > 0 and self._previous is None):
            self._start(pts)
            steps = 0
        self._waits = False
        places = self._repeat(steps)
        places.append(self._take(pts, repeated=False))
        self._follow(pts - places[-1].time)
        self._previous = pts
        return places

    def _repeat(self, count: int) -> list[Place]:
        assert self._previous is not None or count == 0
        self.duplicated += count
        return [self._take(self._previous or 0, repeated=True) for _ in range(count)]

    def _start(self, time: int) -> None:
        self._base, self._index, self._phase = time, 0, 0.0
        self._times.clear()
        while len(self._times) <= MAX_DIVISOR:
            self._append()

    def _append(self) -> None:
        # In whole numbers, to the nearest tick: this runs for every frame.
        ticks, per = self._exact
        self._times.append(self._base + (2 * self._index * ticks + per) // (2 * per))
        self._index += 1

    def _observe(self, pts: int) -> None:
        if self._last is not None:
            interval = min(float(pts - self._last), 2 * self._period)
            self._interval += (interval - self._interval) / _SLOW
        self._last = pts

    def _steps(self, pts: int) -> int:
        """How many places after the next one is nearest to a frame; negative: one that is taken already."""
        offset = pts - self._phase - self._times[0]
        steps = ceil(offset / self._period - 0.5)
        # A source of more frames than the grid: the next frame may be nearer still.
        if steps == 0 and offset < -min(self._interval, self._period) / 2 - 1:
            return -1
        return steps

    def _take(self, shown: int, *, repeated: bool) -> Place:
        time = self._times.popleft()
        self._append()
        place = Place(self._number, time, tuple(self._times)[:MAX_DIVISOR], shown, repeated)
        self._number += 1
        return place

    def _follow(self, off: int) -> None:
        """Move the places that are not fixed yet towards the source, which was `off` ticks late."""
        period, residual = self._period, off - self._phase
        # Between two places: what was decided now must not be decided otherwise for the next frame.
        self._phase += residual / (_HASTY if abs(residual) > period * 2 / 5 else _SLOW)
        self._phase = max(-period / 4, min(self._phase, period / 4))
        beyond = abs(self._phase) - DEAD_BAND
        if beyond > 0:
            step = max(1, round(min(beyond / _PULL, period / _FASTEST)))
            self._base += step if self._phase > 0 else -step


class RungGrid:
    """What one rung shows of the grid.

    Its samples touch in time: a divisor that changes does so at an IDR, and a cut that falls on a place which it does
    not show is its next one.
    """

    def __init__(self, divisor: int = 1) -> None:
        self._divisor = self._next_divisor = _checked(divisor)
        self._due = 0
        self._cuts: deque[int] = deque(maxlen=_MOST_CUTS)
        self._fresh = True

    @property
    def divisor(self) -> int:
        """Places per frame now."""
        return self._divisor

    def cut(self, time: int) -> None:
        """A segment starts: the first frame with `pts` at or after `time` is an IDR. Cuts come in order."""
        self._cuts.append(time)

    def restart(self) -> None:
        """The next place is shown, and an IDR: behind a hole, or after a time without an encoder."""
        self._fresh = True
        self._due = 0

    def free(self) -> None:
        """The last place that was taken was not shown: the next one may be."""
        self._due = 0

    def set_divisor(self, divisor: int) -> None:
        """Show every `divisor`-th place, from the next IDR on."""
        self._next_divisor = _checked(divisor)

    def take(self, place: Place) -> Take | None:
        """The rung's frame at a place, or None where it shows none."""
        if place.number < self._due:
            return None
        idr, pts, cuts = self._fresh, place.time, self._cuts
        if not place.repeated and place.time - place.shown > DEAD_BAND:
            # A cut that comes with the next frame may be before this frame's place: it is presented when it was sent.
            pts = place.shown
        while cuts and (cuts[0] <= pts or (not place.repeated and cuts[0] <= place.shown)):
            # The cut's own frame is never before the cut, wherever its place is.
            pts = max(pts, cuts.popleft())
            idr = True
        if idr:
            self._fresh = False
            self._divisor = self._next_divisor
        self._due = place.number + self._divisor
        end = place.following[self._divisor - 1]
        return Take(place.time, min(pts, end - 1), end - place.time, idr)


def _checked(divisor: int) -> int:
    if not 1 <= divisor <= MAX_DIVISOR:
        raise ValueError(f"every {divisor}th frame")
    return divisor
