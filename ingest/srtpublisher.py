"""One SRT publisher, pushed or pulled: what its session hands out goes through the demultiplexer into its stream.

UDP cannot be told to wait. What comes faster than it may be read waits in the publisher's inbox; when that is full,
the connection is closed, and the log says what was too much.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Protocol

import structlog

from headwater.config.settings import Ingest
from headwater.ingest.media import Packet

from .auth import Pause
from .feed import Directory, Feed
from .mpegts import CueReceived, Demuxer
from .mpegts import Limits as TsLimits
from .pace import Pace, Rate
from .srt.events import SessionId
from .srt.stats import Stats
from .srtadvice import LatencyAdviser
from .stream import LiveStream
from .tracks import TrackConfigured, TrackRefused, TracksAnnounced

log = structlog.get_logger("headwater.ingest")

LOOK_S = 1.0
"""Between two looks at a publisher: idle media, bit rate, advice."""
TURN_S = 0.01
"""CPU that one publisher may use in one turn of the event loop; the rest waits for another turn."""
SLICE = 64 * 1024
"""Bytes between two looks at that: about 1 ms of work. Why: looking costs as much as a datagram."""
PIECE_BYTES = 64
"""Counted for each piece on top of its bytes. Why: what a tiny one costs in memory."""
FULL = {
    Pause.AHEAD: "media comes faster than real time: send it at its own pace (ffmpeg -re)",
    Pause.BITRATE: "the bit rate is above ingest.srt.limits.bitrate",
    Pause.WORK: "the stream comes faster than it can be read",
}
"""Why an inbox ran full."""

Piece = bytes | int
"""Bytes of the transport stream, or how many datagrams are missing here."""


class Line(Protocol):
    """What a publisher needs of the side that owns its socket."""

    @property
    def streams(self) -> Directory:
        """Where its stream comes from."""

    def stats(self, session: SessionId, now: float) -> Stats | None:
        """What the session measures; None when it is over."""

    def hang_up(self, session: SessionId, detail: str) -> None:
        """Close the session; `closed` follows."""

    def paused(self, pause: Pause) -> None:
        """Count a pause of reading."""


class SrtPublisher:
    """From accepted to closed.

    Args:
        line: where its bytes come from.
        session: its session there.
        settings: limits.
        address: remote address without port.
        protocol: `srt` or `srt-pull`.
        latency_s: as negotiated.
        now: monotonic seconds.
    """

    def __init__(
        self,
        line: Line,
        session: SessionId,
        settings: Ingest,
        address: str,
        protocol: str,
        latency_s: float,
        now: float,
    ) -> None:
        self.address = address
        self.protocol = protocol
        self.late_s = latency_s if settings.srt.early_release else 0.0
        """Passed on as soon as it is in order, media waits for what was lost as long as that; else always as long."""
        self.name = ""
        """Of its stream, also when that has been left."""
        self.received_bytes = 0
        self.feed = Feed(line.streams, self, settings.ahead_s)
        self.demuxer = Demuxer(TsLimits(tracks_per_kind=settings.srt.limits.tracks_per_kind))
        self.last_stats: Stats | None = None
        """Of the last look."""
        self._line = line
        self._session = session
        self._limits = settings.srt.limits
        self._loop = asyncio.get_running_loop()
        self._pace = Pace(self._limits.bitrate, self.feed.ahead_s, now)
        self._rate = Rate(now)
        self._adviser = LatencyAdviser(now)
        self._inbox: deque[Piece] = deque()
        self._inbox_bytes = 0
        self._pause = Pause.WORK
        self._resume: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = self._loop.call_later(LOOK_S, self._on_look)
        self._media_at = now
        self._closed = False

    @property
    def bitrate(self) -> float:
        """Bits per second, smoothed over some seconds."""
        return self._rate.bits_per_s

    @property
    def silent_since(self) -> float:
        """Monotonic seconds of the last media; a publisher that is not read because it is ahead is not silent."""
        now = time.monotonic()
        return now if self.feed.ahead_s(now) > 0 else self._media_at

    def begin(self, stream: LiveStream, now: float) -> None:
        """Its publish was accepted."""
        self.name = stream.name
        self._media_at = now
        self.feed.begin(stream, now)

    def shut(self, detail: str) -> None:
        """End the connection for a reason of the server."""
        if not self._closed:
            self.feed.leave(time.monotonic())
            self._line.hang_up(self._session, detail)

    def closed(self, now: float) -> None:
        """The session is over. Idempotent."""
        self._closed = True
        for handle in (self._resume, self._look):
            if handle is not None:
                handle.cancel()
        self._resume = self._look = None
        self._inbox.clear()
        self.demuxer.receive_eof(now)
        self._react(now)
        self.feed.leave(now)

    def stats(self) -> Stats | None:
        """What the session measures now, or measured last."""
        if not self._closed:
            self.last_stats = self._line.stats(self._session, time.monotonic()) or self.last_stats
        return self.last_stats

    # -- bytes in ------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> None:
        """Bytes of the transport stream, in order."""
        if self._closed:
            return
        self.received_bytes += len(data)
        self._inbox.append(data)
        self._inbox_bytes += len(data) + PIECE_BYTES
        if self._resume is None:
            self._read(now)
        elif self._inbox_bytes > self._limits.inbox_bytes:
            self.shut(FULL[Pause.AHEAD if self.feed.ahead_s(now) > 0 else self._pause])

    def lost(self, datagrams: int, now: float) -> None:
        """So many datagrams are missing between what came and what comes."""
        if not self._inbox:
            self.demuxer.packets_lost(now, datagrams)
            self._react(now)
            return
        last = self._inbox[-1]
        if isinstance(last, int):
            self._inbox[-1] = last + datagrams
        else:
            self._inbox.append(datagrams)

    def _read(self, now: float) -> None:
        """Take what is in the inbox, as long as the turn allows."""
        began, size, spent = time.thread_time(), 0, 0.0
        while self._inbox and spent < TURN_S and not self._closed and self.feed.ahead_s(now) <= 0:
            piece = self._inbox.popleft()
            if isinstance(piece, int):
                self.demuxer.packets_lost(now, piece)
            else:
                size += min(len(piece), SLICE)
                self._take(piece, now)
            self._react(now)
            spent = time.thread_time() - began
        if self._closed:
            return
        paused = self._pace.read(size, spent, now)
        if paused is not None:
            self._pause, wait = paused
            self._line.paused(self._pause)
            self._resume = self._loop.call_later(min(LOOK_S, wait), self._read_on)
        elif self._inbox:
            self._pause = Pause.WORK
            self._resume = self._loop.call_later(0.001, self._read_on)

    def _take(self, piece: bytes, now: float) -> None:
        if len(piece) > SLICE:
            self._inbox.appendleft(piece[SLICE:])
            self._inbox_bytes -= SLICE
            self.demuxer.receive_data(piece[:SLICE], now)
        else:
            self._inbox_bytes -= len(piece) + PIECE_BYTES
            self.demuxer.receive_data(piece, now)

    def _read_on(self) -> None:
        self._resume = None
        if not self._closed:
            self._read(time.monotonic())

    def _react(self, now: float) -> None:
        events = self.demuxer.events_received()
        if not events:
            return
        feed = self.feed
        for event in events:
            if isinstance(event, Packet):
                self._media_at = now
                feed.packet(event, now)
            elif isinstance(event, TrackConfigured):
                feed.configure(event.track, now)
            elif isinstance(event, TrackRefused):
                feed.refuse(event.track, event.codec, event.reason, now)
            elif isinstance(event, TracksAnnounced):
                feed.expect(event.tracks)
            elif isinstance(event, CueReceived):
                feed.cue(event.pts, event.section)
        feed.flush(now)

    # -- time ----------------------------------------------------------------------------------------------------

    def _on_look(self) -> None:
        self._look = self._loop.call_later(LOOK_S, self._on_look)
        now = time.monotonic()
        self._rate.look(self.received_bytes, now, LOOK_S / 2)
        if now - self.silent_since >= self._limits.media_idle_s:
            self.shut(f"no media for {self._limits.media_idle_s:g} s")
        elif self.feed.undeliverable(now):
            self.shut("none of the tracks can be delivered")
        else:
            self._advise(now)

    def _advise(self, now: float) -> None:
        stats = self._line.stats(self._session, now)
        if stats is None:
            return
        self.last_stats = stats
        text = self._adviser.look(stats, now)
        if text is not None and self.feed.stream is not None:
            log.warning("advice", stream=self.feed.stream.name, about="srt-latency", text=text)
