"""Who speaks on a connection: the peer, or the viewers that a trusted proxy speaks for. Sans-IO."""

from __future__ import annotations

from headwater.config.settings_viewers import Proxy

from .addresses import Networks
from .forwarded import viewer_of
from .guard import Guard, Guest
from .message import Request
from .viewers import Visitor

MAX_BEHIND = 256
"""Viewers that are remembered for one connection of a proxy, which keeps few of them open for many."""


class Callers:
    """One per listener. `counted`: those who come here are viewers; else workers of this edge, whom nobody counts."""

    def __init__(self, proxy: Proxy, guard: Guard, *, counted: bool = True) -> None:
        self.guard = guard
        self.counted = counted
        self.trusted = Networks(proxy.trusted)
        self.protocol = proxy.protocol
        self.field = proxy.forwarded

    def expects_header(self, peer: str) -> bool:
        """Whether a connection of `peer` begins with a PROXY protocol header."""
        return self.protocol and peer in self.trusted


class Caller:
    """Of one connection, from when its address is known."""

    __slots__ = ("_address", "_behind", "_callers", "guest", "proxies", "visitor")

    def __init__(self, callers: Callers, address: str, now: float) -> None:
        """`address`: of the peer, or what its PROXY header told."""
        self.guest = callers.guard.guest(address, now)
        self.visitor = Visitor(address) if callers.counted else None
        self._address = address
        self._callers = callers
        self.proxies = callers.field != "none" and address in callers.trusted
        """It speaks for others: `of` has to be asked for every request."""
        self._behind: dict[bytes, Visitor] | None = None

    def of(self, request: Request, now: float) -> Guest:
        """Whose request it is; its `visitor` is set."""
        if self.proxies:
            rfc7239 = self._callers.field == "forwarded"
            field = request.forwarded if rfc7239 else request.x_forwarded_for
            if field is not None:
                request.visitor = self._visitor(field, rfc7239=rfc7239)
                return self._callers.guard.guest(request.visitor.address, now)
        request.visitor = self.visitor
        return self.guest

    def _visitor(self, field: bytes, *, rfc7239: bool) -> Visitor:
        behind = self._behind
        if behind is None or len(behind) >= MAX_BEHIND:
            behind = self._behind = {}
        visitor = behind.get(field)
        if visitor is None:
            address = viewer_of(self._address, field, self._callers.trusted, rfc7239=rfc7239)
            visitor = behind[field] = Visitor(address)
        return visitor
