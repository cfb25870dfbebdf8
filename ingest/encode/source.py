"""The source of one ladder: its tracks, what is kept of it for another worker, how far it is. Sans-IO."""

from __future__ import annotations

from headwater.ingest.media import (
    VIDEO_TIMESCALE,
    Cut,
    Rendition,
    Track,
    TrackEnded,
    TrackStarted,
)

from .lag import Lag
from .model import Plan
from .replay import Replay, SourceEvent


class Source:
    """See the module.

    Args:
        replay_bytes: payloads that are kept.
    """

    def __init__(self, replay_bytes: int) -> None:
        self.changed = False
        """There are tracks that the plan does not know."""
        self.end = 0
        """Up to which the source has come, 90 kHz ticks."""
        self._replay_bytes = replay_bytes
        self._tracks: dict[Rendition, TrackStarted] = {}
        self._replay: Replay | None = None
        self._lag: Lag | None = None

    @property
    def tracks(self) -> dict[Rendition, Track]:
        """Those there are now."""
        return {name: started.track for name, started in self._tracks.items()}

    @property
    def begins_with_a_keyframe(self) -> bool:
        """`events` starts where a decoder can; else it has to wait for the next keyframe."""
        return self._replay is not None and self._replay.start is not None

    def adopt(self, plan: Plan) -> None:
        """The plan for the tracks there are; nothing is kept, and no time told, before there is one."""
        video = plan.video_source if plan.video or plan.thumbnails else None
        if self._replay is None or self._replay.video != video:
            self._replay = Replay(video, self._replay_bytes)
            for started in self._tracks.values():
                self._replay.add(started)
        sound = self._tracks.get(plan.audio[0].source) if plan.audio else None
        self._lag = Lag(plan, sound.track.timescale if sound else VIDEO_TIMESCALE, self.end)

    def forget(self) -> None:
        """There is no plan any more."""
        self._replay = self._lag = None

    def note(self, event: SourceEvent) -> None:
        """The next event."""
        if isinstance(event, TrackStarted):
            self._tracks[event.rendition] = event
            self.changed = True
        elif isinstance(event, TrackEnded):
            self._tracks.pop(event.rendition, None)
            self.changed = True
        elif not isinstance(event, Cut) and self._lag is not None:
            self._lag.note(event)
            self.end = self._lag.end
        if self._replay is not None:
            self._replay.add(event)

    def reached(self, position: int, *, delivered: bool = True) -> None:
        """The rungs have come to `position` (90 kHz); `delivered`: and no other worker will have to go back."""
        if self._lag is not None:
            self._lag.reached(position)
        if self._replay is not None and delivered:
            self._replay.delivered(position)

    def lag_s(self, now: float) -> float:
        """Age of the oldest sample that the rungs have not come to, seconds."""
        return self._lag.seconds(now) if self._lag is not None else 0.0

    def events(self) -> list[SourceEvent]:
        """What another worker is given first."""
        return self._replay.events() if self._replay is not None else []
