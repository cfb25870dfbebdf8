"""What aiohttp leaves open to strangers: peers that never finish a request or never read an answer, and log lines
for malformed requests."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

log = structlog.get_logger("headwater.origin")

FIRST_REQUEST_S = 10.0
"""From accept to the first whole request head; afterwards the keep-alive time counts."""

STALL_S = 20.0
"""A client that takes nothing of an answer for this long is closed, at the second look at the latest. Why: each may
keep a whole segment in memory, and any live player has given up by then."""

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class _Busy(asyncio.Protocol):
    """The protocol of a connection that is one too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(BUSY)
        transport.close()


class Guard:
    """Closes connections that are one too many, that do not ask for anything in time, or that do not read.

    Args:
        limit: connections at once.
        count: called with the reason of each that is closed.
    """

    def __init__(self, limit: int, count: Callable[[str], None]) -> None:
        self._limit = limit
        self._count = count
        self._silent: dict[asyncio.Protocol, asyncio.TimerHandle] = {}
        self._sending: dict[asyncio.Transport, asyncio.TimerHandle] = {}

    def protocol(self, server: web.Server) -> asyncio.Protocol:
        """The protocol of a connection that was accepted for `server`."""
        if len(server.connections) >= self._limit:
            self._count("connections")
            return _Busy()
        protocol = server()
        timer = asyncio.get_running_loop().call_later(FIRST_REQUEST_S, self._check, protocol)
        self._silent[protocol] = timer
        return protocol

    def spoke(self, request: web.Request) -> None:
        """The request's connection asked for something."""
        timer = self._silent.pop(request.protocol, None)
        if timer is not None:
            timer.cancel()

    def answers(self, request: web.Request) -> None:
        """The request's answer is written now; those before it have been read."""
        transport = request.transport
        if transport is None:
            return
        timer = self._sending.pop(transport, None)
        if timer is not None:
            timer.cancel()
        self._look_later(transport, math.inf)

    def close(self) -> None:
        """The listener is gone."""
        for timers in (self._silent, self._sending):
            for timer in timers.values():
                timer.cancel()
        self._silent.clear()
        self._sending.clear()

    def _look_later(self, transport: asyncio.Transport, left: float) -> None:
        loop = asyncio.get_running_loop()
        self._sending[transport] = loop.call_later(STALL_S, self._look, transport, left)

    def _look(self, transport: asyncio.Transport, before: float) -> None:
        del self._sending[transport]
        left = transport.get_write_buffer_size()
        if left >= before:
            self._count("slow reader")
            transport.abort()
        elif left:
            self._look_later(transport, left)

    def _check(self, protocol: web.RequestHandler) -> None:
        self._silent.pop(protocol, None)
        if protocol.transport is not None:
            self._count("slow request")
            protocol.force_close()


class MalformedRequests(logging.Filter):
    """Takes aiohttp's tracebacks of malformed requests out of the log: they are counted, and said at level debug.

    Args:
        count: called with the reason of each.
    """

    def __init__(self, count: Callable[[str], None]) -> None:
        super().__init__()
        self._count = count

    def filter(self, record: logging.LogRecord) -> bool:
        """False for what a peer's bytes have caused."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError):
            return record.levelno >= logging.WARNING
        self._count("malformed")
        log.debug("malformed request", error=type(error).__name__)
        return False
