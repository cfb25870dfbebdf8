"""Values -> aiohttp responses: cache lifetimes, validators, ranges, content coding, errors.

Cache lifetimes (rules 146 to 151; draft-pantos-hls-rfc8216bis-22, appendix B.1), TD = target duration:

    answer                                  Cache-Control
    init, part, segment                     public, max-age=<seconds it stays>, immutable
    playlist asked for by _HLS_msn          public, max-age=0, s-maxage=6 TD
    other playlists                         public, max-age=0, s-maxage=TD/2
    404 of a name that is past              public, max-age=0, s-maxage=TD
    every other error                       no-store

`s-maxage` tells the tiers of caches; `max-age=0` keeps browsers from adding a cache of their own, whose
Age they do not show to the player. A name or a position that may still be published is never cached as
an error: the same URL is valid one part later.
"""

from __future__ import annotations

import email.utils
import math
import re
from dataclasses import dataclass

from aiohttp import web

PUBLISHED = web.ResponseKey("published", float)
"""Of an answer to a request that was held: when there was what it waited for, monotonic seconds."""

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"

EXPOSED = (
    "Age, Date, Content-Length, Content-Range, ETag, Last-Modified, Cache-Status, Retry-After, Server-Timing, "
    "CMSD-Static, CMSD-Dynamic, Common-Access-Token"
)
"""Rule 155: hls.js needs Age to find the live edge."""

_CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": EXPOSED, "Timing-Allow-Origin": "*"}

ALLOW = "GET, HEAD, OPTIONS"
"""The methods of every resource (RFC 9110, 10.2.1)."""

_PREFLIGHT = {
    "Access-Control-Allow-Methods": ALLOW,
    "Access-Control-Allow-Headers": (
        "Range, If-None-Match, If-Modified-Since, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status"
    ),
    "Access-Control-Max-Age": "86400",
    "Cache-Control": "public, max-age=86400",
}

NO_STORE = "no-store"

_RANGE = re.compile(r"bytes=([0-9]{0,20})-([0-9]{0,20})\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Body:
    """Bytes with their validators, ready to send."""

    data: bytes
    content_type: str
    etag: str
    """Strong, with its quotes."""
    modified: int | None = None
    """Unix seconds."""
    dated: bool = False
    """If-Modified-Since may be answered from `modified`. Not for what changes within a second, like a live
    playlist: two versions have one date, and a held request would be told that nothing changed."""
    encoding: str | None = None
    varies: bool = False
    """Other clients may get another content coding."""


class ErrorReply(Exception):
    """The request is answered with an error."""

    def __init__(
        self, status: int, reason: str, *, cache_control: str = NO_STORE, retry_after_s: int | None = None
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.cache_control = cache_control
        self.retry_after_s = retry_after_s


def error(reply: ErrorReply) -> web.Response:
    """The error as a short plain text."""
    response = web.Response(status=reply.status, text=reply.reason + "\n", content_type="text/plain")
    response.headers["Cache-Control"] = reply.cache_control
    if reply.retry_after_s is not None:
        response.headers["Retry-After"] = str(reply.retry_after_s)
    return response


def preflight() -> web.Response:
    """Answer to OPTIONS."""
    return web.Response(status=204, headers={**_PREFLIGHT, "Allow": ALLOW})


async def add_common_headers(request: web.Request, response: web.StreamResponse) -> None:
    """What every answer has, errors included (rule 155)."""
    response.headers.update(_CORS)
    response.headers["Server"] = "headwater"
    response.headers["X-Content-Type-Options"] = "nosniff"


def shared(seconds: float) -> str:
    """Cache-Control for caches in front of us only."""
    return f"public, max-age=0, s-maxage={max(1, math.floor(seconds))}"


def immutable(seconds: float) -> str:
    """Cache-Control of a name that never means other bytes, for as long as it stays."""
    return f"public, max-age={max(1, math.floor(seconds))}, immutable"


def accepts_gzip(request: web.Request) -> bool:
    """Whether Accept-Encoding names gzip without q=0, or "*" does."""
    found: dict[str, bool] = {}
    for item in request.headers.get("Accept-Encoding", "").split(","):
        coding, _, parameters = item.partition(";")
        quality = parameters.strip().lower().removeprefix("q=")
        found[coding.strip().lower().removeprefix("x-")] = not quality or quality.strip("0.") != ""
    # RFC 9110, 12.5.3: "*" matches what is not named, wherever it stands
    return found.get("gzip", found.get("*", False))


def respond(request: web.Request, body: Body, cache_control: str, *, ranges: bool = False) -> web.Response:
    """200, 206, 304 or 416 for `body`, as the request's conditions and range ask. Raises ErrorReply for 416."""
    headers = {"Cache-Control": cache_control, "ETag": body.etag}
    if body.modified is not None:
        headers["Last-Modified"] = email.utils.formatdate(body.modified, usegmt=True)
    if body.varies:
        headers["Vary"] = "Accept-Encoding"
    if ranges:
        headers["Accept-Ranges"] = "bytes"
    # RFC 9110, 13.2.2: conditions before ranges
    if _unchanged(request, body):
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = body.content_type
    if body.encoding is not None:
        headers["Content-Encoding"] = body.encoding
    if not ranges:
        return web.Response(body=body.data, headers=headers)
    span = _range(request, body)
    if span is None:
        return web.Response(body=body.data, headers=headers)
    total = len(body.data)
    start, end = span
    if start >= end:
        response = error(ErrorReply(416, f"the file has {total} bytes"))
        response.headers["Content-Range"] = f"bytes */{total}"
        return response
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{total}"
    return web.Response(status=206, body=body.data[start:end], headers=headers)


def _unchanged(request: web.Request, body: Body) -> bool:
    asked = request.headers.get("If-None-Match")
    # RFC 9110, 13.1.3: If-Modified-Since is ignored when If-None-Match is there
    if asked is not None:
        tags = [tag.strip().removeprefix("W/") for tag in asked.split(",")]
        return "*" in tags or body.etag in tags
    since = request.headers.get("If-Modified-Since")
    if since is None or body.modified is None or not body.dated:
        return False
    try:
        return body.modified <= email.utils.parsedate_to_datetime(since).timestamp()
    except (ValueError, OverflowError):
        return False


def _range(request: web.Request, body: Body) -> tuple[int, int] | None:
    """[start, end) of a single byte range; empty: not satisfiable; None: the whole body.

    RFC 9110, 14.2: a range that is malformed, or that is several, may be ignored.
    """
    if request.method != "GET":
        return None
    condition = request.headers.get("If-Range")
    if condition is not None and condition != body.etag:
        return None
    match = _RANGE.match(request.headers.get("Range", ""))
    if match is None:
        return None
    first, last = match[1], match[2]
    total = len(body.data)
    if not first:
        if not last:
            return None
        return (max(0, total - int(last)), total) if int(last) else (total, total)
    start = int(first)
    if last and int(last) < start:
        return None
    # RFC 8673: a client that does not know the end asks for one past any file.
    return start, min(total, int(last) + 1) if last else total
