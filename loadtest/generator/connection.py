"""HTTP/1.1: a connection for each lane. It writes the request that stands on its lane, and reads the response.

All connections of a process receive into one buffer: what is not kept is never copied. A body of a part is counted.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, cast

from headwater.loadtest.players.address import Origin
from headwater.loadtest.players.lane import Lane, kept
from headwater.loadtest.players.retry import TIMEOUT
from headwater.loadtest.records import ViewerClass

from .carrier import USER_AGENT
from .response import ResponseError, ResponseReader

if TYPE_CHECKING:
    from .hub import Hub

SLOW_RCVBUF = 16 << 10
"""Receive buffer of a slow reader's socket, bytes: else the kernel reads ahead for it."""
SLOW_STEP_S = 0.1
"""A slow reader reads for this long at a time, and then pauses."""


class Connections:
    """Makes them; `carrier.Carriers`."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._suffixes: dict[tuple[ViewerClass, Origin], bytes] = {}

    def carry(self, lane: Lane, origin: Origin) -> None:
        """A new connection for the lane."""
        viewer = lane.owner.viewer
        connection = Connection(self._hub, lane, origin, self._suffix(viewer, origin), viewer.read_bps)
        lane.connection = connection
        self._hub.dialer.dial(origin, lambda: connection, connection.refused)

    def gone(self, player: object) -> None:
        """Its lanes shared nothing."""

    def _suffix(self, viewer: ViewerClass, origin: Origin) -> bytes:
        """End of the request line and the fields that are the same in all requests."""
        found = self._suffixes.get((viewer, origin))
        if found is None:
            fields = [("Host", origin.authority), ("User-Agent", USER_AGENT), ("Accept", "*/*"), *viewer.headers]
            lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
            found = self._suffixes[viewer, origin] = f" HTTP/1.1\r\n{lines}".encode("latin-1")
        return found


class Connection(asyncio.BufferedProtocol):
    """`lane` None: nobody is interested any more."""

    __slots__ = (
        "_first",
        "_fresh",
        "_hub",
        "_reader",
        "_resume_at",
        "_suffix",
        "_transport",
        "lane",
        "origin",
        "read_bps",
    )

    def __init__(self, hub: Hub, lane: Lane, origin: Origin, suffix: bytes, read_bps: int | None) -> None:
        self._hub = hub
        self.lane: Lane | None = lane
        self.origin = origin
        self._suffix = suffix
        """The end of the request line, and the fields that every request of this viewer has."""
        self.read_bps = read_bps
        self._reader = ResponseReader()
        self._transport: asyncio.Transport | None = None
        self._first = 0.0
        """When the first byte of the response came."""
        self._fresh = True
        """No response came on it yet."""
        self._resume_at = 0.0

    # -- asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send what is waiting."""
        self._transport = cast(asyncio.Transport, transport)
        self._hub.ledger.connections += 1
        if self.lane is None:
            self._transport.abort()
            return
        if self.read_bps is not None:
            taken: socket.socket = transport.get_extra_info("socket")
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_RCVBUF)
        self.send(self.lane)

    def get_buffer(self, sizehint: int) -> memoryview:
        """The buffer of all connections; a slow reader takes little of it."""
        if self.read_bps is None:
            return self._hub.room
        return self._hub.room[: max(512, int(self.read_bps / 8 * SLOW_STEP_S))]

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes of a response."""
        hub, lane = self._hub, self.lane
        now = hub.clock()
        if lane is None or not lane.busy:
            self.close()  # bytes that nobody asked for
            return
        if not self._first:
            self._first = now
        if self.read_bps is not None:
            self._slow_down(nbytes, self.read_bps, now)
        try:
            whole = self._reader.feed(hub.room[:nbytes])
        except ResponseError:
            self._fail("malformed", now)
            return
        if whole:
            self._finish(lane, now)

    def connection_lost(self, exc: Exception | None) -> None:
        """The server closed."""
        lane, hub = self.lane, self._hub
        now = hub.clock()
        self._transport = None
        if lane is None:
            return
        lane.connection = None
        if not lane.busy:
            self.lane = None
        elif self._first and exc is None and self._reader.eof():
            self._finish(lane, now)
        elif not self._fresh and not self._first:
            # The server closed an idle connection at the moment the request was sent: browsers send it again
            self.lane = None
            hub.send(lane)
        else:
            self._fail("reset", now)

    # -- carrier.Carrier

    def takes(self, origin: Origin) -> bool:
        """Whether it goes there."""
        return self.origin is origin or self.origin == origin

    def send(self, lane: Lane) -> None:
        """Write the request; before the connection is there it waits for it."""
        transport = self._transport
        if transport is None:
            return
        self._first = 0.0
        self._reader.expect(keep=kept(lane.kind))
        transport.write(b"".join((b"GET ", lane.target, self._suffix, lane.extra, b"\r\n")))

    @property
    def receiving(self) -> bool:
        """The first byte of the answer came."""
        return self._first > 0

    def overdue(self, now: float) -> None:
        """The answer took too long."""
        self._fail(TIMEOUT, now)

    def close(self) -> None:
        """Forget the lane, and close at once."""
        if self.lane is not None:
            self.lane.connection = None
            self.lane = None
        if self._transport is not None:
            self._transport.abort()

    # -- the end of a request

    def _finish(self, lane: Lane, now: float) -> None:
        reader = self._reader
        head, body = reader.head, reader.body
        assert head is not None
        reader.body = b""
        self._fresh = False
        if head.close or self._transport is None:
            self.close()
        self._hub.answered(lane, head.status, head.age, body, reader.size, self._first, now)

    def _fail(self, why: str, now: float) -> None:
        lane = self.lane
        self.close()
        if lane is not None:
            self._hub.failed(lane, why, now)

    def refused(self, why: str) -> None:
        """There will be no connection."""
        self._fail(why, self._hub.clock())

    # -- slow readers

    def _slow_down(self, nbytes: int, bps: int, now: float) -> None:
        self._resume_at = max(self._resume_at, now) + nbytes * 8 / bps
        if self._resume_at > now + SLOW_STEP_S / 2 and self._transport is not None:
            self._transport.pause_reading()
            self._hub.wake(self._resume_at, self)

    def woken(self, now: float) -> None:
        """A slow reader reads on."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
