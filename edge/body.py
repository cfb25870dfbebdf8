"""Writing a growing body to an HTTP/1 connection: as fast as it comes and is read, no faster.

What is ready is written in turns of `TURN_BYTES`, so that a late reader with much to catch up on does not hold up the
loop; nothing is written while the transport's buffer is full. Belongs to the running loop.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Protocol

from .growing import Reader
from .message import Response, Tally
from .wire import Wire

STEP_BYTES = 64 << 10
"""Between looks at whether the reader keeps up."""
TURN_BYTES = 512 << 10
"""In one turn of the loop. Why: a tenth of a millisecond."""


class Owner(Protocol):
    """The connection."""

    stalled: bool
    """The transport's buffer is full; when it is not any more, `go_on` is called."""

    def body_ended(self, *, keep: bool) -> None:
        """All is written, or it ends short. `keep`: another answer may follow."""


class Asked(Protocol):
    """Of a request head, what the framing of its answer depends on."""

    @property
    def http10(self) -> bool:
        """HTTP/1.0."""

    @property
    def bodiless(self) -> bool:
        """HEAD."""


class Body:
    """One growing body, or a range of it, on its way to one viewer."""

    __slots__ = ("_chunked", "_in_turn", "_keep", "_over", "_owner", "_reader", "_tally", "_transport", "_until_end")

    def __init__(self, owner: Owner, transport: asyncio.Transport, tally: Tally) -> None:
        self._owner = owner
        self._transport = transport
        self._tally = tally
        self._reader: Reader | None = None
        self._over = self._in_turn = False
        self._chunked = False
        """RFC 9112 section 7.1: the length is not known."""
        self._until_end = False
        """Likewise to HTTP/1.0: nothing but the end of the connection tells the end of the body."""
        self._keep = False

    def begin(self, response: Response, asked: Asked, wire: Wire, *, keep_alive: bool) -> None:
        """Write the head, and what is there of the body."""
        assert response.growing is not None
        self._chunked = response.length is None and not asked.http10
        self._until_end = response.length is None and asked.http10
        self._keep = keep_alive and not self._until_end
        head = wire.growing_head(response, keep_alive=self._keep, http10=asked.http10)
        self._tally.bytes_sent += len(head)
        self._transport.write(head)
        if asked.bodiless:
            self._owner.body_ended(keep=self._keep)
            return
        self._reader = response.growing.read(self.go_on, *(response.span or (0, None)))
        self.go_on()

    @property
    def here(self) -> bool:
        """All of it came: what is left is to write it."""
        return self._reader is not None and self._reader.here

    def go_on(self) -> None:
        """Write what is there."""
        reader = self._reader
        if reader is None or self._in_turn or self._over:
            return
        self._in_turn = True
        left = self._write_turn(reader)
        self._in_turn = False
        if reader.done:
            if self._chunked:
                self._transport.write(b"0\r\n\r\n")
                self._tally.bytes_sent += 5
            self.cancel()
            self._owner.body_ended(keep=self._keep)
        elif reader.lost:
            self._end_short(reader)
        elif left <= 0 and not self._owner.stalled:
            asyncio.get_running_loop().call_soon(self.go_on)

    def _write_turn(self, reader: Reader) -> int:
        """What is ready, up to a turn's share; how much of that is left."""
        left = TURN_BYTES
        while left > 0 and not self._owner.stalled:
            pieces = reader.take(STEP_BYTES)
            size = sum(len(piece) for piece in pieces)
            if not size:
                break
            left -= size
            if self._chunked:
                pieces = [b"%x\r\n" % size, *pieces, b"\r\n"]
            if len(pieces) == 1:
                self._transport.write(pieces[0])
            else:
                self._transport.writelines(pieces)
            self._tally.bytes_sent += sum(len(piece) for piece in pieces)
        return left

    def _end_short(self, reader: Reader) -> None:
        """No more comes: the viewer must not take what it has for the whole."""
        cut = reader.cut
        self.cancel()
        if cut:  # everybody else is far ahead of it: a slow reader, as one whose buffer does not empty
            self._tally.slow_closed += 1
            self._transport.abort()
        elif self._until_end:
            _reset(self._transport)
        else:
            self._owner.body_ended(keep=False)

    def cancel(self) -> None:
        """Nothing more is written. Idempotent."""
        self._over = True
        if self._reader is not None:
            self._reader.cancel()


def _reset(transport: asyncio.Transport) -> None:
    """End the connection with RST: without a length, nothing else tells a short body from a whole one."""
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
