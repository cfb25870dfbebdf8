"""The source since the random-access point that another worker has to begin with. Sans-IO.

A decoder starts at a keyframe, so a worker that takes over is given the source again from the newest keyframe that is
not after what its predecessor delivered. The payloads are shared with the queue and cost nothing twice.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from headwater.ingest.media import VIDEO_TIMESCALE, Cut, Hole, Rendition, Sample, TrackEnded, TrackStarted

MOST_S = 12
"""Seconds that are kept. Why: a decoder works through 12 s of 1080p in 2 s, and a rung has to be back after 3."""

SourceEvent = TrackStarted | TrackEnded | Sample | Cut | Hole


@dataclass(slots=True)
class _Group:
    """What follows one random-access point, up to the next."""

    start: int
    """Its presentation time, 90 kHz ticks."""
    tracks: dict[Rendition, TrackStarted]
    """In force there."""
    cut: Cut | None
    """The segment that it is in."""
    events: list[SourceEvent] = field(default_factory=list)
    size: int = 0


class Replay:
    """Kept events of one stream's source.

    Args:
        video: rendition that the rungs are made from; None: audio only, then every cut is a point to begin at.
        most_bytes: of payloads that are kept.
    """

    def __init__(self, video: Rendition | None, most_bytes: int) -> None:
        self.video = video
        self._most_bytes = most_bytes
        self._groups: deque[_Group] = deque()
        self._tracks: dict[Rendition, TrackStarted] = {}
        self._cut: Cut | None = None
        self._end = 0

    @property
    def size(self) -> int:
        """Bytes of payloads kept."""
        return sum(group.size for group in self._groups)

    @property
    def start(self) -> int | None:
        """Stream time at which a worker could begin, 90 kHz ticks; None: not before the next keyframe."""
        return self._groups[0].start if self._groups else None

    def add(self, event: SourceEvent) -> None:
        """The source's next event."""
        self._note(event)
        if self._begins(event):
            time = event.time if isinstance(event, Cut) else event.pts if isinstance(event, Sample) else 0
            self._groups.append(_Group(time, dict(self._tracks), self._cut))
            if isinstance(event, Cut):
                return
        if not self._groups:
            return
        group = self._groups[-1]
        group.events.append(event)
        if isinstance(event, Sample):
            group.size += len(event.payload)
            if event.rendition == self.video:
                self._end = max(self._end, event.pts)
        self._bound()

    def delivered(self, position: int) -> None:
        """Everything before `position` (90 kHz) was delivered: forget what leads up to nothing else."""
        groups = self._groups
        while len(groups) > 1 and groups[1].start <= position:
            groups.popleft()

    def events(self) -> list[SourceEvent]:
        """What another worker is given first: the tracks, the segment it begins in, then all that followed.

        Without a point to begin at: the tracks and the present segment; the next keyframe begins.
        """
        first = self._groups[0] if self._groups else None
        tracks, cut = (self._tracks, self._cut) if first is None else (first.tracks, first.cut)
        events: list[SourceEvent] = list(tracks.values())
        if cut is not None:
            events.append(cut)
        for group in self._groups:
            events.extend(self._group_events(group, first))
        return events

    def _group_events(self, group: _Group, first: _Group | None) -> list[SourceEvent]:
        # The cut that opens a later group of a stream without video is not among its events.
        if group is first or self.video is not None or group.cut is None:
            return group.events
        return [group.cut, *group.events]

    def _note(self, event: SourceEvent) -> None:
        if isinstance(event, TrackStarted):
            self._tracks[event.rendition] = event
        elif isinstance(event, TrackEnded):
            self._tracks.pop(event.rendition, None)
            if event.rendition == self.video:
                self._groups.clear()  # what was of it is delivered, or is not wanted any more
        elif isinstance(event, Cut):
            self._cut = event
            self._end = max(self._end, event.time)

    def _begins(self, event: SourceEvent) -> bool:
        if self.video is None:
            return isinstance(event, Cut)
        return isinstance(event, Sample) and event.rendition == self.video and event.independent

    def _bound(self) -> None:
        groups = self._groups
        while groups and (self.size > self._most_bytes or self._end - groups[0].start > MOST_S * VIDEO_TIMESCALE):
            groups.popleft()
