"""How far the source is, and how long ago came what the rungs have not come to. Sans-IO.

Time is told by one rendition: the video that rungs are made from, or the first sound where there is no video.
"""

from __future__ import annotations

from collections import deque

from headwater.ingest.media import VIDEO_TIMESCALE, Hole, Rendition, Sample

from .model import Plan

MOST_ARRIVALS = 10_000
"""Samples whose arrival is remembered. Why: rungs that are further back than that have jumped ahead long before."""


class Lag:
    """Of the source of one plan.

    Args:
        plan: says which rendition tells the time.
        timescale: of that rendition, where it is sound.
        end: up to which the source has come already.
    """

    def __init__(self, plan: Plan, timescale: int, end: int = 0) -> None:
        self.end = end
        """Up to which the source has come, 90 kHz ticks."""
        self._rendition: Rendition | None = None
        self._timescale = timescale
        if plan.video:
            self._rendition, self._timescale = plan.video_source, VIDEO_TIMESCALE
        elif plan.audio:
            self._rendition = plan.audio[0].source
        self._arrivals: deque[tuple[int, float]] = deque(maxlen=MOST_ARRIVALS)

    def note(self, event: Sample | Hole) -> None:
        """An event of the source."""
        if event.rendition != self._rendition:
            return
        if isinstance(event, Hole):
            self.end = max(self.end, self._position(event.until))
            return
        self._arrivals.append((self._position(event.pts), event.arrived))
        self.end = max(self.end, self._position(event.pts + event.duration))

    def reached(self, position: int) -> None:
        """The rungs have come to `position`: what is before it waits no more."""
        while self._arrivals and self._arrivals[0][0] < position:
            self._arrivals.popleft()

    def seconds(self, now: float) -> float:
        """Age of the oldest sample that the rungs have not come to, seconds; 0: none waits."""
        return max(0.0, now - self._arrivals[0][1]) if self._arrivals else 0.0

    def _position(self, ticks: int) -> int:
        return ticks * VIDEO_TIMESCALE // self._timescale
