"""Ranges that are fetched as ranges: of objects too large to be had whole, or still growing. Sans-IO.

Everything else is fetched whole once and cut here (`select`). A range that is fetched is an object of its own, with
a key of its own: `PATH#bytes=FIRST-LAST` (`#` is in no canonical target). Players ask for the ranges that a playlist
lists, so all of them ask for the same few.
"""

from __future__ import annotations

import re

from .message import Request, UpstreamAnswer

_ONE = re.compile(r"bytes=\s*([0-9]{1,15})-([0-9]{0,15})\s*", re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/(?:[0-9]{1,15}|\*)")


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


def is_answered(text: str, answer: UpstreamAnswer) -> bool:
    """Whether a 206 is the range `text`, all of it or up to the object's end (RFC 9110 section 15.3.7)."""
    match = _CONTENT_RANGE.fullmatch((answer.get("content-range") or "").strip())
    if match is None:
        return False
    first, last = int(match[1]), int(match[2])
    asked_first, _, asked_last = text.removeprefix("bytes=").partition("-")
    if first != int(asked_first) or len(answer.body) != last - first + 1:
        return False
    return not asked_last or last <= int(asked_last)


__all__ = ["is_answered", "key_of", "open_ended", "wanted"]
