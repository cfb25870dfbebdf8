"""What an HTTP/1 connection answers one after another: request heads, and refusals in their place. Sans-IO."""

from __future__ import annotations

from .entities import local
from .message import Entity, Method, Request


class Head:
    """A request with what its connection needs to know."""

    __slots__ = ("bodiless", "http10", "keep_alive", "raw", "request")

    def __init__(self, request: Request, keep_alive: bool, http10: bool, raw: bytes | None = None) -> None:
        self.request = request
        self.raw = raw
        """All of it as it came, where the same bytes again mean the same request."""
        self.keep_alive = keep_alive
        self.http10 = http10
        self.bodiless = request.method is Method.HEAD


class Refusal:
    """In the place of a request: it is answered with `entity`, and the connection ends."""

    __slots__ = ("bodiless", "entity", "http10", "keep_alive", "linger", "reason")

    def __init__(self, entity: Entity, reason: str) -> None:
        self.entity = entity
        self.reason = reason
        """Label of the metric."""
        self.keep_alive = False
        self.http10 = False
        self.bodiless = False
        self.linger = True
        """Read on for a while, so that the peer sees the answer."""

    @classmethod
    def of(cls, status: int, words: str, reason: str, *, retry_after: int | None = None) -> Refusal:
        """An error with its words for the peer."""
        return cls(local(status, words, retry_after=retry_after), reason)
