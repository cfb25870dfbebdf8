"""Entities made by the edge itself, and entities made from upstream answers. Sans-IO.

Every answer carries CORS fields, errors included: a player that may not read a 404 cannot retry well (rule 155).
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

from .control import LIFETIME_FIELDS
from .freshness import VARY_HARMLESS, Life
from .message import Entity, Headers, UpstreamAnswer

_EXPOSED = (
    "Age, Date, Content-Length, Content-Range, ETag, Last-Modified, Retry-After, Cache-Status, CMSD-Static, "
    "CMSD-Dynamic, Common-Access-Token"
)

CORS: Headers = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", _EXPOSED),
    ("Timing-Allow-Origin", "*"),
)
"""Rule 155: without Age exposed, hls.js skips tune-in."""

ALLOW = "GET, HEAD, OPTIONS"

_PREFLIGHT: Headers = (
    ("Allow", ALLOW),
    ("Access-Control-Allow-Methods", ALLOW),
    (
        "Access-Control-Allow-Headers",
        "Range, If-None-Match, If-Modified-Since, Cache-Control, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status",
    ),
    ("Access-Control-Max-Age", "86400"),
)

_DROPPED = frozenset(
    (
        # RFC 9110 section 7.6.1: hop by hop
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        # made anew by us
        "accept-ranges",
        "age",
        "cache-status",
        "content-encoding",
        "content-length",
        "content-range",
        "vary",
        # for this cache alone
        "surrogate-control",
        # about the upstream as a place, not about the object
        "alt-svc",
        "server",
        "timing-allow-origin",
    )
)

_TEXT = ("text/", "application/json", "application/javascript", "image/svg+xml", "application/xml", "application/wasm")
_MEDIA = (".m4s", ".mp4", ".ts", ".m4v", ".m4a", ".cmfv", ".cmfa", ".aac", ".vtt")
_PLAYLIST_TYPES = ("application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl", "audio/x-mpegurl")

RETRY_AFTER_S = 1
"""Seconds after which a viewer comes back. Why: a part or two later."""

COMPRESS_LEAST = 256
"""Bytes below which gzip saves nothing."""
COMPRESS_MOST = 512 << 10
"""Bytes above which compressing would hold the event loop for more than about 10 ms."""


def local(status: int, reason: str, *, retry_after: int | None = None, extra: Headers = ()) -> Entity:
    """An answer of the edge's own: a line of plain text, never kept by anybody (rule 148)."""
    body = f"{status} {HTTPStatus(status).phrase}: {reason}\n".encode()
    headers: Headers = (("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store"), *extra, *CORS)
    if retry_after is not None:
        headers += (("Retry-After", str(retry_after)),)
    return Entity(status, headers, body, received=0.0, own=True)


PREFLIGHT = Entity(204, (*_PREFLIGHT, *CORS), b"", received=0.0, own=True)
"""The answer to OPTIONS, for every path."""


def method_not_allowed() -> Entity:
    """405 with Allow (RFC 9110 section 15.5.6)."""
    return local(405, "this method is not served here", extra=(("Allow", ALLOW),))


def crowded() -> Entity:
    """503: as many wait as may wait."""
    return local(503, "too many requests wait here", retry_after=1)


def failed(answer: UpstreamAnswer, *, playlist: bool) -> Entity:
    """502, 503 or 504 in plain words. A playlist that cannot be had now is 503: players come back for that."""
    if answer.failure is not None:
        status, reason = answer.failure.status, answer.failure.reason
    else:
        status = answer.status if answer.status in (503, 504) else 502
        reason = f"the upstream answered {answer.status}"
    return local(503 if playlist else status, reason, retry_after=_retry_after(answer))


def _retry_after(answer: UpstreamAnswer) -> int:
    text = answer.get("retry-after") or ""
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        return RETRY_AFTER_S
    return min(max(int(text), RETRY_AFTER_S), 60)


def is_playlist(path: str, content_type: str) -> bool:
    """Rule 2: by the path or by the type."""
    return path.endswith((".m3u8", ".m3u")) or _is_playlist_type(content_type)


def _is_playlist_type(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() in _PLAYLIST_TYPES


def is_media(path: str, content_type: str) -> bool:
    """A segment, part or init section, by the path (rule 157) or by the type: web servers do not know every name."""
    kind = content_type.partition(";")[0].strip().lower()
    return path.endswith(_MEDIA) or (kind.startswith(("video/", "audio/")) and kind not in _PLAYLIST_TYPES)


def received(answer: UpstreamAnswer, life: Life, via: str) -> Entity:
    """What viewers get of `answer`. `via`: our entry for the Via field; empty: none."""
    kind = answer.get("content-type") or ""
    body = answer.body
    compress = _compressible(kind) and COMPRESS_LEAST <= len(body) <= COMPRESS_MOST and answer.status == 200
    return Entity(
        status=answer.status,
        headers=passed_headers(answer, via, varies=_compressible(kind)),
        body=body,
        received=answer.at,
        age=upstream_age(answer),
        lifetime=life.lifetime,
        usable=life.usable,
        etag=answer.get("etag"),
        # RFC 9110 section 8.8.2.2: a date is a weak validator. Two versions of a live playlist have one second's date.
        last_modified=None if _is_playlist_type(kind) else answer.get("last-modified"),
        compress=compress,
        surrogate=answer.get("surrogate-control"),
        trail=answer.get("cache-status") or "",
    )


def passed_headers(answer: UpstreamAnswer, via: str, *, varies: bool) -> Headers:
    """The upstream's fields without those of its connection, with ours."""
    named = {name.strip().lower() for name in (answer.get("connection") or "").split(",")}
    kept = [
        (_cased(name), value)
        for name, value in answer.headers
        if name not in _DROPPED and name not in named and name != "via" and not name.startswith("access-control-")
    ]
    vary = [item.strip() for item in (answer.get("vary") or "").split(",") if item.strip()]
    # CORS is the same for every origin here, so an upstream's `Vary: Origin` would only split caches.
    vary = [item for item in vary if item.lower() not in VARY_HARMLESS]
    if varies:
        vary.append("Accept-Encoding")
    if vary:
        kept.append(("Vary", ", ".join(vary)))
    if answer.status == 200:
        kept.append(("Accept-Ranges", "bytes"))
    if trace := ", ".join(filter(None, (answer.get("via"), via))):
        kept.append(("Via", trace))
    return (*kept, *CORS)


def freshened(entity: Entity, answer: UpstreamAnswer) -> Headers:
    """The fields of `entity` after a 304: what that says about freshness replaces what was stored (RFC 9111, 4.3.4)."""
    new = {name: value for name in ("date", *LIFETIME_FIELDS) if (value := answer.get(name))}
    return tuple((name, new.get(name.lower(), value)) for name, value in entity.headers)


def confirmed(entity: Entity, answer: UpstreamAnswer) -> UpstreamAnswer:
    """The 304 `answer` as the whole answer that it stands for, to be judged: its fields over those of `entity`."""
    said = {name for name, _ in answer.headers}
    stored = tuple((name.lower(), value) for name, value in entity.headers)
    if entity.surrogate is not None:
        stored += (("surrogate-control", entity.surrogate),)
    headers = (*answer.headers, *(pair for pair in stored if pair[0] not in said))
    return replace(answer, status=200, headers=headers, body=bytes(entity.body))


def upstream_age(answer: UpstreamAnswer) -> float:
    """The Age that the upstream sent; 0 when it sent none or nonsense (rule 144: none means from the origin)."""
    text = answer.get("age") or ""
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0.0


def _compressible(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind in _PLAYLIST_TYPES or kind.startswith(_TEXT)


def _cased(name: str) -> str:
    return "ETag" if name == "etag" else name.title()
