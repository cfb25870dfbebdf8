"""The rolling window of one rendition: what its playlist lists. Sans-IO.

`Window` applies `events.SegmenterEvent` and gives immutable `hls.model.MediaPlaylist` snapshots. Segment, part
and map objects are the same ones from snapshot to snapshot while they say the same, so that text made from
them may be kept by identity. The bytes behind the names are on its `shelf.Shelf`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from headwater.ingest.media import Kind, Rendition, StreamStarted, Track
from headwater.origin.hls.model import (
    HintType,
    MediaPlaylist,
    Part,
    PreloadHint,
    RenditionReport,
    Segment,
    ServerControl,
)

from .bitrate import BitrateMeter, Bitrates
from .events import (
    Hinted,
    InitChanged,
    PartClosed,
    RenditionEnded,
    SegmentClosed,
    SegmenterEvent,
    SegmentOpened,
)
from .shelf import Found, Gone, HintedName, Lookup, MediaKind, Shelf, Stored, Unknown

__all__ = [
    "Bitrates",
    "Found",
    "Gone",
    "HintedName",
    "Lookup",
    "MediaKind",
    "Unknown",
    "Window",
    "WindowSettings",
]

LEAST_WINDOW_TARGETS = 9
"""Target durations that are listed at least: CAN-SKIP-UNTIL is six, and a client may ask for a delta with a
copy that is three older (rule 109)."""

LEAST_KEPT_TARGETS = 3
"""Target durations below which no segment is removed (rule 16), for which PART tags are listed (rules 57, 58),
and for which part bytes stay after that (rule 57)."""

_DECIMALS = 6
"""Of durations in seconds: finer than any tick that matters, and the same in every snapshot."""


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """How much a window keeps."""

    window_s: float = 60.0
    """Seconds of playlist; at least LEAST_WINDOW_TARGETS target durations are listed."""
    stream_bytes: int = 512 << 20
    """Media bytes; above it the oldest segments go early."""


def _part_hold_back(started: StreamStarted) -> float:
    """Rule 29, and what the transport may hold back; a player further away than HOLD-BACK needs no parts."""
    most = 3 * started.target_duration_s * 1_000_000
    return min(3 * started.part_target_us + started.late_us, most) / 1_000_000  # one division, so nothing is lost


class Window:
    """What one rendition lists and serves."""

    def __init__(self, rendition: Rendition, started: StreamStarted, settings: WindowSettings) -> None:
        self.rendition = rendition
        self.track: Track | None = None
        self.promised_independent = False
        """Each segment begins with a random-access point, or is a GAP up to one."""
        self.dropped_early = 0
        """Segments that left before their time because of `stream_bytes`."""
        self._target_s = started.target_duration_s
        self._part_target_s = started.part_target_us / 1_000_000
        self._part_tags_s = LEAST_KEPT_TARGETS * self._target_s + self._part_target_s
        """Distance from the end at which PART tags go; a part more than rule 58 needs."""
        self._window_s = max(settings.window_s, float(LEAST_WINDOW_TARGETS * self._target_s))
        self._limit_bytes = settings.stream_bytes
        self._control = ServerControl(
            can_block_reload=True,
            can_skip_until=float(6 * self._target_s),  # rule 31
            hold_back=float(3 * self._target_s),  # rule 30
            part_hold_back=_part_hold_back(started),
        )
        self._discontinuity_sequence = started.discontinuity_sequence
        self._meter = BitrateMeter(self._target_s)
        self._shelf = Shelf(self._window_s)
        self._listed: deque[Stored] = deque()
        self._tagged: deque[Stored] = deque()
        """Those of the listed whose PART tags are listed too."""
        self._open: Stored | None = None
        self._hint = ""
        self._ended = False
        self._end_s = 0.0
        """End of the last complete segment on the ruler of listed seconds."""
        self._longest_s = 0.0
        """Duration of the longest playlist so far."""
        self._snapshot: MediaPlaylist | None = None
        self._now = 0.0

    # -- what is there -------------------------------------------------------------------------------------

    @property
    def duration_s(self) -> float:
        """Seconds that are listed, GAP included."""
        return self._complete_s + (self._open.segment.duration if self._open else 0.0)

    @property
    def media_s(self) -> float:
        """Seconds that are listed and can be played."""
        return sum(stored.media_s for stored in self._listed) + (self._open.media_s if self._open else 0.0)

    @property
    def stored_bytes(self) -> int:
        """Media bytes held, those off the playlist included."""
        return self._shelf.size

    @property
    def _complete_s(self) -> float:
        if not self._listed:
            return 0.0
        first = self._listed[0]
        return self._end_s - (first.end_s - first.segment.duration)

    def bitrates(self) -> Bitrates | None:
        """Measured so far; None before there is a segment."""
        return self._meter.bitrates()

    def find(self, name: str) -> Lookup:
        """What is behind a file name of this rendition's folder."""
        return self._shelf.find(name, self._hint, self._listed[0] if self._listed else self._open, self._now)

    def playlist(self, reports: tuple[RenditionReport, ...] = ()) -> MediaPlaylist:
        """The current version. Without reports the same object until something changes."""
        if self._snapshot is None:
            self._snapshot = self._build()
        return replace(self._snapshot, reports=reports) if reports else self._snapshot

    def _build(self) -> MediaPlaylist:
        first = self._listed[0] if self._listed else self._open
        return MediaPlaylist(
            target_duration=self._target_s,
            media_sequence=first.segment.msn if first else 0,
            discontinuity_sequence=self._discontinuity_sequence,
            segments=tuple(stored.segment for stored in self._listed),
            open=self._open.segment if self._open and self._open.parts else None,
            part_target=self._part_target_s,
            control=self._control,
            hints=self._hints(),
            # Every audio frame is independent; of passed-through video nobody can promise it
            independent_segments=self.promised_independent
            or (self.track is not None and self.track.kind is Kind.AUDIO),
            ended=self._ended,
        )

    def _hints(self) -> tuple[PreloadHint, ...]:
        if not self._hint:
            return ()
        part = PreloadHint(HintType.PART, self._hint)
        listed = self._listed[-1].init if self._listed else ""
        # Rule 62: the hinted part opens a segment whose EXT-X-MAP is not listed yet
        if self._open is not None and not self._open.parts and self._open.init != listed:
            return (PreloadHint(HintType.MAP, self._open.init), part)
        return (part,)

    # -- events --------------------------------------------------------------------------------------------

    def apply(self, event: SegmenterEvent, now: float) -> None:
        """Take the segmenter's next event. `now`: monotonic seconds."""
        self._now = now
        self._snapshot = None
        match event:
            case PartClosed():
                self._add_part(event)
            case Hinted():
                self._hint = event.name
            case SegmentOpened():
                self._open_segment(event)
            case SegmentClosed():
                self._close_segment(event)
            case InitChanged():
                self.track = event.track
                self._shelf.add_init(event.name, event.data)
            case RenditionEnded():  # rule 24: ENDLIST, and no hint
                self._ended, self._hint, self._open = True, "", None
        self.expire(now)

    def _open_segment(self, event: SegmentOpened) -> None:
        segment = Segment(
            msn=event.msn,
            uri=None,
            duration=0.0,
            map=self._shelf.use_init(event.init),
            discontinuity=event.discontinuity,
            date_us=event.date_us,
        )
        self._open = Stored(segment, event.name, event.start_ticks, event.init)

    def _add_part(self, event: PartClosed) -> None:
        stored = self._open
        assert stored is not None, "a part comes after SegmentOpened"
        part = Part(event.name, self._seconds(event.duration_ticks), event.independent, event.gap)
        self._shelf.add_part(stored, event.name, event.data)
        stored.ticks += event.duration_ticks
        stored.media_s += 0.0 if event.gap else part.duration
        stored.segment = replace(
            stored.segment,
            duration=self._seconds(stored.ticks),
            parts=(*stored.segment.parts, part),
            part_count=len(stored.parts),
        )
        if self._hint == event.name:
            self._hint = ""
        self._longest_s = max(self._longest_s, self.duration_s)
        self._remove_part_tags()

    def _close_segment(self, event: SegmentClosed) -> None:
        stored = self._open
        assert stored is not None, "SegmentClosed comes after SegmentOpened"
        self._open = None
        stored.segment = replace(stored.segment, uri=event.name, gap=event.gap)
        self._tagged.append(stored)
        self._list(stored)
        if event.gap:
            self._meter.gap()
        else:
            self._meter.segment(stored.segment.duration, stored.size)
        while self._complete_s - self._listed[0].segment.duration >= self._window_s:
            self._unlist()

    def _seconds(self, ticks: int) -> float:
        assert self.track is not None, "InitChanged comes first"
        return round(ticks / self.track.timescale, _DECIMALS)

    def backfill(self, playlist: MediaPlaylist, before_msn: int, now: float) -> None:
        """List the segments of another rendition's `playlist` below `before_msn` as GAP.

        For a rendition that starts later than its stream, so that its numbers and boundaries are those of the
        others. Its first InitChanged comes before (rule 129: also a GAP has a MAP), its first SegmentOpened,
        of `before_msn`, after.
        """
        assert self.track is not None, "InitChanged comes first"
        self._now = now
        self._snapshot = None
        self._discontinuity_sequence = playlist.discontinuity_sequence
        for segment in playlist.segments:
            if segment.msn >= before_msn:
                break
            # Named in its own ticks, so that names rise with time here too
            start = (segment.date_us or 0) * self.track.timescale // 1_000_000
            init = self._shelf.current_init
            copy = Segment(
                msn=segment.msn,
                uri=f"s{start}.m4s",
                duration=segment.duration,
                map=self._shelf.use_init(init),
                discontinuity=segment.discontinuity,
                date_us=segment.date_us,
                gap=True,
            )
            self._list(Stored(copy, f"s{start}.m4s", start, init))

    # -- ageing --------------------------------------------------------------------------------------------

    def _list(self, stored: Stored) -> None:
        self._end_s += stored.segment.duration
        stored.end_s = self._end_s
        stored.appeared = self._now
        self._listed.append(stored)
        self._shelf.add_segment(stored)
        self._longest_s = max(self._longest_s, self.duration_s)

    def _remove_part_tags(self) -> None:
        end_s = self._end_s + (self._open.segment.duration if self._open else 0.0)
        while self._tagged and end_s - self._tagged[0].end_s > self._part_tags_s:
            self._strip(self._tagged.popleft())

    def _strip(self, stored: Stored) -> None:
        stored.segment = replace(stored.segment, parts=())
        stored.tags_removed = self._now

    def _unlist(self) -> None:
        """The oldest segment leaves the playlist."""
        stored = self._listed.popleft()
        if self._tagged and self._tagged[0] is stored:
            self._strip(self._tagged.popleft())
        if stored.segment.discontinuity:  # rule 117
            self._discontinuity_sequence += 1
        until = stored.appeared + stored.segment.duration + self._longest_s  # rule 20
        if stored.tags_removed is not None:  # rule 57
            until = max(until, stored.tags_removed + LEAST_KEPT_TARGETS * self._target_s)
        self._shelf.keep(stored, until)
        self._snapshot = None

    def expire(self, now: float) -> None:
        """Free what is past its time, and what is above `stream_bytes`. `apply` does it too."""
        self._now = now
        self._shelf.expire(now)
        while self._shelf.size > self._limit_bytes and self.drop_oldest(now):
            pass

    def drop_oldest(self, now: float) -> bool:
        """Give up the oldest segment before its time. False: three target durations are all that is left."""
        self._now = now
        if self._shelf.drop_kept():
            return True
        if not self._listed or self._complete_s - self._listed[0].segment.duration < (
            LEAST_KEPT_TARGETS * self._target_s  # rule 16
        ):
            return False
        self._unlist()
        self.dropped_early += 1
        return self._shelf.drop_kept()
