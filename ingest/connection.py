"""One RTMP or RTMPS connection: socket and timer around a `PublishSession`."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import Protocol, cast

import structlog

from headwater.config.settings import Ingest
from headwater.ingest.media import Packet

from .auth import Pause, Refusal
from .feed import Directory, Feed
from .pace import Pace, Rate
from .rtmp.errors import CloseReason
from .rtmp.events import Closed, MetadataReceived, PublishEnded, PublishRequested, RejectCode
from .rtmp.session import PublishSession
from .stream import LiveStream
from .tracks import TrackConfigured, TrackRefused

log = structlog.get_logger("headwater.ingest")

LOOK_S = 1.0
"""Longest time between two looks at a connection: idle media, bit rate, session timers."""
LINGER_S = 1.0
"""Seconds that a closed session's last bytes have to reach the peer."""
TURN_S = 0.01
"""CPU that one connection may use in one turn of the event loop; what it sent beyond that waits for another turn."""
SLICE = 4 * 1024
"""Bytes between two looks at that, and at how far media is ahead of real time. Why: a read may bring 250 KB, which can
be as many messages, or a minute of sound."""
WRITE_HIGH = 64 * 1024
"""Bytes of replies handed to the transport at most, besides what the session bounds."""


class Owner(Protocol):
    """What a connection needs of its listener."""

    @property
    def settings(self) -> Ingest:
        """Limits."""

    @property
    def streams(self) -> Directory:
        """Where its streams come from."""

    def opened(self, connection: Connection) -> Refusal | None:
        """A connection was made; why it may not stay."""

    def requested(self, connection: Connection, request: PublishRequested, now: float) -> None:
        """A publish was asked for: calls `connection.accept` or `connection.reject`."""

    def paused(self, pause: Pause) -> None:
        """Count a pause of reading."""

    def finished(self, reason: CloseReason) -> None:
        """Count the end of a session."""

    def gone(self, connection: Connection) -> None:
        """The connection is closed."""


class Connection(asyncio.Protocol):
    """Bytes in, events to the stream, bytes out; reading pauses when media comes too fast.

    Args:
        owner: the listener.
        protocol: `rtmp` or `rtmps`, for logs and metrics.
    """

    def __init__(self, owner: Owner, protocol: str) -> None:
        self.protocol = protocol
        self.address = "unknown"
        self.session: PublishSession | None = None
        self._owner = owner
        self._limits = owner.settings.rtmp.limits
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._resume: asyncio.TimerHandle | None = None
        self._writable = True
        self._closing = False
        self._unread = b""
        """Came from the socket, but waits for a turn; reading is paused meanwhile."""
        self._feed = Feed(owner.streams, self, owner.settings.ahead_s)
        now = time.monotonic()
        self._pace = Pace(self._limits.bitrate, self._feed.ahead_s, now)
        self._rate = Rate(now)

    @property
    def received_bytes(self) -> int:
        """Of this connection."""
        return self.session.counters.bytes_received if self.session is not None else 0

    @property
    def bitrate(self) -> float:
        """Bits per second, smoothed over some seconds."""
        return self._rate.bits_per_s

    late_s = 0.0
    """TCP brings everything, sooner or later."""

    @property
    def silent_since(self) -> float:
        """Monotonic seconds of the last media; a publisher that is not read because it is ahead is not silent."""
        now = time.monotonic()
        if self.session is None:
            return 0.0
        return now if self._feed.ahead_s(now) > 0 else self.session.last_media_at

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
        self._feed.leave(now)
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
        self._feed.begin(stream, now)
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
        self._feed.leave(now)
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
                    self._feed.packet(event, now)
                elif isinstance(event, Closed):
                    closed = event
                else:
                    self._event(event, now)
        self._feed.flush(now)
        self._send(session)
        if closed is not None:
            self._owner.finished(closed.reason)
            self._finish(session, closed, now)

    def _read(self, session: PublishSession) -> None:
        """Take what came, as long as the turn allows."""
        now, began = time.monotonic(), time.thread_time()
        data, at, spent = self._unread, 0, 0.0
        while at < len(data) and spent < TURN_S and not self._closing and self._feed.ahead_s(now) <= 0:
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
            self._feed.configure(event.track, now)
        elif isinstance(event, TrackRefused):
            self._feed.refuse(event.track, event.codec, event.reason, now)
        elif isinstance(event, PublishRequested):
            self._owner.requested(self, event, now)
        elif isinstance(event, PublishEnded):
            self._feed.leave(now)
        elif isinstance(event, MetadataReceived) and self._feed.stream is not None:
            log.debug("metadata", stream=self._feed.stream.name, keys=sorted(event.values)[:16])

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
        self._feed.leave(now)
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
        self._rate.look(session.counters.bytes_received, now, LOOK_S / 2)
        if self._feed.stream is not None and not session.closed:
            self._check_media(session, now)
        self._react(session, now)
        if not self._closing:
            self._look_again()

    def _check_media(self, session: PublishSession, now: float) -> None:
        if now - self.silent_since >= self._limits.media_idle_s:
            session.close(f"no media for {self._limits.media_idle_s:g} s")
        elif self._feed.undeliverable(now):
            session.close("none of the tracks can be delivered")

    def _meter(self, size: int, work_s: float, now: float) -> None:
        """Pause reading when media runs ahead of real time, above the bit rate cap, or costs too much to read.

        Args:
            size: bytes that were read.
            work_s: seconds of CPU that they took.
        """
        paused = self._pace.read(size, work_s, now)
        if paused is not None and self._resume is None and not self._closing and self._transport is not None:
            pause, wait = paused
            self._owner.paused(pause)
            self._pause(min(LOOK_S, wait))

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
