"""What all viewer connections share: limits, the clock, the renderer of heads, and one sweep for all time-outs.

Why a sweep: a timer per connection is heap work for every request of fifty thousand connections. Connections carry a
deadline as a plain number; the sweep looks at one sixteenth of them at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import dataclass
from typing import Protocol

from headwater.config.settings import EdgeHttp

from .addresses import canonical
from .caller import Callers
from .message import Tally
from .repeats import Repeats
from .wire import Wire

NEVER = float("inf")
"""A deadline that does not come."""
SHARDS = 16
SWEEP_MOST_S = 4.0
"""How late a time-out may be noticed at most."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may cost; from `config.settings.EdgeHttp`. Bytes and seconds."""

    connections: int
    header_bytes: int
    header_s: float
    idle_s: float
    pipeline: int
    write_high_bytes: int
    write_stall_s: float
    write_least_bytes_s: float
    streams: int = 100
    """Open at once on one HTTP/2 connection."""

    @property
    def write_low_bytes(self) -> int:
        """Where writing goes on. Why an eighth: the kernel's buffer bridges the time until then."""
        return self.write_high_bytes // 8

    @classmethod
    def of(cls, http: EdgeHttp) -> Limits:
        """From the settings."""
        return cls(
            http.connections,
            http.header_bytes,
            http.header_s,
            http.idle_s,
            http.pipeline,
            http.write_high_bytes,
            http.write_stall_s,
            float(http.write_least_bytes_s),
            http.tls.streams,
        )


def peer_address(transport: asyncio.BaseTransport) -> str:
    """The peer's IP address, canonical; empty where the transport has none."""
    name = transport.get_extra_info("peername")
    return canonical(str(name[0])) if isinstance(name, tuple) and name else ""


class Swept(Protocol):
    """A connection as the sweep sees it."""

    deadline: float

    def overdue(self, now: float) -> None:
        """The deadline has passed."""

    def drain(self) -> None:
        """The server stops: end as soon as no answer is owed."""

    def abort(self) -> None:
        """End now."""


class Shared:
    """One per listener; every connection holds it."""

    def __init__(
        self, limits: Limits, wire: Wire, tally: Tally, loop: asyncio.AbstractEventLoop, callers: Callers
    ) -> None:
        self.wire = wire
        self.callers = callers
        self.guard = callers.guard
        self.draining = False
        self.repeats = Repeats()
        self.clock = loop.time
        self._limits = limits
        self._tally = tally
        self._loop = loop
        self._shards: list[dict[Swept, int]] = [{} for _ in range(SHARDS)]
        self._where: dict[Swept, int] = {}
        self._next = itertools.cycle(range(SHARDS))
        self._sweep_next = itertools.cycle(range(SHARDS))
        shortest = min(limits.header_s, limits.idle_s, limits.write_stall_s)
        self._period_s = min(SWEEP_MOST_S, max(0.05, shortest / 4)) / SHARDS
        self._timer: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def connections(self) -> int:
        """Open now."""
        return len(self._where)

    def enter(self, connection: Swept) -> bool:
        """A connection opened; False when it is one too many (it must still be left)."""
        shard = next(self._next)
        self._where[connection] = shard
        self._shards[shard][connection] = shard
        self._empty.clear()
        self._tally.accepted += 1
        self._tally.connections = len(self._where)
        return len(self._where) <= self._limits.connections

    def leave(self, connection: Swept) -> None:
        """A connection is gone."""
        shard = self._where.pop(connection, None)
        if shard is not None:
            del self._shards[shard][connection]
        self._tally.connections = len(self._where)
        if not self._where:
            self._empty.set()

    def start(self) -> None:
        """Begin to sweep."""
        self._timer = self._loop.call_later(self._period_s, self._sweep)

    def stop(self) -> None:
        """Sweep no more, end what is open."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in list(self._where):
            connection.abort()

    def drain(self) -> None:
        """From now on every answer ends its connection; those that owe none end now."""
        self.draining = True
        for connection in list(self._where):
            connection.drain()

    async def wait_empty(self, limit_s: float) -> None:
        """Until no connection is left, or `limit_s` has passed."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), limit_s)

    def _sweep(self) -> None:
        self.start()  # first: one connection that fails to end must not stop the time-outs of all others
        now = self.clock()
        late = [connection for connection in self._shards[next(self._sweep_next)] if connection.deadline <= now]
        for connection in late:
            connection.overdue(now)
