"""Where segments end. Sans-IO.

On keyframes of the source; where those are too rare for that and a ladder makes its own, on a regular grid instead.

Source: DESIGN decision 10; RFC 8216bis 4.4.3.1: no EXTINF, rounded, exceeds EXT-X-TARGETDURATION.
"""

from __future__ import annotations

import enum

from .model import TICKS, TimelineSettings

NEAR_AIM = 0.9
"""Part of the aimed duration after which a keyframe ends the segment: GOPs of 1.9 and 2 s each make one
segment of 2 s, GOPs of 1 s two, of 0.5 s four."""
OVER_TARGET = TICKS // 5
"""Ticks beyond the target duration at which a segment ends without a keyframe. Why: a 4 s GOP of 29.97
frames/s lasts 4.004 s and still gets its keyframe; audio frames may add up to 0.2 s; 0.5 s is the limit."""
LEAST = TICKS * 3 // 10
"""Shortest segment, ticks. Why: every rendition must have a frame in it, and audio frames last up to 0.2 s."""


class Place(enum.Enum):
    """What a frame of the primary track is to the segments."""

    INSIDE = "inside"
    AT_KEYFRAME = "at keyframe"
    WITHOUT_KEYFRAME = "without keyframe"
    ON_GRID = "on grid"
    """Without a keyframe, and none was waited for."""


STEADY = 5
"""Keyframe intervals in a row that fit into segments before these end on keyframes again. Why: players choose a
rendition once, so the source should not come and go with each."""


class Cuts:
    """The segment grid of one stream: when the last segment started, and whether a frame starts the next one."""

    __slots__ = (
        "_aim",
        "_key",
        "_late_start",
        "_limit",
        "_near",
        "_steady",
        "_target",
        "interval",
        "last",
        "may_be_regular",
        "regular",
    )

    def __init__(self, settings: TimelineSettings) -> None:
        self._aim = int(settings.segment_s * TICKS)
        self._near = int(settings.segment_s * NEAR_AIM * TICKS)
        self._target = settings.target_duration_s * TICKS
        self._limit = self._target
        self._late_start = False
        self._key: int | None = None
        self.interval = 0
        """Ticks between the last two keyframes; 0: not known."""
        self.last = 0
        """Start of the open segment, stream time."""
        self.may_be_regular = False
        """There are renditions with keyframes wherever a segment starts."""
        self.regular = False
        """Segments end on the grid, whatever the source's keyframes are."""
        self._steady = 0
        """Keyframe intervals in a row that would do."""

    @property
    def aim(self) -> int:
        """Ticks that a segment without media lasts."""
        return self._aim

    def started(self, time: int, at_keyframe: bool) -> None:
        """A segment starts at `time`."""
        self.last = time
        self._late_start = not at_keyframe

    def set_target(self, target_duration_s: int) -> None:
        """The target duration, which is fixed when the stream begins."""
        self._target = self._limit = target_duration_s * TICKS

    def forget_keyframes(self) -> None:
        """A publisher's frames follow each other no more."""
        self._key = None
        self.interval = 0

    def video(self, pts: int, dts: int, duration: int, key: bool, early: bool) -> Place:
        """Place of a video frame, times in stream time. `early`: a cut is wanted as soon as can be."""
        if key:
            self._see_key(pts)
            age = pts - self.last
            near = self._near
            # A segment that began between keyframes ends at the first one, to be in step again.
            if early or (self._late_start and not self.regular):
                near = LEAST
            return Place.AT_KEYFRAME if age >= near else Place.INSIDE
        if self.regular:
            age = dts - self.last + duration // 2
            on_grid = age >= self._aim and (pts >= dts or age >= self._target)
            return Place.ON_GRID if on_grid else Place.INSIDE
        # Only where presentation order does not reach back over the cut, unless it is really late.
        age = dts + duration - self.last
        if age <= self._limit + OVER_TARGET or (pts < dts and age <= self._target + OVER_TARGET + TICKS // 10):
            return Place.INSIDE
        self._use_grid()
        return Place.WITHOUT_KEYFRAME

    def audio(self, pts: int, duration: int, early: bool) -> Place:
        """Place of a frame of a primary audio track."""
        age = pts - self.last
        if age + duration // 2 >= self._aim or (early and age >= LEAST):
            return Place.AT_KEYFRAME
        return Place.INSIDE

    def _see_key(self, pts: int) -> None:
        if self._key is not None and pts > self._key:
            self.interval = pts - self._key
            fits = self.interval <= self._target + OVER_TARGET
            self._steady = self._steady + 1 if fits else 0
            if not fits:
                self._use_grid()
            elif self._steady >= STEADY:
                self.regular = False
            # A GOP that takes several segments is divided evenly.
            pieces = -(-self.interval // (self._target + OVER_TARGET))
            self._limit = self._target if pieces <= 1 else self.interval // pieces
        self._key = pts

    def _use_grid(self) -> None:
        self._steady = 0
        self.regular = self.may_be_regular
