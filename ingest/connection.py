"""One RTMP or RTMPS connection: socket and timer around a `PublishSession`."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import Protocol, cast

import structlog

from headwater.config.settings import Ingest
from headwater.ingest.media import Packet, Track, TrackId

from .auth import Pause, Refusal
from .rtmp.errors import CloseReason
from .rtmp.events import Closed, MetadataReceived, PublishEnded, PublishRequested, RejectCode
from .rtmp.session import PublishSession
from .stream import LiveStream
from .tracks import TrackConfigured, TrackRefused

log = structlog.get_logger("headwater.ingest")

LOOK_S = 1.0
"""Longest time between two looks at a connection: idle media, bit rate, session timers."""
BITRATE_WINDOW_S = 2.0
"""Seconds over which the bit rate cap is averaged."""
LINGER_S = 1.0
"""Seconds that a closed session's last bytes have to reach the peer."""
TRACKS_S = 2.0
"""Seconds after a refused track in which an acceptable one, or a packet of it, may come."""
BUSY_SHARE = 0.25
"""Share of a core that one connection may keep busy, averaged over the same window. Why: bytes do not tell what a
message costs; a flood of empty ones would take the event loop from everybody else. 6 Mbit/s of video need 0.01."""
TURN_S = 0.01
"""CPU that one connection may use in one turn of the event loop; what it sent beyond that waits for another turn."""
SLICE = 4 * 1024
"""Bytes between two looks at that, and at how far media is ahead of real time. Why: a read may bring 250 KB, which can
be as many messages, or a minute of sound."""
WRITE_HIGH = 64 * 1024
"""Bytes of replies handed to the transport at most, besides what the session bounds."""
SMOOTH = 0.3
"""Weight of the last second in the displayed bit rate."""


class Owner(Protocol):
    """What a connection needs of its server."""

    settings: Ingest

    def opened(self, connection: Connection) -> Refusal | None:
        """A connection was made; why it may not stay."""

    def requested(self, connection: Connection, request: PublishRequested, now: float) -> None:
        """A publish was asked for: calls `connection.accept` or `connection.reject`."""

    def refused_track(self, connection: Connection, track: Track) -> str | None:
        """Why the sink cannot take a track."""

    def refuse(self, refusal: Refusal) -> None:
        """Count a refusal."""

    def paused(self, pause: Pause) -> None:
        """Count a pause of reading."""

    def finished(self, reason: CloseReason) -> None:
        """Count the end of a session."""

    def left(self, connection: Connection, stream: LiveStream, now: float) -> None:
        """The connection publishes `stream` no more."""

    def gone(self, connection: Connection) -> None:
        """The connection is closed."""


class Connection(asyncio.Protocol):
    """Bytes in, events to the stream, bytes out; reading pauses when media comes too fast.

    Args:
        owner: the server.
        protocol: `rtmp` or `rtmps`, for logs and metrics.
    """

    def __init__(self, owner: Owner, protocol: str) -> None:
        self.protocol = protocol
        self.address = "unknown"
        self.stream: LiveStream | None = None
        self.session: PublishSession | None = None
        self.bitrate = 0.0
        """Bits per second, smoothed over some seconds."""
        self._owner = owner
        self._limits = owner.settings.rtmp.limits
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._resume: asyncio.TimerHandle | None = None
        self._writable = True
        self._closing = False
        self._tracks: set[TrackId] = set()
        self._refused_at: float | None = None
        self._bucket = self._busy = 0.0
        self._unread = b""
        """Came from the socket, but waits for a turn; reading is paused meanwhile."""
        self._bucket_at = 0.0
        self._looked_at = 0.0
        self._looked_bytes = 0

    @property
    def received_bytes(self) -> int:
        """Of this connection."""
        return self.session.counters.bytes_received if self.session is not None else 0

    @property
    def silent_since(self) -> float:
        """Monotonic seconds of the last media; a publisher that is not read because it is ahead is not silent."""
        now = time.monotonic()
        if self.session is None:
            return 0.0
        return now if self._ahead_s(now) > 0 else self.session.last_media_at

    # -- asyncio.Protocol ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]).removeprefix("::ffff:") if peer else "unknown"
        refusal = self._owner.opened(self)
        if refusal is not None:
            self._closing = True
            self._transport.abort()
            return
        _prepare(transport.get_extra_info("socket"), self._limits.ping_s)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH)
        now = time.monotonic()
        self._bucket_at = self._looked_at = now
        self.session = PublishSession(self._limits, now, os.urandom(64))
        self._look_again()

    def data_received(self, data: bytes) -> None:
        if self._closing or self.session is None:
            return
        self._unread = self._unread + data if self._unread else data
        if self._resume is None:
            self._read(self.session)

    def eof_received(self) -> bool:
        if self.session is not None and not self._closing:
            now = time.monotonic()
            self.session.receive_eof(now)
            self._react(self.session, now)
        return False

    def connection_lost(self, error: Exception | None) -> None:
        now = time.monotonic()
        self._closing = True
        self._unread = b""
        for handle in (self._timer, self._resume):
            if handle is not None:
                handle.cancel()
        self._timer = self._resume = None
        if self.session is not None:
            self.session.receive_eof(now)
            self._react(self.session, now)
        self._leave(now)
        self._owner.gone(self)

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        if self.session is not None:
            self._send(self.session)

    # -- what the server decides -----------------------------------------------------------------------------------

    def accept(self, stream: LiveStream, now: float) -> None:
        """The publish that was asked for feeds `stream`."""
        assert self.session is not None
        self.stream = stream
        self._tracks.clear()
        self._refused_at = None
        stream.join(self, now)
        self.session.accept(now)

    def reject(self, code: RejectCode, description: str, now: float) -> None:
        """The publish that was asked for is refused, and the connection closed."""
        assert self.session is not None
        self.session.reject(code, description, now)

    def shut(self, detail: str) -> None:
        """End the connection for a reason of the server."""
        if self.session is None or self._closing:
            return
        now = time.monotonic()
        self._leave(now)
        self.session.close(detail)
        self._react(self.session, now)

    def abort(self) -> None:
        """Let the connection go at once."""
        if self._transport is not None:
            self._transport.abort()

    # -- events ------------------------------------------------------------------------------------------------------

    def _react(self, session: PublishSession, now: float) -> None:
        """Act on what the session found, then send what it has to say."""
        closed: Closed | None = None
        # Accepting a publish makes the session read on, so there may be events after the last one.
        while events := session.events_received():
            for event in events:
                if isinstance(event, Packet):
                    if self.stream is not None and event.track in self._tracks:
                        self._refused_at = None
                        self.stream.packet(event, now)
                elif isinstance(event, Closed):
                    closed = event
                else:
                    self._event(event, now)
        if self.stream is not None:
            self.stream.flush(now)
        self._send(session)
        if closed is not None:
            self._owner.finished(closed.reason)
            self._finish(session, closed, now)

    def _read(self, session: PublishSession) -> None:
        """Take what came, as long as the turn allows."""
        now, began = time.monotonic(), time.thread_time()
        data, at, spent = self._unread, 0, 0.0
        while at < len(data) and spent < TURN_S and not self._closing and self._ahead_s(now) <= 0:
            session.receive_data(data[at : at + SLICE], now)
            at += SLICE
            self._react(session, now)
            spent = time.thread_time() - began
        self._unread = data[at:]
        self._meter(min(at, len(data)), spent, now)
        if self._unread and self._resume is None and not self._closing:
            self._pause(0.001)

    def _event(self, event: object, now: float) -> None:
        if isinstance(event, TrackConfigured):
            self._configure(event.track, now)
        elif isinstance(event, TrackRefused):
            self._refuse_track(event.track, event.codec, event.reason, now)
        elif isinstance(event, PublishRequested):
            self._owner.requested(self, event, now)
        elif isinstance(event, PublishEnded):
            self._leave(now)
        elif isinstance(event, MetadataReceived) and self.stream is not None:
            log.debug("metadata", stream=self.stream.name, keys=sorted(event.values)[:16])

    def _configure(self, track: Track, now: float) -> None:
        if self.stream is None:
            return
        reason = self._owner.refused_track(self, track)
        if reason is not None:
            self._tracks.discard(track.id)
            self._refuse_track(track.id, track.codec.value, reason, now)
            return
        self._tracks.add(track.id)
        self._refused_at = None
        log.info("track", stream=self.stream.name, track=track.id, codec=track.codec_string)
        self.stream.configure(track, now)

    def _refuse_track(self, track: TrackId, codec: str, reason: str, now: float) -> None:
        # What was configured before may go on (a broken repetition): its next packet shows it.
        if self._tracks <= {track} and self._refused_at is None:
            self._refused_at = now
        self._owner.refuse(Refusal.TRACK)
        name = self.stream.name if self.stream is not None else ""
        log.warning("track refused", stream=name, track=track, codec=codec, reason=reason)

    def _leave(self, now: float) -> None:
        stream, self.stream = self.stream, None
        if stream is not None:
            self._owner.left(self, stream, now)

    # -- bytes out ---------------------------------------------------------------------------------------------------

    def _send(self, session: PublishSession) -> None:
        transport = self._transport
        if transport is None or not self._writable or transport.is_closing():
            return
        data = session.data_to_send()
        if data:
            transport.write(data)

    def _finish(self, session: PublishSession, closed: Closed, now: float) -> None:
        """The session is over: let its last bytes reach the peer, then close without a reset."""
        self._leave(now)
        transport = self._transport
        if self._closing or transport is None:
            return
        self._closing = True
        self._unread = b""
        # Who leaves before the handshake is a port scan or a health check: nobody wants a line for each.
        say = log.info if session.shaken or closed.reason is not CloseReason.PEER else log.debug
        say("connection closed", address=self.address, reason=closed.reason.value, detail=closed.detail)
        # Unread bytes at close would reset the connection and take our last words with them: read them away.
        transport.resume_reading()
        if transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()
        self._cancel_timer()
        self._timer = self._loop.call_later(LINGER_S, transport.abort)

    # -- time --------------------------------------------------------------------------------------------------------

    def _look_again(self) -> None:
        self._cancel_timer()
        assert self.session is not None
        due = self.session.next_timeout()
        if due is not None:
            wait = min(LOOK_S, max(0.001, due - time.monotonic()))
            self._timer = self._loop.call_later(wait, self._look)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """Once a second, or when the session asks for it."""
        self._timer = None
        session = self.session
        if session is None or self._closing:
            return
        now = time.monotonic()
        session.handle_timeout(now)
        elapsed = now - self._looked_at
        if elapsed >= LOOK_S / 2:
            rate = (session.counters.bytes_received - self._looked_bytes) * 8 / elapsed
            self.bitrate += (rate - self.bitrate) * (SMOOTH if self.bitrate else 1.0)
            self._looked_at, self._looked_bytes = now, session.counters.bytes_received
        if self.stream is not None and not session.closed:
            self._check_media(session, now)
        self._react(session, now)
        if not self._closing:
            self._look_again()

    def _check_media(self, session: PublishSession, now: float) -> None:
        if now - self.silent_since >= self._limits.media_idle_s:
            session.close(f"no media for {self._limits.media_idle_s:g} s")
        elif self._refused_at is not None and now - self._refused_at >= TRACKS_S:
            self._owner.refuse(Refusal.TRACKS)
            session.close("none of the tracks can be delivered")

    def _meter(self, size: int, work_s: float, now: float) -> None:
        """Pause reading when media runs ahead of real time, above the bit rate cap, or costs too much to read.

        Args:
            size: bytes that were read.
            work_s: seconds of CPU that they took.
        """
        per_second, elapsed = self._limits.bitrate / 8, now - self._bucket_at
        self._bucket = max(0.0, self._bucket - elapsed * per_second) + size
        self._busy = max(0.0, self._busy - elapsed * BUSY_SHARE) + work_s
        self._bucket_at = now
        waits = {
            Pause.BITRATE: self._bucket / per_second - BITRATE_WINDOW_S,
            Pause.WORK: self._busy / BUSY_SHARE - BITRATE_WINDOW_S,
        }
        waits[Pause.AHEAD] = self._ahead_s(now)
        pause, wait = max(waits.items(), key=lambda item: item[1])
        if wait > 0 and self._resume is None and not self._closing and self._transport is not None:
            self._owner.paused(pause)
            self._pause(min(LOOK_S, wait + 0.05))

    def _ahead_s(self, now: float) -> float:
        """Seconds by which media is further ahead of real time than it may be; at most 0 when it is not."""
        if self.stream is None:
            return 0.0
        return self.stream.timeline.ahead_s(now) - self._owner.settings.ahead_s

    def _pause(self, seconds: float) -> None:
        if self._transport is not None:
            self._transport.pause_reading()
            self._resume = self._loop.call_later(seconds, self._read_on)

    def _read_on(self) -> None:
        self._resume = None
        if self._unread and self.session is not None and not self._closing:
            self._read(self.session)
        if self._transport is not None and not self._closing and self._resume is None:
            self._transport.resume_reading()


def _prepare(sock: socket.socket | None, timeout_s: float) -> None:
    """Find half-open connections: keep-alive, and an end to unacknowledged data."""
    if sock is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option, value in (("TCP_KEEPIDLE", int(timeout_s)), ("TCP_USER_TIMEOUT", int(timeout_s * 1_000))):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
