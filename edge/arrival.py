"""The beginning of an HTTP/1 connection: whose it is, and whether it may stay.

accepted ── PROXY header, where one is expected ── limits of the address ──> requests are read
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import cast

from .caller import Caller
from .core import Core
from .entities import local
from .heads import Head, Refusal
from .listener import NEVER, Limits, Shared, peer_address
from .message import Entity
from .proxyproto import BadProxyHeader, read_header


class Arrival(asyncio.Protocol, ABC):
    """What `edge.http1.Connection` does before its first request."""

    __slots__ = ("_caller", "_core", "_deaf", "_encrypted", "_header", "_limits", "_shared", "_transport", "deadline")

    def __init__(self, core: Core, shared: Shared, limits: Limits, caller: Caller | None) -> None:
        self._core = core
        self._shared = shared
        self._limits = limits
        self._transport: asyncio.Transport | None = None
        self._caller = caller
        """Whose connection it is; None until that is known."""
        self._encrypted = False
        self._header: bytes | None = None
        """What came of a PROXY header that is expected and not whole."""
        self._deaf = False
        """No further request is read; the connection ends after those that are queued."""
        self.deadline = NEVER
        """Monotonic seconds at which the sweep calls `overdue`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A viewer came."""
        self._transport = cast(asyncio.Transport, transport)
        self._encrypted = transport.get_extra_info("ssl_object") is not None
        self._transport.set_write_buffer_limits(high=self._limits.write_high_bytes, low=self._limits.write_low_bytes)
        self.deadline = self._shared.clock() + self._limits.header_s
        room = self._shared.enter(self)
        if self._caller is not None:
            return
        peer = peer_address(transport)
        if not room:
            self._core.tally.refuse("connections")
            self._turn_away(local(503, "too many connections", retry_after=5))
        elif self._shared.callers.expects_header(peer):
            self._header = b""
        else:
            self._welcome(peer)

    def _welcome(self, address: str) -> None:
        """It is known whose connection it is."""
        now = self._shared.clock()
        self._caller = caller = Caller(self._shared.callers, address, now)
        refusal = self._shared.guard.connect(caller.guest, self._shared.connections, now)
        if refusal is not None:
            self._turn_away(refusal)

    def _turn_away(self, entity: Entity) -> None:
        """No request of this connection is read."""
        refusal = Refusal(entity, "")
        refusal.linger = False
        self._deaf = True
        self._enqueue(refusal)

    def _take_header(self, data: bytes) -> bytes:
        """Read the PROXY header at the start of `data`; what is behind it."""
        self._header = data
        try:
            header = read_header(data)
        except BadProxyHeader as error:
            self._header = None
            self.refuse(Refusal.of(400, f"PROXY protocol: {error}", "proxy-header"))
            return b""
        if header is None:
            return b""
        self._header = None
        assert self._transport is not None  # data came
        self._welcome(header.address or peer_address(self._transport))
        return b"" if self._deaf else data[header.size :]

    @abstractmethod
    def refuse(self, refusal: Refusal) -> None:
        """Answer with an error in this request's turn, and read no more."""

    @abstractmethod
    def overdue(self, now: float) -> None:
        """The deadline has passed (`listener.Swept`, and so are the other two)."""

    @abstractmethod
    def drain(self) -> None:
        """End as soon as no answer is owed."""

    @abstractmethod
    def abort(self) -> None:
        """End now."""

    @abstractmethod
    def _enqueue(self, item: Head | Refusal) -> None:
        """Answer it in its turn."""
