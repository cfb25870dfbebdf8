"""One stream on the running loop: its timeline's timer, its state file, its way into the sink."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from headwater.ingest.media import Packet, Rendition, StreamSink, Track

from .metrics import IngestMetrics
from .state import StateStore
from .timeline import Epoch, Timeline, TimelineSettings
from .timeline.lane import rendition_of

if TYPE_CHECKING:
    from .publisher import Publisher

log = structlog.get_logger("headwater.ingest")


class LiveStream:
    """A stream from its first publisher to its end.

    Args:
        name: of the stream.
        settings: of its timeline.
        epoch: of its earlier life, or None.
        sink: receives its events.
        store: keeps its epoch.
        wall: Unix seconds now.
        metrics: for what goes wrong.
    """

    timeline: Timeline
    publisher: Publisher | None
    packets: dict[Rendition, int]

    def __init__(
        self,
        name: str,
        settings: TimelineSettings,
        epoch: Epoch | None,
        sink: StreamSink,
        store: StateStore,
        wall: Callable[[], float],
        metrics: IngestMetrics,
    ) -> None:
        self.name = name
        self.timeline = Timeline(settings, epoch)
        self.publisher = None
        self.since_unix = wall()
        self.packets = {}
        self.restored = epoch is not None and not epoch.ended
        """It goes on from an earlier life of the server."""
        self.linger: asyncio.TimerHandle | None = None
        """When it ends, while it has no publisher."""
        self._sink = sink
        self._store = store
        self._wall = wall
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._saved_cuts = 0
        self._received_before = 0
        self._counts: dict[str, Rendition] = {}

    @property
    def started(self) -> bool:
        """Media has been placed."""
        return self.timeline.counters.cuts > 0

    @property
    def received_bytes(self) -> int:
        """From all its publishers."""
        return self._received_before + (self.publisher.received_bytes if self.publisher is not None else 0)

    @property
    def bitrate(self) -> float:
        """Bits per second of its publisher, over the last seconds."""
        return self.publisher.bitrate if self.publisher is not None else 0.0

    def join(self, publisher: Publisher, now: float) -> None:
        """A publisher begins."""
        if self.linger is not None:
            self.linger.cancel()
            self.linger = None
        self.publisher = publisher
        self.timeline.publisher_joined(now, self._wall())
        self.flush(now)
        self._arm(now)

    def leave(self, now: float) -> None:
        """The publisher is gone."""
        self._received_before = self.received_bytes
        self.publisher = None
        self.timeline.publisher_left(now, self._wall())
        self.flush(now)

    def configure(self, track: Track, now: float) -> None:
        """A track of the publisher."""
        self.timeline.configure(track, now, self._wall())

    def packet(self, packet: Packet, now: float) -> None:
        """A packet of the publisher; `flush` follows when all that came with it was given."""
        rendition = self._counts.get(packet.track)
        if rendition is None:
            rendition = self._counts[packet.track] = rendition_of(packet.track)
        self.packets[rendition] = self.packets.get(rendition, 0) + 1
        self.timeline.packet(packet, now, self._wall())

    def cue(self, pts: int, section: bytes) -> None:
        """A cue of the publisher; `flush` follows."""
        self.timeline.cue(pts, section)

    def flush(self, now: float) -> None:
        """Hand on what the timeline said; the epoch is saved before a cut is handed on."""
        events = self.timeline.events()
        if not events:
            return
        cuts = self.timeline.counters.cuts
        if cuts != self._saved_cuts:
            self._saved_cuts = cuts
            self._save()
        write = self._sink.write
        for event in events:
            write(event, now)

    def end(self, now: float) -> None:
        """The stream is over."""
        self._disarm()
        self.timeline.end(now, self._wall())
        self._save()
        self._saved_cuts = self.timeline.counters.cuts
        self.flush(now)
        self._advise()

    def suspend(self, now: float) -> None:
        """The server stops: nothing more is said, a restart goes on."""
        self.flush(now)
        self._disarm()
        self._save()

    def _save(self) -> None:
        epoch = self.timeline.epoch
        if epoch is None:
            return
        try:
            self._store.save(self.name, epoch, self._wall())
        except OSError as error:
            # The stream goes on: losing numbers at the next restart is less than losing it now.
            self._metrics.state_errors.inc()
            log.error("state not saved", stream=self.name, reason=error.strerror or str(error))

    def _arm(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.timeline.next_timeout()
        if due is not None:
            self._timer = self._loop.call_later(max(0.0, due - now), self._on_timer)

    def _disarm(self) -> None:
        for handle in (self._timer, self.linger):
            if handle is not None:
                handle.cancel()
        self._timer = self.linger = None

    def _on_timer(self) -> None:
        self._timer = None
        now = time.monotonic()
        self.timeline.handle_timeout(now, self._wall())
        self.flush(now)
        self._advise()
        self._arm(now)

    def _advise(self) -> None:
        for advice in self.timeline.advice():
            log.warning("advice", stream=self.name, about=advice.kind.value, text=advice.text)
