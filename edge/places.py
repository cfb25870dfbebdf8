"""Where a request waited: the same bytes from another viewer wait there too, without being read. Sans-IO.

Thousands hold the next playlist of a rendition, and those with one player ask for it with the same bytes. What these
mean is found out once for each line at a follower; whether that still waits, whether one more may, and who watches, is
looked at each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .collapse import Line, Waiter
from .fields import again
from .message import Reply, Request

if TYPE_CHECKING:
    from .follow import Follower


class Place:
    """In a line at a follower."""

    __slots__ = ("_line", "_timeout_s", "follower", "request")

    def __init__(self, follower: Follower, line: Line, request: Request, timeout_s: float) -> None:
        self.follower = follower
        self.request = again(request, request.target)
        """One for all who join: a follower's viewers are answered out of their line, never sent round again."""
        self._line = line
        self._timeout_s = timeout_s

    @property
    def over(self) -> bool:
        """Nobody waits here any more."""
        return self._line.over

    def join(self, reply: Reply, now: float) -> Waiter:
        """One more waits."""
        self.follower.last_wanted = now
        return self._line.join(self.request, reply, now + self._timeout_s)
