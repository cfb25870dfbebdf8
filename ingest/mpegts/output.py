"""Where the readers of elementary streams put what they found. Sans-IO."""

from __future__ import annotations

from collections.abc import Callable

from headwater.ingest.codecs import BadConfig
from headwater.ingest.media import Packet, Track, TrackId
from headwater.ingest.tracks import TrackConfigured, TrackRefused

from .events import Counters, TsEvent
from .limits import MAX_REFUSALS
from .pes import WRAP, offset_us


class Output:
    """The events of one transport stream, and what was already said."""

    __slots__ = ("_refusals", "counters", "events")

    def __init__(self) -> None:
        self.events: list[TsEvent] = []
        self.counters = Counters()
        self._refusals: set[TrackRefused] = set()

    def refuse(self, track: TrackId, codec: str, reason: str) -> None:
        """Say once that something cannot be taken."""
        refusal = TrackRefused(track, codec, reason)
        if refusal not in self._refusals and len(self._refusals) < MAX_REFUSALS:
            self._refusals.add(refusal)
            self.events.append(refusal)


class TrackOutput:
    """The events of one track: its configuration only when it is another one than before.

    Args:
        out: where events go.
        track: the track's id.
    """

    __slots__ = ("id", "out", "track")

    def __init__(self, out: Output, track: TrackId) -> None:
        self.out = out
        self.id = track
        self.track: Track | None = None
        """As configured last; None: not yet."""

    def configure(self, codec: str, make: Callable[[], Track]) -> bool:
        """Make the track's configuration and say it; False when it cannot be read, which is said too."""
        try:
            track = make()
        except BadConfig as error:
            # What was configured before stays: a broken repetition must not end a working track.
            self.out.refuse(self.id, codec, str(error))
            return False
        if track != self.track:
            self.track = track
            self.out.events.append(TrackConfigured(track))
        return True

    def packet(self, payload: bytes, times: tuple[int, int], keyframe: bool, now: float) -> None:
        """Say a packet. `times`: decode and presentation time, ticks."""
        dts, pts = times
        self.out.events.append(Packet(self.id, dts % WRAP, offset_us(pts, dts), keyframe, payload, now))
