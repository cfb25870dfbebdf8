"""The listener, and the one timer that lists parts in time and answers all who wait for them in the same turn."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from email.utils import formatdate

from .connection import Connection
from .faults import Faults
from .reply import Reply, error
from .shape import PLAYLIST, ROOT, Shape
from .stream import Hold, Stream

MAX_HELD_TARGETS = 50_000
"""Different targets that are held at a time. Why: two for each of the most connections."""
SWEEP_S = 15.0
IDLE_SWEEPS = 4
"""A connection that asks for nothing in so many sweeps ends."""
BACKLOG = 8_192
TOLD = b"/told"


@dataclass(slots=True)
class _Held:
    hold: Hold
    until_ms: float
    """Rule 91: then 503."""
    connections: dict[Connection, None] = field(default_factory=dict)

    @property
    def due_ms(self) -> float:
        """When it is looked at again."""
        return min(self.hold.at_ms, self.until_ms)


class BadServer:
    """One server of one stream. All methods belong to the running loop."""

    def __init__(self, shape: Shape, faults: Faults, *, connections: int) -> None:
        self._loop = asyncio.get_running_loop()
        # The true clock at the start, and from there a clock that no adjustment can move.
        self._epoch_ms = 1000 * (time.time() - self._loop.time())  # noqa: TID251
        self._max_connections = connections
        self._connections: set[Connection] = set()
        self._held: dict[bytes, _Held] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._armed_ms = 0.0
        self._sweeper: asyncio.TimerHandle | None = None
        self._server: asyncio.Server | None = None
        self._second, self._date = 0, b""
        self._sweep = 0
        self.stream = Stream(shape, faults, round(self.now_ms()))

    def now_ms(self) -> float:
        """Unix milliseconds."""
        return self._epoch_ms + 1000 * self._loop.time()

    async def start(self, host: str, port: int) -> str:
        """Listen; the URL of the multivariant playlist."""
        self._server = await self._loop.create_server(lambda: Connection(self), host, port, backlog=BACKLOG)
        self._tick()
        self._sweep_idle()
        address = self._server.sockets[0].getsockname()
        return f"http://{address[0]}:{address[1]}{ROOT}/{PLAYLIST}"

    async def stop(self) -> None:
        """Close the listener and all connections."""
        for timer in (self._timer, self._sweeper):
            if timer is not None:
                timer.cancel()
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.abort()

    # -- connection.Server

    def enter(self, connection: Connection) -> bool:
        """Whether there is room."""
        if len(self._connections) >= self._max_connections:
            self.refuse()
            return False
        self.stream.told.connections += 1
        self._connections.add(connection)
        return True

    def leave(self, connection: Connection) -> None:
        """It is gone, and so is what was held for it."""
        self._connections.discard(connection)
        if connection.busy:
            held = self._held.get(connection.held)
            if held is not None:
                held.connections.pop(connection, None)

    def handle(self, target: bytes, connection: Connection) -> Reply | None:
        """Answer, or hold."""
        connection.used = self._sweep
        if target == TOLD:
            return self._told()
        found = self.stream.ask(target)
        if isinstance(found, Reply):
            return self._given(target, connection, found)
        held = self._held.get(target)
        if held is None:
            if len(self._held) >= MAX_HELD_TARGETS:
                return self._given(target, connection, error(503, found.what, "too many held requests"))
            until_ms = self.now_ms() + 3_000 * self.stream.shape.target_duration
            held = self._held[target] = _Held(found, until_ms)
            if held.due_ms < self._armed_ms:
                self._arm(held.due_ms)
        held.connections[connection] = None
        connection.held = target
        return None

    def wire(self, reply: Reply, tail: bytes) -> bytes:
        """Head, Date and body."""
        second = int(self.now_ms() / 1000)
        if second != self._second:
            self._second, self._date = second, formatdate(second, usegmt=True).encode("ascii")
        return reply.wire(second, self._date, tail)

    def refuse(self) -> None:
        """A connection ends because of a bound."""
        self.stream.told.refused += 1

    def _given(self, target: bytes, connection: Connection, reply: Reply) -> Reply:
        """Count an answer, and see whether this connection was refused it before."""
        if reply.second_time is not None:
            again = connection.refused == target
            connection.refused = b"" if again else target
            reply = reply.second_time if again else reply
        self.stream.told.answer(reply.label, reply.kind)
        return reply

    def _told(self) -> Reply:
        report = self.stream.told.report(self.stream.schedule, self.now_ms())
        report |= {"open_connections": len(self._connections), "cpu_s": time.process_time()}
        return Reply(200, "told", json.dumps(report).encode(), "application/json")

    # -- time

    def _arm(self, at_ms: float) -> None:
        """Set the timer for the next listing, release or end of a hold."""
        if self._timer is not None:
            self._timer.cancel()
        self._armed_ms = at_ms
        self._timer = self._loop.call_at((at_ms - self._epoch_ms) / 1000, self._tick)

    def _tick(self) -> None:
        now_ms = self.now_ms()
        self.stream.advance(now_ms)
        for target in [target for target, held in self._held.items() if held.due_ms <= now_ms]:
            self._wake(target, now_ms)
        listing = float(self.stream.schedule.next_listing())
        self._arm(min([listing, *(held.due_ms for held in self._held.values())]))

    def _wake(self, target: bytes, now_ms: float) -> None:
        held = self._held[target]
        found = self.stream.ask(target, held=True)
        if isinstance(found, Hold):
            if held.until_ms > now_ms:
                held.hold = found
                return
            found = error(503, found.what, "held for three target durations")
        del self._held[target]
        for connection in held.connections:
            connection.reply(self._given(target, connection, found))

    def _sweep_idle(self) -> None:
        self._sweep += 1
        for connection in list(self._connections):
            if not connection.busy and self._sweep - connection.used > IDLE_SWEEPS:
                self.refuse()
                connection.abort()
        self._sweeper = self._loop.call_later(SWEEP_S, self._sweep_idle)
