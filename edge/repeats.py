"""Requests that come again byte for byte, and were answered from the store: they need not be read anew. Sans-IO.

All viewers of a rendition ask for the same parts, those of one player with the same fields. Remembered is only which
path such bytes ask for, and in which form; whether the answer is there still, and whether whoever asks has had enough,
is looked at each time.
"""

from __future__ import annotations

from .heads import Head
from .keys import Target
from .message import Entity, Outcome, Response

MOST = 1_024
"""Requests that are remembered; each is at most `parse.MAX_BLOCK_BYTES` and a request line long."""


class Repeat:
    """One of them."""

    __slots__ = ("gzip", "head", "key")

    def __init__(self, head: Head, key: str, *, gzip: bool) -> None:
        self.head = head
        self.key = key
        self.gzip = gzip

    def form(self, entity: Entity | None) -> Entity | None:
        """What of `entity` is sent; None: that has to be made first."""
        return entity.gzip if entity is not None and self.gzip and entity.compress else entity


class Repeats:
    """One per listener."""

    def __init__(self) -> None:
        self._known: dict[bytes, Repeat] = {}
        self.get = self._known.get

    def learn(self, head: Head, target: Target, response: Response) -> None:
        """`head` was answered with `response`: remember it if the same bytes will mean the same."""
        request = head.request
        # The request may have been changed since it was read: a CMCD report was taken out, or a token.
        asked = b"GET %b HTTP/1.1\r\n" % target.path.encode("ascii")
        if (
            head.raw is None
            or not head.raw.startswith(asked)
            or not _plain(head)
            or response.outcome is not Outcome.HIT
        ):
            return
        if response.entity.status != 200 or response.growing is not None or response.collapsed or response.final:
            return
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[head.raw] = Repeat(Head(request, True, False), target.path, gzip=request.gzip)


def _plain(head: Head) -> bool:
    """Whether no field but Accept-Encoding has a say in the answer."""
    request = head.request
    said = (request.range, request.if_none_match, request.if_modified_since, request.cmcd)
    return said == (None, None, None, None) and not request.loop
