"""One live stream: events in, playlists and files out.

starting    opened, or without the media that a first playlist needs: requests are held
live        served
ended       every playlist has ENDLIST; the hub forgets the stream after a window's time
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import structlog

from headwater.config.settings import Origin
from headwater.ingest.media import (
    Cut,
    Hole,
    Kind,
    LadderStatus,
    Metadata,
    MetadataKind,
    Offered,
    Planned,
    Sample,
    Still,
    StreamEnded,
    StreamEvent,
    StreamStarted,
    TrackEnded,
    TrackStarted,
)

from .catalog import describe, in_order
from .conformance import Together
from .held import Waiting
from .hls import multivariant
from .hls.model import RenditionReport
from .listing import describe_ladder, describe_rendition
from .metrics import OriginMetrics
from .rendition import LiveRendition, text_body
from .responses import PLAYLIST_TYPE, Body
from .stills import Stills
from .window import Gone, Lookup, Unknown

log = structlog.get_logger("headwater.origin")

MAX_RENDITIONS = 32
"""Of one stream; ingest sends at most 16 tracks."""

MAX_CUTS = 1_024
"""Cuts remembered because some rendition has not completed their segment yet."""


class StreamState(enum.Enum):
    """Where a stream is in its life."""

    STARTING = "starting"
    LIVE = "live"
    ENDED = "ended"


class LiveStream:
    """Takes one stream's events; keeps its renditions. Runs on the loop's thread, and schedules nothing."""

    def __init__(
        self,
        name: str,
        settings: Origin,
        metrics: OriginMetrics,
        *,
        clock: Callable[[], float],
        unix: Callable[[], float],
        earlier: LiveStream | None,
    ) -> None:
        self.name = name
        self.state = StreamState.STARTING
        self.renditions: dict[str, LiveRendition] = {}
        self.waiting_start: Waiting[str] = Waiting()
        """Requests held until the stream, or a rendition of it, can be served."""
        self.since = unix()
        """Unix seconds."""
        self.started: StreamStarted | None = None
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._unix = unix
        self._earlier: list[LiveRendition] = []
        """Renditions that ended and whose name goes on: their files stay until `files_until`."""
        self.together: Together = Together(earlier.together if earlier is not None else None)
        """What the checks of its renditions share."""
        if earlier is not None:
            self._earlier.extend(earlier.renditions.values())
        self._cuts: deque[Cut] = deque()
        self._captions = False
        self._planned: frozenset[str] = frozenset()
        """Renditions that will start: the stream is not shown without them."""
        self._withdrawn: set[str] = set()
        """Renditions that players are not sent to now."""
        self._ladder: LadderStatus | None = None
        self.stills = Stills()
        """Pictures of what it shows."""
        self._over_bytes = False
        self._modified = int(self.since)
        self._bodies: dict[tuple[LiveRendition | None, bool, bool], Body] = {}

    # -- input ---------------------------------------------------------------------------------------------

    def write(self, event: StreamEvent, now: float) -> LiveRendition | None:
        """Take one event; the rendition whose timer may have changed, where it is only one."""
        if isinstance(event, Sample):
            rendition = self.renditions.get(event.rendition)
            if rendition is not None and not rendition.ended:
                rendition.segmenter.push(event, now)
                self._collect((rendition,), now)
            return rendition
        if isinstance(event, Cut):
            self._cut(event, now)
        elif isinstance(event, Hole):
            rendition = self.renditions.get(event.rendition)
            if rendition is not None and not rendition.ended:
                rendition.segmenter.hole(event.until, now)
        elif isinstance(event, TrackStarted):
            self._track_started(event, now)
        elif isinstance(event, TrackEnded):
            rendition = self.renditions.get(event.rendition)
            if rendition is not None:
                rendition.segmenter.end(now)
        elif isinstance(event, StreamStarted):
            self._started(event)
        elif isinstance(event, StreamEnded):
            self.end(now)
            return None
        else:
            self._said(event)
        self._collect(self.renditions.values(), now)
        return None

    def _said(self, event: Metadata | Offered | Planned | Still | LadderStatus) -> None:
        """What is about the stream, and changes no rendition."""
        if isinstance(event, Still):
            self.stills.put(event.content_type, event.data, self._unix())
            return
        if isinstance(event, LadderStatus):
            self._ladder = event
            return
        if isinstance(event, Planned):
            self._planned = frozenset(event.renditions)
            return
        if isinstance(event, Offered):
            (self._withdrawn.discard if event.offered else self._withdrawn.add)(event.rendition)
        else:
            self._captions = self._captions or event.kind is MetadataKind.CAPTION
        self._changed()

    def next_timeout(self) -> float | None:
        """When `handle_timeout` is due, monotonic seconds."""
        return min(filter(None, (r.segmenter.next_timeout() for r in self.renditions.values())), default=None)

    def handle_timeout(self, now: float) -> None:
        """Close parts that are due."""
        for rendition in self.renditions.values():
            due = rendition.segmenter.next_timeout()
            if due is not None and due <= now:
                rendition.segmenter.handle_timeout(now)
        self._collect(self.renditions.values(), now)

    def end(self, now: float) -> None:
        """Close what is open and list ENDLIST everywhere; also for a stream that never started."""
        if self.state is StreamState.ENDED:
            return
        for rendition in self.renditions.values():
            rendition.segmenter.end(now)
        self.state = StreamState.ENDED
        self._collect(self.renditions.values(), now)
        self.waiting_start.wake(lambda key: True)

    # -- output --------------------------------------------------------------------------------------------

    @property
    def window_s(self) -> float:
        """Seconds that an ended stream stays: what its longest playlist shows, but at least the setting."""
        return max([self._settings.window_s, *(r.window.duration_s for r in self.renditions.values())])

    @property
    def target_duration_s(self) -> int:
        """EXT-X-TARGETDURATION of every playlist."""
        return self.started.target_duration_s if self.started else self._settings.target_duration_s

    def playable(self, name: str) -> LiveRendition | None:
        """The rendition, when its playlist can be served now; with an empty name, any one."""
        if self.state is StreamState.STARTING:
            return None
        if not name:
            return next((r for r in self.renditions.values() if r.listed), None)
        rendition = self.renditions.get(name)
        return rendition if rendition is not None and rendition.listed else None

    def expects(self, name: str) -> bool:
        """Whether `playable(name)` may still come."""
        if self.state is StreamState.ENDED:
            return False
        return self.state is StreamState.STARTING or not name or name in self.renditions

    def media_playlist(self, rendition: LiveRendition, *, delta: bool, compressed: bool) -> Body:
        """The playlist of `rendition`, with reports as fresh as itself; rendered once per version and form."""
        # By the object: a held request may still have the rendition that another has replaced under its name.
        key = (rendition, delta, compressed)
        body = self._bodies.get(key)
        if body is None:
            identity = (rendition, delta, False)
            known = self._bodies.get(identity)
            text = known.data.decode() if known else rendition.text(self._reports(rendition), delta=delta)
            body = text_body(text, PLAYLIST_TYPE, compressed=compressed, modified=self._modified)
            self._bodies[key] = body
        return body

    def multivariant_playlist(self, *, compressed: bool) -> Body:
        """The multivariant playlist of what is listed now."""
        key = (None, False, compressed)
        body = self._bodies.get(key)
        if body is None:
            listed = in_order([r.catalog_entry() for r in self._offered()])
            text = multivariant.render(describe(listed, captions=self._captions))
            body = text_body(text, PLAYLIST_TYPE, compressed=compressed, modified=self._modified)
            self._bodies[key] = body
        return body

    def find(self, rendition_name: str, file: str) -> tuple[LiveRendition | None, Lookup]:
        """A file of this stream, also of a rendition that ended under the same name."""
        found: tuple[LiveRendition | None, Lookup] = (None, Unknown())
        rendition = self.renditions.get(rendition_name)
        candidates = [r for r in self._earlier if r.rendition == rendition_name]
        if rendition is not None:
            candidates.append(rendition)
        for candidate in reversed(candidates):
            result = candidate.window.find(file)
            if not isinstance(result, (Unknown, Gone)):
                return candidate, result
            if isinstance(result, Gone):
                found = (candidate, result)
        return found

    def summary(self) -> dict[str, object]:
        """For listings: plain values."""
        return {
            "name": self.name,
            "state": self.state.value,
            "since": datetime.fromtimestamp(self.since, UTC).isoformat(timespec="seconds"),
            "playlist": f"live/{self.name}/index.m3u8",
            "page": f"live/{self.name}/",
            "thumbnail": f"live/{self.name}/thumb.jpg" if self.stills.find("thumb.jpg") else None,
            "viewers": None,
            "ladder": describe_ladder(self._ladder),
            "renditions": [
                describe_rendition(r.catalog_entry(), offered=r.rendition not in self._withdrawn)
                for r in self._in_order()
                if not self._gone(r)
            ],
        }

    # -- inside --------------------------------------------------------------------------------------------

    def _started(self, event: StreamStarted) -> None:
        if self.started is None:
            self.started = event
        elif event != self.started:
            # What is fixed for a stream's life cannot change under its players (rules 9, 10).
            log.warning("stream parameters changed while live; the first are kept", stream=self.name)

    def _cut(self, cut: Cut, now: float) -> None:
        done = min((_last_msn(r) for r in self.renditions.values() if r.listed and not r.ended), default=-1)
        if self.state is StreamState.STARTING:
            done = -1  # a rendition that is a little late has its own first segment
        while self._cuts and (self._cuts[0].msn <= done or len(self._cuts) >= MAX_CUTS):
            self._cuts.popleft()
        self._cuts.append(cut)
        self._earlier = [old for old in self._earlier if old.files_until > now]
        for rendition in self.renditions.values():
            if not rendition.ended:
                rendition.segmenter.cut(cut, now)

    def _track_started(self, event: TrackStarted, now: float) -> None:
        rendition = self.renditions.get(event.rendition)
        if rendition is not None and not rendition.ended:
            rendition.segmenter.track_started(event.track, now)
            rendition.track = event.track
            return
        if self.started is None or len(self.renditions) >= MAX_RENDITIONS:
            log.warning("track refused", stream=self.name, rendition=event.rendition)
            return
        if rendition is not None:
            self._earlier.append(rendition)
        reference: LiveRendition | None = None
        if self.state is not StreamState.STARTING:  # nobody has seen a playlist yet: it is there from the first cut on
            live = (r for r in self.renditions.values() if r.listed and not r.ended)
            reference = max(live, key=_last_msn, default=None)
        rendition = LiveRendition(self.name, event, self.started, self._settings, self.together)
        self.renditions[event.rendition] = rendition
        rendition.segmenter.track_started(event.track, now)
        rendition.take(self._metrics, now, self._clock())
        # A rendition that begins late has the numbers and boundaries of the others: GAP for what they list
        # already, then the cuts that are still open there.
        first = 0 if reference is None else rendition.backfill(reference, now)
        for cut in self._cuts:
            if cut.msn >= first:
                rendition.segmenter.cut(cut, now)
        self._changed()

    def _collect(self, renditions: Iterable[LiveRendition], now: float) -> None:
        """Publish what the segmenters have, then wake: all of one event is seen together (rules 15, 191)."""
        published = self._clock()
        changed = [rendition for rendition in renditions if rendition.take(self._metrics, now, published)]
        if not changed:
            return
        self._bound_bytes(now)
        self._changed()
        if self.state is StreamState.STARTING and self._has_enough():
            self.state = StreamState.LIVE
            log.info("stream is live", stream=self.name, renditions=sorted(self.renditions))
        if self.state is not StreamState.STARTING:
            self.waiting_start.wake(lambda key: self.playable(key) is not None or not self.expects(key))
        for rendition in changed:
            rendition.wake()

    def _bound_bytes(self, now: float) -> None:
        """`stream_bytes` is for all renditions together: the one that holds most gives first."""
        windows = [r.window for r in self.renditions.values()]
        while sum(window.stored_bytes for window in windows) > self._settings.stream_bytes:
            windows.sort(key=lambda window: window.stored_bytes, reverse=True)
            if not any(window.drop_oldest(now) for window in windows):
                return  # three target durations each are left
            if not self._over_bytes:
                self._over_bytes = True
                log.warning("window is shortened: origin.stream_bytes is used up", stream=self.name)

    def _changed(self) -> None:
        self._bodies.clear()
        self._modified = int(self._unix())

    def _has_enough(self) -> bool:
        """Whether players that know nothing of the stream can start: every rendition is listed, and there is media."""
        assert self.started is not None
        live = [r for r in self.renditions.values() if not r.ended and r.rendition not in self._withdrawn]
        if not live or not all(r.listed for r in live) or not self._planned <= self.renditions.keys():
            return False  # a multivariant playlist is read once: what is missing in it stays missing
        if all(r.snapshot.segments[0].gap for r in live):
            # A stream that goes on after a restart opens with GAP, and its players are waiting. They need
            # media behind it as far as a low-latency player starts from the end.
            return any(r.window.media_s * 1e6 >= 3 * self.started.part_target_us for r in live)
        need = self._settings.first_playlist_s
        if need is None:  # rule 18: the first playlist covers the hold-back of players that know no parts
            need = 3.0 * self.started.target_duration_s
        return any(r.window.duration_s >= need for r in live)

    def _in_order(self) -> list[LiveRendition]:
        return sorted(self.renditions.values(), key=lambda r: r.place)

    def _offered(self) -> list[LiveRendition]:
        """What the multivariant playlist names. A stream whose video is withdrawn altogether is offered with it."""
        listed = [r for r in self._in_order() if r.listed and not self._gone(r)]
        offered = [r for r in listed if r.rendition not in self._withdrawn]
        if any(r.track.kind is Kind.VIDEO for r in offered):
            return offered
        return [r for r in listed if r.track.kind is Kind.VIDEO or r in offered]

    def _gone(self, rendition: LiveRendition) -> bool:
        """It ended while its stream goes on."""
        return rendition.ended and self.state is not StreamState.ENDED

    def _reports(self, rendition: LiveRendition) -> tuple[RenditionReport, ...]:
        """Rule 74: one report per other playlist of the multivariant playlist."""
        others = (r.report() for r in self._offered() if r is not rendition)
        return tuple(report for report in others if report is not None)


def _last_msn(rendition: LiveRendition) -> int:
    return rendition.snapshot.last_msn
