"""Ranges that are fetched as ranges: of objects too large to be had whole, or still growing. Sans-IO.

Everything else is fetched whole once and cut here (`select`). A range that is fetched is an object of its own, with
a key of its own: `PATH#bytes=FIRST-LAST` (`#` is in no canonical target). Players ask for the ranges that a playlist
lists, so all of them ask for the same few.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .message import Request, UpstreamAnswer

_ONE = re.compile(r"bytes=\s*([0-9]{1,15})-([0-9]{0,15})\s*", re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15}|\*)")


def wanted(request: Request) -> str | None:
    """The canonical Range of a request that may be asked for upstream as it stands; None: take the whole object.

    A condition on the range (If-Range) needs the whole object's validator, and a suffix its length.
    """
    if request.range is None or request.if_range is not None or request.method.value != "GET":
        return None
    match = _ONE.fullmatch(request.range)
    if match is None:
        return None
    first, last = int(match[1]), match[2]
    if last and int(last) < first:  # RFC 9110 section 14.1.1: invalid, so ignored
        return None
    return f"bytes={first}-{int(last) if last else ''}"


def key_of(key: str, text: str) -> str:
    """The key of the range `text` (as `wanted` gives it) of the object at `key`."""
    return f"{key}#{text}"


def open_ended(text: str) -> bool:
    """`bytes=N-`: how much that is depends on when it is asked for."""
    return text.endswith("-")


@dataclass(frozen=True, slots=True)
class ContentRange:
    """Which bytes a 206 has (RFC 9110 section 14.4)."""

    first: int
    last: int
    total: int | None
    """Bytes of the whole object; None: not said."""

    @property
    def size(self) -> int:
        """Bytes of the range."""
        return self.last - self.first + 1


def content_range(answer: UpstreamAnswer) -> ContentRange | None:
    """The range that an answer says it has; None: none, or no valid one."""
    match = _CONTENT_RANGE.fullmatch((answer.get("content-range") or "").strip())
    if match is None:
        return None
    first, last = int(match[1]), int(match[2])
    total = None if match[3] == "*" else int(match[3])
    if last < first or (total is not None and last >= total):
        return None
    return ContentRange(first, last, total)


def is_within(text: str, part: ContentRange) -> bool:
    """Whether `part` is the range `text`, all of it or up to the object's end (RFC 9110 section 15.3.7)."""
    first, _, last = text.removeprefix("bytes=").partition("-")
    return part.first == int(first) and (not last or part.last <= int(last))


def is_answered(text: str, answer: UpstreamAnswer) -> bool:
    """Whether a whole 206 is the range `text`, as `is_within` says."""
    part = content_range(answer)
    return part is not None and len(answer.body) == part.size and is_within(text, part)


__all__ = ["ContentRange", "content_range", "is_answered", "is_within", "key_of", "open_ended", "wanted"]
