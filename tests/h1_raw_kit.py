"""For the edge's tests: a listener without sockets, on a stepped clock, and HTTP/1 connections of it."""

from __future__ import annotations

import asyncio

from tests.edge_kit import Script, make_callers, make_core

from headwater.edge.http1 import Connection
from headwater.edge.listener import Limits, Shared
from headwater.edge.wire import Wire

LIMITS = Limits(
    connections=10, header_bytes=2_000, header_s=10, idle_s=30, pipeline=4, write_high_bytes=100_000, write_stall_s=10,
    write_least_bytes_s=4_096, streams=10,
)  # fmt: skip


class Pipe(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self, address: str = "") -> None:
        super().__init__({"peername": (address, 1)} if address else {})
        self.written = bytearray()
        self.closing = self.eof = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closing and not self.eof, "nothing is answered behind the end"
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.eof = True

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Listening:
    """What connections share, whatever they speak."""

    def __init__(self, script: Script | None = None, limits: Limits = LIMITS, **guard: object) -> None:
        self.loop = asyncio.new_event_loop()
        self.now = 100.0
        self.script = script or Script()
        self.core = make_core(self.script)
        callers = make_callers(self.core.tally, **guard)  # type: ignore[arg-type]
        self.shared = Shared(limits, Wire("edge", wall=lambda: 1.8e9), self.core.tally, self.loop, callers)
        self.shared.clock = lambda: self.now


class Raw(Listening):
    """A listener, and the peers of its connections."""

    def close(self) -> None:
        self.loop.close()

    def connect(self, address: str = "") -> Peer:
        """One more connection; empty: of a peer without an address, which has no limits."""
        peer = Peer(Connection(self.core, self.shared, LIMITS), address)
        peer.connection.connection_made(peer.pipe)
        return peer


class Peer:
    """The far end of one connection."""

    def __init__(self, connection: Connection, address: str) -> None:
        self.connection = connection
        self.pipe = Pipe(address)

    def send(self, data: bytes) -> bytes:
        """What is answered at once."""
        self.connection.data_received(data)
        return self.take()

    def take(self) -> bytes:
        """What was written since."""
        written = bytes(self.pipe.written)
        self.pipe.written.clear()
        return written
