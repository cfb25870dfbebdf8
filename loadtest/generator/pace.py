"""HTTP/2: a slow reader. What came is read later, at its own speed, and only then may the server send more. Sans-IO."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from .connection import SLOW_STEP_S
from .http2 import STREAM_WINDOW

if TYPE_CHECKING:
    from .exchange import Exchange
    from .hub import Hub
    from .shared import SharedConnection

LEAST_WINDOW = 16 << 10
"""Bytes, of a stream. Why: the receive buffer of a slow reader over HTTP/1.1, and the longest frame."""
LEAST_STEP = 512
"""Bytes that are read at once, as over HTTP/1.1."""


class Pace:
    """Of one connection."""

    __slots__ = ("_bps", "_connection", "_hub", "_line", "_step", "_until", "window")

    def __init__(self, hub: Hub, connection: SharedConnection, bps: int) -> None:
        self._hub = hub
        self._connection = connection
        self._bps = bps
        self._step = max(LEAST_STEP, int(bps / 8 * SLOW_STEP_S))
        self.window = min(max(LEAST_WINDOW, int(bps / 8 * 2 * SLOW_STEP_S)), STREAM_WINDOW)
        """Bytes that a stream may be ahead of the reader."""
        self._line: deque[tuple[float, int, int, Exchange | None]] = deque()
        """When it is read, bytes, stream; and the exchange whose answer is whole then. Bounded by the windows."""
        self._until = 0.0
        """When all is read."""

    @property
    def idle(self) -> bool:
        """All is read."""
        return not self._line

    def came(self, size: int, number: int, now: float) -> None:
        """So many flow-controlled bytes of a stream."""
        self._until = max(self._until, now)
        while size:
            step = min(size, self._step)
            size -= step
            self._until += step * 8 / self._bps
            self._add(step, number, None)

    def ended(self, exchange: Exchange, now: float) -> None:
        """The last byte of an answer came."""
        self._until = max(self._until, now)
        self._add(0, exchange.number, exchange)

    def woken(self, now: float) -> None:
        """Some of it is read."""
        connection = self._connection
        while self._line and self._line[0][0] <= now:
            _, size, number, exchange = self._line.popleft()
            if exchange is None:
                connection.read(size, number)
            elif exchange.number == number:  # else it was given up
                connection.finish(exchange, now)
        if self._line:
            self._hub.wake(self._line[0][0], self)
        connection.told()

    def _add(self, size: int, number: int, exchange: Exchange | None) -> None:
        if not self._line:
            self._hub.wake(self._until, self)
        self._line.append((self._until, size, number, exchange))
