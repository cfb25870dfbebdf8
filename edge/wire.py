"""Heads of answers: their fields for both front ends, and HTTP/1 on the wire.

A head is rendered once per entity and kind of answer; per request only Age (and Connection, when it ends) is added.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus

from .message import Entity, Outcome, Response

JOIN_LIMIT = 64 << 10
"""Up to here head and body are joined and written at once; above, copying costs more than a second buffer."""
JOINED = 32
"""Answers that are kept joined, at most JOIN_LIMIT and a head each. Why: at the live edge thousands of viewers get the
same few within a second, and to join 40 kB for each of them costs as much as to find out what to send."""

_HIT = (Outcome.HIT, False)
_REASONS = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}


class Wire:
    """Renders answers of the node called `node`."""

    def __init__(
        self,
        node: str,
        *,
        inner: bool = False,
        wall: Callable[[], float] = time.time,  # noqa: TID251  (Date is wall-clock time by definition)
    ) -> None:
        """`inner`: answers go to workers of the same edge, who judge them as we did. `wall`: seconds since 1970."""
        self._inner = inner
        self._cache_status = {
            (outcome, collapsed): _cache_status(node, outcome, collapsed)
            for outcome in Outcome
            for collapsed in (False, True)
        }
        self._wall = wall
        self._joined: dict[int, tuple[bytes, bytes, bytes]] = {}
        """By the identity of a body, which lives as long as it is in here: head, body, and both in one piece."""
        self._date = b""
        self._date_second = -1

    def head(self, response: Response, *, keep_alive: bool, http10: bool) -> bytes:
        """Status line and fields, the empty line included."""
        entity = response.entity
        fixed = self._known(response)
        tail = b"\r\n"
        if not keep_alive:
            tail = b"Connection: close\r\n\r\n"
        elif http10:
            tail = b"Connection: keep-alive\r\n\r\n"
        if entity.own:
            return b"%bDate: %b\r\n%b" % (fixed, self.date(), tail)
        return b"%bAge: %d\r\n%b" % (fixed, response.age or 0, tail)

    def hit(self, entity: Entity, age: int) -> bytes:
        """`head` of a plain hit, with nothing to decide."""
        fixed = entity.wire.get(_HIT) or self._known(Response(entity, Outcome.HIT, age))
        return b"%bAge: %d\r\n\r\n" % (fixed, age)

    def joined(self, head: bytes, body: bytes) -> bytes:
        """Both in one piece. `body`: of an entity, no longer than JOIN_LIMIT."""
        kept = self._joined.get(id(body))
        if kept is not None and kept[0] == head:
            return kept[2]
        if len(self._joined) >= JOINED:
            self._joined.clear()
        data = head + body
        self._joined[id(body)] = head, body, data
        return data

    def rendered(self, response: Response) -> bytes:
        """Head and body for a connection that goes on, made once for all who get this answer."""
        if response.rendered is None or response.rendered[0] is not self:
            head = self.head(response, keep_alive=True, http10=False)
            response.rendered = self, b"".join((head, response.entity.body))
        return response.rendered[1]

    def write(self, transport: asyncio.WriteTransport, head: bytes, body: bytes | memoryview) -> None:
        """An answer, in as few pieces as is worth it."""
        if len(body) > JOIN_LIMIT:
            transport.writelines((head, body))
        elif isinstance(body, bytes):
            transport.write(self.joined(head, body))
        else:  # a range: each who asks has a view of its own
            transport.write(head + body)

    def _known(self, response: Response) -> bytes:
        entity = response.entity
        kind = (response.outcome, response.collapsed)
        fixed = entity.wire.get(kind)
        if fixed is None:
            fixed = entity.wire[kind] = self._fixed(response, len(entity.body))
        return fixed

    def growing_head(self, response: Response, *, keep_alive: bool, http10: bool) -> bytes:
        """As `head`, for a body that still comes: RFC 9112 section 6.3."""
        entity, length = response.entity, response.length
        chunked = length is None and not http10  # HTTP/1.0: the end of the connection is the end of the body
        kind = (response.outcome, response.collapsed, length, chunked)
        fixed = entity.wire.get(kind)
        if fixed is None:
            fixed = entity.wire[kind] = self._fixed(response, length, chunked=chunked)
        stays = b"Connection: keep-alive\r\n" if http10 else b""
        tail = stays if keep_alive else b"Connection: close\r\n"
        return b"%bAge: %d\r\n%b\r\n" % (fixed, response.age or 0, tail)

    def _fixed(self, response: Response, length: int | None, *, chunked: bool = False) -> bytes:
        status = response.entity.status
        lines = [f"HTTP/1.1 {status} ".encode("ascii") + _REASONS.get(status, b"Unknown")]
        fields = self.fields(response, length)
        lines.extend(name.encode("latin-1", "replace") + b": " + value for name, value in fields)
        if chunked:
            lines.append(b"Transfer-Encoding: chunked")
        lines.append(b"")
        return b"\r\n".join(lines)

    def fields(self, response: Response, length: int | None) -> list[tuple[str, bytes]]:
        """The fields of every answer of this kind, Age and the edge's own Date left out. `length`: of the content;
        None: not known."""
        entity = response.entity
        fields = [(name, value.encode("latin-1", "replace")) for name, value in entity.headers]
        # RFC 9110 section 8.6: no Content-Length in a 204; in a 304 it would have to be that of the 200
        if length is not None and entity.status not in (204, 304):
            fields.append(("Content-Length", b"%d" % length))
        if not entity.own:
            # RFC 9111 section 5.1 and RFC 9110 section 6.6.1: Date and Age go together, so Date is the upstream's
            if not any(name.lower() == "date" for name, _ in entity.headers):
                fields.append(("Date", self.date()))
            ours = self._cache_status[response.outcome, response.collapsed]
            trail = entity.trail.encode("latin-1", "replace")
            fields.append(("Cache-Status", trail + b", " + ours if trail else ours))
            if self._inner and entity.surrogate is not None:
                fields.append(("Surrogate-Control", entity.surrogate.encode("latin-1", "replace")))
        return fields

    def date(self) -> bytes:
        """Now as an HTTP-date, made once per second."""
        second = int(self._wall())
        if second != self._date_second:
            self._date_second = second
            self._date = formatdate(second, usegmt=True).encode("ascii")
        return self._date


def _cache_status(node: str, outcome: Outcome, collapsed: bool) -> bytes:
    """RFC 9211 section 2."""
    match outcome:
        case Outcome.HIT:
            text = f"{node}; hit"
        case Outcome.STALE:
            text = f"{node}; fwd=stale; detail=upstream-failed"
        case Outcome.PASS:
            text = f"{node}; fwd=bypass"
        case _:
            text = f"{node}; fwd=miss"
    return (text + ("; collapsed" if collapsed or outcome is Outcome.JOIN else "")).encode("ascii")
