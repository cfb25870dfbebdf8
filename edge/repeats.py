"""Requests that come again byte for byte: answered from the store, or held, in a shorter way, if they can be. Sans-IO.

All viewers of a rendition ask for the same parts, those of one player with the same fields. Over HTTP/1 what asks for a
path and nothing else, and was answered from the store, is not read anew. Remembered is only which path such bytes ask
for, and in which form; whether the answer is there still, and whether whoever asks has had enough, is looked at each
time. In the same way it is remembered where a request waits for the next playlist (`places`). Over HTTP/2 the same
bytes mean something else on each connection; there a request for a path needs no stream.
"""

from __future__ import annotations

from collections.abc import Callable

from .heads import Head
from .keys import plain_path
from .message import Entity, Method, Outcome, Request, Response
from .places import Place

MOST = 1_024
"""Requests that are remembered; each is at most `parse.MAX_BLOCK_BYTES` and a request line long."""

MOST_HELD = 64
"""Requests whose place is remembered. Why: each is of no use any more once the next playlist is there."""


class Repeat:
    """One of them."""

    __slots__ = ("head", "key")

    def __init__(self, head: Head, key: str) -> None:
        self.head = head
        self.key = key


class Held:
    """One that waits."""

    __slots__ = ("head", "place")

    def __init__(self, head: Head, place: Place) -> None:
        self.head = head
        self.place = place


class Repeats:
    """One per listener."""

    def __init__(self) -> None:
        self._known: dict[bytes, Repeat] = {}
        self.get = self._known.get
        self._held: dict[bytes, Held] = {}
        self.held = self._held.get
        self._newest = b""
        """The request that was held last."""

    def learn_place(self, head: Head, find: Callable[[Request], Place | None]) -> None:
        """`head` was read, and is held; `find`: where. It is worth a place when it is the second one in a row."""
        if head.raw is None or head.raw != self._newest:
            self._newest = head.raw or b""
            return
        if _is_all(head) and (place := find(head.request)) is not None:
            if len(self._held) >= MOST_HELD:
                self._held.clear()
            self._held[head.raw] = Held(head, place)

    def learn(self, head: Head, response: Response) -> None:
        """`head` was answered with `response`: remember it if the same bytes will mean the same."""
        request, entity = head.request, response.entity
        key = path_of(request)
        if head.raw is None or key is None or response.outcome is not Outcome.HIT:
            return
        if entity.status != 200 or response.growing is not None or response.collapsed or response.final:
            return
        if not _is_all(head):
            return
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[head.raw] = Repeat(Head(request, True, False), key)


def _is_all(head: Head) -> bool:
    """Whether nothing was taken out of the request since it came: a CMCD report, a token."""
    return head.raw is not None and head.raw.startswith(b"GET %b HTTP/1.1\r\n" % head.request.target)


def path_of(request: Request) -> str | None:
    """The key of a GET whose answer depends on its path, and of all fields on Accept-Encoding alone; None: on more."""
    said = (request.range, request.if_none_match, request.if_modified_since, request.cmcd)
    if request.method is not Method.GET or said != (None, None, None, None) or request.loop:
        return None
    return plain_path(request.target)


def form_of(entity: Entity | None, *, gzip: bool) -> Entity | None:
    """What of a stored entity is sent; None: that has to be made first. `gzip`: it is accepted."""
    return entity.gzip if entity is not None and gzip and entity.compress else entity
