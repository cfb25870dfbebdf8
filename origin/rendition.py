"""One rendition of a live stream: its segmenter, its window, the texts of its playlist, and who waits for it."""

from __future__ import annotations

import gzip
import hashlib
import math
from dataclasses import replace

import structlog

from headwater.config.settings import Origin
from headwater.config.stages import Stage
from headwater.ingest.media import Kind, StreamStarted, TrackStarted

from .catalog import Listed
from .conformance import RULES, RenditionCheck, Together, Violation
from .events import PartClosed, RenditionEnded, SegmentClosed, SegmenterEvent
from .held import Waiting
from .hls import writer
from .hls.directives import Directives, Position, Skip, Wait, decide
from .hls.model import MediaPlaylist, RenditionReport
from .metrics import OriginMetrics
from .responses import Body
from .segmenter import Segmenter
from .window import HintedName, MediaKind, Window, WindowSettings

log = structlog.get_logger("headwater.origin")

SILENT_S = 10.0
"""Between two log lines about the same rule and rendition."""

UNKNOWN_RATE = 1 << 40
"""bit/s, for the order of lists: what is passed through comes before all that was encoded."""

GZIP_LEVEL = 5
"""Why: a playlist of 5 kB takes 60 us, and 9 saves no more than a packet."""


def text_body(text: str, content_type: str, *, compressed: bool, modified: int | None = None) -> Body:
    """`text` in identity or gzip coding. Equal texts have equal bodies, whoever makes them and when (rule 101)."""
    data = text.encode()
    tag = hashlib.blake2b(data, digest_size=9).hexdigest()
    if not compressed:
        return Body(data, content_type, f'"{tag}"', modified, varies=True)
    # RFC 9110, 8.8.3: a strong ETag differs between content codings
    data = gzip.compress(data, GZIP_LEVEL, mtime=0)
    return Body(data, content_type, f'"{tag}-gz"', modified, encoding="gzip", varies=True)


class LiveRendition:
    """Owned by its stream; tells nobody itself."""

    def __init__(
        self, stream: str, begun: TrackStarted, started: StreamStarted, settings: Origin, together: Together
    ) -> None:
        rendition = self.rendition = begun.rendition
        self.track = begun.track
        self.segmenter = Segmenter(rendition, started)
        self.window = Window(rendition, started, WindowSettings(settings.window_s, settings.stream_bytes))
        self.window.promised_independent = begun.independent
        self.ended = False
        self.files_until = math.inf
        """Until when its files stay once it has ended, monotonic seconds (rules 20, 25)."""
        self.version = 0
        """Counts the publications."""
        self.published = 0.0
        """When the last one was, monotonic seconds."""
        self.waiting_playlists: Waiting[tuple[int, int | None]] = Waiting()
        self.waiting_files: Waiting[str] = Waiting()
        self._check = RenditionCheck(rendition, started.part_target_us / 1e6, started.target_duration_s, together)
        self._silent_until: dict[int, float] = {}
        """By rule: until when its violations are counted and not said, monotonic seconds."""
        self._kept_s = settings.window_s + started.target_duration_s
        self._labels = (stream, str(rendition))
        self._peak = 0
        self._begun = begun

    def take(self, metrics: OriginMetrics, now: float, published: float) -> bool:
        """Apply what the segmenter published; whether there was anything.

        Args:
            now: of the event that made it, monotonic seconds.
            published: what the clock says after packaging.
        """
        events = self.segmenter.events()
        if not events:
            return False
        for event in events:
            self.window.apply(event, now)
            self._count(event, metrics, now, published)
        for violation in self._check.look(events, self.snapshot):
            self._violated(violation, metrics, published)
        self.version += 1
        self.published = published
        return True

    def wake(self) -> None:
        """Let those go on whose part, segment or file is there now, or never comes."""
        if len(self.waiting_playlists):
            position = self.position
            self.waiting_playlists.wake(lambda key: not _waits(key, position))
        if len(self.waiting_files):
            self.waiting_files.wake(lambda name: not isinstance(self.window.find(name), HintedName))

    @property
    def snapshot(self) -> MediaPlaylist:
        """The playlist as it is now, without rendition reports."""
        return self.window.playlist()

    @property
    def position(self) -> Position:
        """Where the playlist stands."""
        return self.snapshot.position

    def backfill(self, other: LiveRendition, now: float) -> int:
        """List as GAP what `other` lists already; the MSN at which this rendition begins. Call before any cut."""
        playlist = other.snapshot
        before = playlist.last_msn + 1
        self.window.backfill(playlist, before, now)
        return before

    @property
    def place(self) -> tuple[bool, int, str, str]:
        """In lists: pictures before sound, what was sent before what was encoded, that from the highest rate down."""
        return self.track.kind is Kind.AUDIO, -self._begun.bitrate or -UNKNOWN_RATE, self.track.id, self.rendition

    @property
    def listed(self) -> bool:
        """It has a complete segment, so that a player can use it."""
        return bool(self.snapshot.segments)

    def report(self) -> RenditionReport | None:
        """4.4.5.4: where this rendition stands, for the playlists of the others; None: not listed."""
        playlist = self.snapshot
        if not playlist.segments or self.ended:
            return None
        uri = f"../{self.rendition}/index.m3u8"
        if playlist.open is not None and playlist.open.parts:
            return RenditionReport(uri, playlist.open.msn, len(playlist.open.parts) - 1)
        last = playlist.segments[-1]
        return RenditionReport(uri, last.msn, max(0, last.part_count - 1))

    def text(self, reports: tuple[RenditionReport, ...], *, delta: bool) -> str:
        """The playlist's text."""
        return writer.render(replace(self.snapshot, reports=reports), delta=Skip.YES if delta else None)

    def catalog_entry(self) -> Listed:
        """What the multivariant playlist says of it. The peak is the highest ever measured: BANDWIDTH is a bound."""
        bitrates = self.window.bitrates()
        average = None
        if bitrates is not None:
            self._peak = max(self._peak, bitrates.peak)
            average = bitrates.average
        return Listed(
            self.rendition,
            self.track,
            self._peak or None,
            average,
            self.snapshot.independent_segments,
            self._begun.bitrate,
        )

    def mime(self, kind: MediaKind) -> str:
        """Rule 154."""
        if kind is not MediaKind.INIT:
            return "video/iso.segment"
        return "video/mp4" if self.track.kind is Kind.VIDEO else "audio/mp4"

    def _violated(self, violation: Violation, metrics: OriginMetrics, now: float) -> None:
        """Something was published against a rule: counted, and said once per rule and `SILENT_S`."""
        rule, seen = violation
        metrics.violations.labels(str(rule)).inc()
        if now >= self._silent_until.get(rule, -math.inf):
            self._silent_until[rule] = now + SILENT_S
            stream, rendition = self._labels
            log.error(
                "published against a rule", stream=stream, rendition=rendition, rule=rule, asks=RULES[rule], seen=seen
            )

    def _count(self, event: SegmenterEvent, metrics: OriginMetrics, now: float, published: float) -> None:
        if isinstance(event, PartClosed):
            metrics.parts.labels(*self._labels).inc()
            if event.gap:
                metrics.gap_parts.labels(*self._labels).inc()
            metrics.part_bytes.labels(*self._labels).inc(len(event.data))
            if event.arrived is not None and event.given is not None:
                metrics.part_latency.labels(str(self.track.kind)).observe(max(0.0, published - event.arrived))
                metrics.stages[Stage.PACKAGE].observe(published - event.given)
        elif isinstance(event, SegmentClosed):
            metrics.segments.labels(*self._labels).inc()
            bitrates = self.window.bitrates()
            if bitrates is not None:
                metrics.bitrate.labels(*self._labels).set(bitrates.average)
        elif isinstance(event, RenditionEnded):
            self.ended = True
            self.files_until = now + max(self._kept_s, self.window.duration_s + self.snapshot.target_duration)


def _waits(key: tuple[int, int | None], position: Position) -> bool:
    """Whether a request that waits for `key` would wait for the same now."""
    decision = decide(Directives(*key), position, held=True)
    return isinstance(decision, Wait) and (decision.msn, decision.part) == key
