"""How a request of a viewer comes to the core: whose it is, whether whoever asks has had enough, the core itself.
What both front ends have in common. Sans-IO."""

from __future__ import annotations

from .caller import Caller
from .core import Core
from .gate import HEALTH
from .guard import FORGED_COST, Guard, Guest
from .message import Entity, Reply, Request, Ticket

_HEALTH = frozenset(path.encode() for path in HEALTH)


def whose(caller: Caller, request: Request, now: float) -> Guest:
    """Who asks; `request.visitor` is set."""
    if caller.proxies:
        return caller.of(request, now)
    request.visitor = caller.visitor
    return caller.guest


def refused_by(guard: Guard, guest: Guest, request: Request, now: float) -> Entity | None:
    """The answer to a guest who has had enough; None: the request may go on."""
    if guest.bucket is not None or guard.strained:
        return guard.request(guest, now, health=request.target in _HEALTH)
    return None


def ask(core: Core, guest: Guest, request: Request, reply: Reply, now: float) -> Ticket | None:
    """Let the core answer, now (None) or later."""
    ticket = core.handle(request, reply, now)
    if ticket is None and request.forged and guest.bucket is not None:
        guest.bucket.fine(FORGED_COST)
    return ticket


class Laggard:
    """A reader that is behind: with some progress always, and all that was owed in its time. Seconds and bytes."""

    __slots__ = ("_cutoff", "_gone", "_stall_s", "deadline", "goal")

    def __init__(self, now: float, gone: int, owed: int, stall_s: float, least_bytes_s: float) -> None:
        """`gone`: what it has taken so far, by any count that only grows; `owed`: what it has to take."""
        self._stall_s = stall_s
        self._gone = gone
        self.deadline = now + stall_s
        """When `late` has to be asked."""
        self._cutoff = self.deadline + owed / least_bytes_s
        self.goal = gone + owed
        """What it has taken once all that was owed is read: from there on it is another one's business."""

    def late(self, now: float, gone: int) -> bool:
        """Whether it is to be cut off. False: it is slow, but reads, and has a new deadline."""
        if gone > self._gone and now < self._cutoff:
            self._gone = gone
            self.deadline = min(now + self._stall_s, self._cutoff)
            return False
        return True
