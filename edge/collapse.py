"""Waiting together: who waits for the same thing stands in one line and is answered in one go. Sans-IO.

A line is either a flight (an upstream fetch of one object) or a place at a follower (one future version of a
playlist). A viewer who leaves is forgotten in constant time and disturbs nobody else (rule 161).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .message import Cancel, Entity, Outcome, Reply, Request, Response, Tally, Ticket

if TYPE_CHECKING:
    from .fill import Fill


class Waiter:
    """One viewer in a line; the ticket that its front end holds."""

    __slots__ = ("_line", "_next", "deadline", "reply", "request")

    def __init__(self, request: Request, reply: Reply, deadline: float, line: Line) -> None:
        self.request = request
        self.reply = reply
        self.deadline = deadline
        """Monotonic seconds at which the wait ends with an error; infinite when the fetch has its own limit."""
        self._line: Line | None = line
        self._next: Ticket | None = None

    def cancel(self) -> None:
        """The viewer left. Idempotent."""
        if self._line is not None:
            self._line.leave(self)
        if self._next is not None:
            self._next.cancel()

    def follow(self, ticket: Ticket | None) -> None:
        """The request was sent round again and waits elsewhere now: cancelling this ticket cancels that one."""
        self._next = ticket

    def leave(self) -> None:
        """Out of the line; what follows is an answer."""
        self._line = None

    def back(self, line: Line) -> None:
        """In the line again."""
        self._line = line


class Line:
    """Waiters in the order in which they came."""

    __slots__ = ("_tally", "_waiters", "over")

    def __init__(self, tally: Tally) -> None:
        self.over = False
        """It was emptied: whoever comes now is to look for another one."""
        self._tally = tally
        self._waiters: dict[Waiter, None] = {}

    def __len__(self) -> int:
        return len(self._waiters)

    def join(self, request: Request, reply: Reply, deadline: float = float("inf")) -> Waiter:
        """Stand at the end."""
        waiter = Waiter(request, reply, deadline, self)
        self._waiters[waiter] = None
        self._tally.held += 1
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Forget `waiter`."""
        if self._waiters.pop(waiter, waiter) is None:
            self._tally.held -= 1
        waiter.leave()

    def waiting(self) -> list[Waiter]:
        """Everybody in it, who stays there."""
        return list(self._waiters)

    def put_back(self, waiter: Waiter) -> None:
        """Somebody who was taken out waits on, at the end; the ticket is the same."""
        waiter.back(self)
        self._waiters[waiter] = None
        self._tally.held += 1

    def take(self, rotation: float = 0.0) -> list[Waiter]:
        """Empty the line; everybody in it, beginning `rotation` (0 to 1) of the way through it.

        Why a rotation: all are answered one after the other and ask again in that order, so the same viewers would
        be last every time.
        """
        self.over = True
        waiters = list(self._waiters)
        self._waiters.clear()
        self._tally.held -= len(waiters)
        for waiter in waiters:
            waiter.leave()
        start = int(rotation * len(waiters))
        return waiters[start:] + waiters[:start] if start else waiters

    def overdue(self, now: float) -> list[Waiter]:
        """Take out those whose deadline has passed. Deadlines of one line rise in the order of joining."""
        late = []
        for waiter in self._waiters:
            if waiter.deadline > now:
                break
            late.append(waiter)
        for waiter in late:
            self.leave(waiter)
        self.over = not self._waiters
        return late


class Flight(Line):
    """One upstream fetch of one object, and all who wait for it (rule 160)."""

    __slots__ = ("asker", "cancel", "fill", "key", "loop", "range", "void")

    def __init__(self, key: str, tally: Tally, text: str | None = None, loop: str = "") -> None:
        super().__init__(tally)
        self.key = key
        self.range = text
        """Of the object at `key`, canonical; None: all of it."""
        self.loop = loop
        """CDN-Loop of the request that caused the fetch."""
        self.asker: Waiter | None = None
        """Who caused the fetch; None for a prefetch."""
        self.cancel: Cancel | None = None
        self.fill: Fill | None = None
        """Its answer, while that goes to viewers as it comes."""
        self.void = False
        """Its URL was purged since: what comes is not kept."""


class Answers:
    """What many are sent at once: one answer for each form of an entity and each outcome, however many get it."""

    __slots__ = ("_age", "_collapsed", "_made")

    def __init__(self, entity: Entity, now: float, *, collapsed: bool = False) -> None:
        self._age = entity.age_told(now)
        self._collapsed = collapsed
        self._made: dict[tuple[int, Outcome], Response] = {}
        """By the identity of a form, which its answer keeps."""

    def of(self, form: Entity, outcome: Outcome) -> Response:
        """With that form: the entity itself, or what was made of it for a request."""
        answer = self._made.get((id(form), outcome))
        if answer is None:
            answer = Response(form, outcome, self._age, self._collapsed)
            self._made[id(form), outcome] = answer
        return answer
