"""One client: llhttp in, replies out in the order of the requests, spoilt bodies in their own time."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from typing import Any, Protocol, cast

import httptools

from .reply import Pacing, Reply

MAX_HEAD_BYTES = 16 << 10
"""Of requests that are not whole yet."""
MAX_QUEUED = 16
"""Requests behind the one that is being answered; above it the connection ends."""
HIGH_BYTES = 4 << 20
"""Unsent bytes above which no further request is begun. Why: a few of the largest segments."""
RESET_AFTER_S = 0.01
"""From the first half of a body to the reset. Why: a reset throws away what the client's kernel has not read yet."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends RST."""


class Server(Protocol):
    """What a connection needs of its server."""

    def enter(self, connection: Connection) -> bool:
        """Whether there is room."""

    def leave(self, connection: Connection) -> None:
        """It is gone."""

    def handle(self, target: bytes, connection: Connection) -> Reply | None:
        """The answer; None: it is held, and written later with `reply`."""

    def wire(self, reply: Reply, tail: bytes) -> bytes:
        """What to write."""

    def refuse(self) -> None:
        """Count a connection that ends because of a bound."""


class Connection(asyncio.Protocol):
    """One client connection."""

    __slots__ = (
        "_fed",
        "_keep_alive",
        "_parser",
        "_queue",
        "_server",
        "_stalled",
        "_target",
        "_transport",
        "busy",
        "held",
        "refused",
        "used",
    )

    def __init__(self, server: Server) -> None:
        self._server = server
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._queue: deque[tuple[bytes, bool]] = deque()
        """(target, keep alive) of requests that wait for their turn."""
        self._target = b""
        self._fed = 0
        self._keep_alive = True
        """After the answer to the request that was begun last."""
        self._stalled = False
        self.busy = False
        """A request is held, or a body is on its way."""
        self.held = b""
        """The target that is held for it while it is busy (server's)."""
        self.refused = b""
        """The target that it was refused last, to be given when it asks again (server's)."""
        self.used = 0
        """Sweep in which it last asked for something (server's)."""

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=HIGH_BYTES)
        if not self._server.enter(self):
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client left."""
        self._server.leave(self)
        self._transport = None
        self._parser = None  # it holds our methods: a cycle
        self._queue.clear()

    def data_received(self, data: bytes) -> None:
        """Bytes of requests."""
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.abort()
        if self._fed > MAX_HEAD_BYTES:
            self._server.refuse()
            self.abort()

    def pause_writing(self) -> None:
        """The client reads slower than it asks."""
        self._stalled = True

    def resume_writing(self) -> None:
        """It has read."""
        self._stalled = False
        self._next()

    # -- httptools

    def on_message_begin(self) -> None:
        """A request begins."""
        self._target = b""

    def on_url(self, url: bytes) -> None:
        """The target, or a piece of it."""
        self._target += url

    def on_message_complete(self) -> None:
        """A request is whole; its fields do not matter here."""
        self._fed = 0
        if self._transport is None or self._transport.is_closing():
            return
        if self._parser.get_method() != b"GET":  # nothing else is asked of it, and answers to HEAD have no body
            self._server.refuse()
            self.abort()
            return
        request = (self._target, self._parser.should_keep_alive())
        if not self.busy and not self._stalled and not self._queue:
            self._begin(request)
            return
        self._queue.append(request)
        if len(self._queue) > MAX_QUEUED:
            self._server.refuse()
            self.abort()

    # -- answering

    def _begin(self, request: tuple[bytes, bool]) -> None:
        target, self._keep_alive = request
        reply = self._server.handle(target, self)
        if reply is None:
            self.busy = True
        else:
            self.reply(reply)

    def reply(self, reply: Reply) -> None:
        """Write the answer to the request that was begun last."""
        transport = self._transport
        if transport is None:
            return
        transport.write(self._server.wire(reply, b"" if self._keep_alive else b"Connection: close\r\n"))
        if reply.pacing is not None:
            self.busy = True
            _Drip(self, reply.body, reply.pacing).start()
            return
        self._done()

    def _done(self) -> None:
        self.busy = False
        if not self._keep_alive and self._transport is not None:
            self._transport.close()
        elif self._queue:
            self._next()

    def _next(self) -> None:
        while self._queue and not self.busy and not self._stalled:
            self._begin(self._queue.popleft())

    def piece(self, data: bytes, *, last: bool) -> bool:
        """Write a piece of a spoilt body; False when the client is gone."""
        if self._transport is None or self._transport.is_closing():
            return False
        if data:
            self._transport.write(data)
        if last:
            self._done()
        return True

    def reset(self) -> None:
        """Break the connection so that the client sees a reset."""
        if self._transport is not None:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()

    def abort(self) -> None:
        """End now, whatever is owed."""
        if self._transport is not None:
            self._transport.abort()


class _Drip:
    """Writes a spoilt body: each piece at its own time since the head, so lateness does not add up."""

    def __init__(self, connection: Connection, body: bytes, pacing: Pacing) -> None:
        self._connection = connection
        self._body = body
        self._pacing = pacing
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._sent = 0

    def start(self) -> None:
        """Write what is due at once, and arm the timer of the rest."""
        if self._pacing.first_ms:
            self._arm_next()
        else:
            self._step()

    def _arm_next(self) -> None:
        pacing = self._pacing
        following = min(pacing.chunk, len(self._body) - self._sent)
        after_ms = (following * pacing.first_ms + self._sent * pacing.pause_ms) / pacing.chunk
        self._loop.call_at(self._began + after_ms / 1000, self._step)

    def _step(self) -> None:
        pacing = self._pacing
        piece = self._body[self._sent : self._sent + pacing.chunk]
        self._sent += len(piece)
        last = self._sent >= len(self._body)
        if not self._connection.piece(piece, last=last and not pacing.reset):
            return
        if pacing.reset:
            # Not in the same turn: uvloop writes at its end, and the piece is meant to arrive.
            self._loop.call_later(RESET_AFTER_S, self._connection.reset)
        elif not last:
            self._arm_next()
