"""One stream: its request as it comes, its answer as it goes. Sans-IO."""

from __future__ import annotations

from collections.abc import Callable

from headwater.edge.asking import Laggard
from headwater.edge.growing import Growing, Reader
from headwater.edge.guard import Guest
from headwater.edge.message import Request, Ticket

from .fields import Asked

EMPTY = memoryview(b"")
REFILL_BYTES = 64 << 10
"""Of a growing body, what is taken at once: a few frames."""


class Stream:
    """From HEADERS until both sides have ended."""

    __slots__ = (
        "_reader", "asked", "at", "blocked", "body", "broken", "dead", "ended", "guest",
        "head", "id", "incremental", "laggard", "more", "position", "queued", "receive", "received", "replied",
        "request", "sent", "since", "ticket", "urgency", "window",
    )  # fmt: skip

    def __init__(self, number: int, asked: Asked, request: Request, window: int, receive: int, now: float) -> None:
        self.id = number
        self.asked = asked
        self.request = request
        self.window = window
        """What may be sent (section 6.9), below 0 after the peer made it smaller."""
        self.receive = receive
        """What the peer may send."""
        self.received = 0
        """Bytes of the request's content."""
        self.since = now
        self.ended = False
        """The request is whole."""
        self.urgency, self.incremental = asked.urgency, asked.incremental
        self.ticket: Ticket | None = None
        self.guest: Guest | None = None
        self.at = 0.0
        """When the core was asked."""
        self.replied = False
        self.head: bytes | None = None
        """HEADERS that are not sent yet."""
        self.body = EMPTY
        """What is at hand of the content, sent up to `position`."""
        self.position = 0
        self.sent = 0
        self.more = False
        """Content follows that is not at hand yet."""
        self.broken = False
        """The content ended short."""
        self.queued = False
        """It is in one of the sender's queues."""
        self.blocked = False
        """It waits for its window."""
        self.laggard: Laggard | None = None
        self.dead = False
        self._reader: Reader | None = None
        """Its place in a body that still comes."""

    @property
    def rest(self) -> int:
        """Bytes at hand that are not sent."""
        return len(self.body) - self.position

    def grow_from(self, growing: Growing, span: tuple[int, int | None] | None, wake: Callable[[], None]) -> None:
        """The content is `span` (first byte, and the one behind the last) of what grows there; `wake`: more came."""
        self._reader = growing.read(wake, *(span or (0, None)))
        self.more = True

    def refill(self) -> None:
        """Take up the next bytes of what grows; `more` and `broken` are as they are now."""
        reader = self._reader
        if reader is None or self.rest:
            return
        pieces = reader.take(REFILL_BYTES)
        if pieces:
            self.body, self.position = memoryview(pieces[0] if len(pieces) == 1 else b"".join(pieces)), 0
            self.more = not reader.done
        else:
            self.broken = reader.lost
            self.more = not (reader.done or reader.lost)

    def close(self) -> None:
        """Nothing more happens here: whatever waits for it forgets it."""
        self.dead = True
        if self.ticket is not None:
            self.ticket.cancel()
            self.ticket = None
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None
        self.body = EMPTY
        self.head = None
