"""One stream on the running loop: its timeline's timer, its state file, its way into the sink.

With a ladder the way divides: each event goes to the sink as it would without one, then to the ladder, which gives the
sink its own renditions. What players cannot get as it is (`Sink.check`) goes to the ladder alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import structlog

from headwater.config.stages import Stage
from headwater.ingest.media import (
    Kind,
    Packet,
    Rendition,
    Sample,
    Sink,
    StreamEnded,
    StreamEvent,
    StreamSink,
    Track,
    TrackId,
    TrackStarted,
)

from .encode.host import Ladder
from .encode.ladders import Ladders
from .metrics import IngestMetrics
from .state import StateStore
from .timeline import Epoch, Timeline, TimelineSettings
from .timeline.lane import rendition_of
from .transit import Transit

if TYPE_CHECKING:
    from .publisher import Publisher

log = structlog.get_logger("headwater.ingest")

DRAIN_S = 2.0
"""Seconds that a ladder has to give out what it holds when its stream ends or the server stops. Why: it is half a
second behind in a good case, and viewers of the source wait for the end as long."""


class LiveStream:
    """A stream from its first publisher to its end.

    Args:
        name: of the stream.
        settings: of its timeline.
        epoch: of its earlier life, or None.
        sink: receives the stream.
        store: keeps its epoch.
        wall: Unix seconds now.
        metrics: for what goes wrong.
        ladders: make its ladder, if it gets one.
        application: of the publisher that opened it.
    """

    timeline: Timeline
    publisher: Publisher | None
    packets: dict[Rendition, int]

    def __init__(
        self,
        name: str,
        settings: TimelineSettings,
        epoch: Epoch | None,
        sink: Sink,
        store: StateStore,
        wall: Callable[[], float],
        metrics: IngestMetrics,
        ladders: Ladders,
        application: str,
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
        self._sink: StreamSink = sink.open(name)
        self._check = sink.check
        self._ladders = ladders
        self._time = metrics.stages[Stage.INGEST]
        self._transit = Transit(self._sink, metrics.stages[Stage.ENCODE])
        self._ladder: Ladder | None = ladders.ladder(name, application, self._transit, self.timeline)
        self._hidden: set[Rendition] = set()
        """Renditions that players cannot get as they are."""
        self.finishing: asyncio.Task[None] | None = None
        """The ladder gives out its last before the stream's end is said."""
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
        self.timeline.publisher_joined(now, self._wall(), publisher.late_s)
        self.flush(now)
        self._arm(now)

    def leave(self, now: float) -> None:
        """The publisher is gone."""
        self._received_before = self.received_bytes
        self.publisher = None
        self.timeline.publisher_left(now, self._wall())
        self.flush(now)

    def makes(self, track: Track) -> bool:
        """Its ladder delivers a track that players cannot get as it is."""
        return self._ladder is not None and track.kind is Kind.AUDIO

    def expect(self, tracks: frozenset[TrackId]) -> None:
        """Tracks that the publisher says it sends."""
        self.timeline.expect(tracks)

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
        observe = self._time.observe
        for event in events:
            if isinstance(event, Sample):
                observe(now - event.arrived)
        if self._ladder is not None:
            self._divide(self._ladder, events, now)
            return
        write = self._sink.write
        for event in events:
            write(event, now)

    def _divide(self, ladder: Ladder, events: Sequence[StreamEvent], now: float) -> None:
        """To the sink what it can take, to the ladder everything; the end waits for the ladder."""
        for event in events:
            if isinstance(event, StreamEnded):
                self.finishing = self._loop.create_task(self._finish(ladder), name=f"end of {self.name}")
                return
            if isinstance(event, TrackStarted):
                (self._hidden.discard if self._check(event.track) is None else self._hidden.add)(event.rendition)
            if getattr(event, "rendition", None) not in self._hidden:
                self._sink.write(event, now)
            if isinstance(event, Sample):
                self._transit.given(event, now)
            ladder.feed(event, now)
        ladder.source_is_regular(self.timeline.cuts_on_keyframes, now)
        ladder.flushed(now)

    async def _finish(self, ladder: Ladder) -> None:
        await ladder.drain(DRAIN_S)
        self._say_end(ladder)

    def cut_short(self) -> None:
        """The end is said now: another stream of this name begins."""
        if self.finishing is not None and not self.finishing.done() and self._ladder is not None:
            self.finishing.cancel()
            self._say_end(self._ladder)

    def _say_end(self, ladder: Ladder) -> None:
        ladder.close()
        self._ladders.gone(ladder)
        self._sink.write(StreamEnded(), time.monotonic())

    async def settle(self) -> None:
        """After `suspend` or `end`: the ladder gives out what it holds, within `DRAIN_S`, and is gone."""
        if self.finishing is not None:
            await asyncio.wait({self.finishing})
        elif self._ladder is not None:
            await self._ladder.drain(DRAIN_S)
            self._ladders.gone(self._ladder)

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
