"""One stream: its request as it comes, its answer as it goes. Sans-IO."""

from __future__ import annotations

from headwater.edge.asking import Laggard
from headwater.edge.guard import Guest
from headwater.edge.message import Cancel, Growing, Request, Ticket

from .fields import Asked

EMPTY = memoryview(b"")


class Stream:
    """From HEADERS until both sides have ended."""

    __slots__ = (
        "_growing", "_left", "_piece", "_skip", "asked", "at", "blocked", "body", "broken", "dead", "ended", "guest",
        "head", "id", "incremental", "laggard", "more", "position", "queued", "receive", "received", "replied",
        "request", "sent", "since", "stop_watching", "ticket", "urgency", "window",
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
        self.stop_watching: Cancel | None = None
        self._growing: Growing | None = None
        self._piece = self._skip = 0
        self._left: int | None = None

    @property
    def rest(self) -> int:
        """Bytes at hand that are not sent."""
        return len(self.body) - self.position

    def grow_from(self, growing: Growing, span: tuple[int, int | None] | None) -> None:
        """The content is `span` (first byte, and the one behind the last) of what grows there."""
        self._growing = growing
        first, end = span if span is not None else (0, None)
        self._skip = first
        self._left = None if end is None else end - first
        self.more = True

    def refill(self) -> None:
        """Take up the next piece of what grows; `more` and `broken` are as they are now."""
        growing = self._growing
        if growing is None or self.rest:
            return
        while self._piece < len(growing.pieces) and self._left != 0:
            piece = memoryview(growing.pieces[self._piece])
            self._piece += 1
            if self._skip >= len(piece):
                self._skip -= len(piece)
                continue
            piece = piece[self._skip :]
            self._skip = 0
            if self._left is not None:
                piece = piece[: self._left]
                self._left -= len(piece)
            self.body, self.position = piece, 0
            break
        else:
            self.broken = growing.broken and self._left != 0
            self.more = not (growing.ended or growing.broken or self._left == 0)
            return
        self.more = self._left != 0 and not (growing.ended and self._piece >= len(growing.pieces))

    def close(self) -> None:
        """Nothing more happens here: whatever waits for it forgets it."""
        self.dead = True
        if self.ticket is not None:
            self.ticket.cancel()
            self.ticket = None
        if self.stop_watching is not None:
            self.stop_watching()
            self.stop_watching = None
        self._growing = None
        self.body = EMPTY
        self.head = None
