"""Which form of an entity a request gets: not modified, a range of it, compressed, or as it is. Sans-IO.

RFC 9110 sections 13 (conditions, evaluated first) and 14 (ranges), 12.5.3 (encoding).
"""

from __future__ import annotations

import gzip
import re
from dataclasses import replace

from .entities import CORS
from .freshness import http_date
from .growing import Growing
from .message import Entity, Request

_RANGE = re.compile(r"bytes=\s*([0-9]{0,19})-([0-9]{0,19})\s*", re.IGNORECASE)
_ETAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')

_GZIP_LEVEL = 5
"""Measured on a 4 kB playlist: 1 % larger than level 9 at half the time."""

_KEPT_304 = frozenset(("cache-control", "content-location", "date", "etag", "expires", "vary", "via", "last-modified"))


def select(request: Request, entity: Entity) -> Entity:
    """The entity to send for `request`: `entity` itself, its compressed form, or a 206, 304 or 416 made of it."""
    if entity.status != 200:
        return entity
    # 13.2.2: If-None-Match before If-Modified-Since, both before Range
    if (request.if_none_match or request.if_modified_since) and _not_modified(request, entity):
        return _bare(entity, 304)
    # 14.2: only GET has ranges; a range is of the identity form here, so that every viewer means the same bytes
    if request.range is not None and request.method.value == "GET" and _range_applies(request, entity):
        return _ranged(request.range, entity)
    if request.gzip and entity.compress:
        return entity.gzip or compressed(entity)
    return entity


def compressed(entity: Entity) -> Entity:
    """The gzip form of `entity`, made once and kept on it (rule 170)."""
    if entity.gzip is None:
        headers = [(name, _gzip_etag(value) if name == "ETag" else value) for name, value in entity.headers]
        entity.gzip = replace(
            entity,
            headers=(*headers, ("Content-Encoding", "gzip")),
            body=gzip.compress(entity.body, _GZIP_LEVEL, mtime=0),
            etag=_gzip_etag(entity.etag) if entity.etag else None,
            compress=False,
            wire={},
        )
    else:  # a revalidation may have moved these
        entity.gzip.received, entity.gzip.age = entity.received, entity.age
    return entity.gzip


def _gzip_etag(etag: str) -> str:
    """8.8.3.3: another encoding is another representation, so it has another strong tag."""
    return f'{etag[:-1]}-gzip"' if etag.endswith('"') else etag


def _not_modified(request: Request, entity: Entity) -> bool:
    if request.if_none_match is not None:
        if request.if_none_match.strip() == "*":
            return True
        if entity.etag is None:
            return False
        known = {_opaque(entity.etag), _opaque(_gzip_etag(entity.etag))}
        # 13.1.2: weak comparison
        return any(tag in known for tag in _ETAG.findall(request.if_none_match))
    if request.if_modified_since is None or entity.last_modified is None:
        return False
    since, modified = http_date(request.if_modified_since), http_date(entity.last_modified)
    return since is not None and modified is not None and modified <= since


def _opaque(etag: str) -> str:
    return etag.removeprefix("W/")


def _range_applies(request: Request, entity: Entity) -> bool:
    """13.1.5 If-Range: a strong tag, or the exact date; else the whole entity is sent."""
    wanted = request.if_range
    if wanted is None:
        return True
    wanted = wanted.strip()
    if wanted.startswith('"'):
        return entity.etag == wanted
    return entity.last_modified is not None and entity.last_modified == wanted


def bounds(text: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a Range field in an object of `size` bytes, the first above the last when there are none.

    None: the field is ignored. 14.2: a server may; several ranges, other units and nonsense are answered in full.
    """
    match = _RANGE.fullmatch(text)
    if match is None or not (match[1] or match[2]):
        return None
    if match[1]:
        first = int(match[1])
        last = min(int(match[2]), size - 1) if match[2] else size - 1
        return None if match[2] and int(match[2]) < first else (first, last)  # 14.1.1: invalid, so ignored
    return max(0, size - int(match[2])), size - 1  # 14.1.2: the last N bytes


def _ranged(text: str, entity: Entity) -> Entity:
    size = len(entity.body)
    found = bounds(text, size)
    if found is None:
        return entity
    first, last = found
    if first > last:  # 15.5.17
        return _not_satisfiable(entity, size)
    return _part(entity, first, last, str(size), memoryview(entity.body)[first : last + 1])


def _part(entity: Entity, first: int, last: int, total: str, body: bytes | memoryview) -> Entity:
    headers = (*entity.headers, ("Content-Range", f"bytes {first}-{last}/{total}"))
    return replace(entity, status=206, headers=headers, body=body, compress=False, gzip=None, wire={})


Form = tuple[Entity, tuple[int, int | None] | None]
"""Status and fields, and which bytes of a growing body go with them; None: none of it."""


def select_growing(request: Request, entity: Entity, body: Growing) -> Form | None:
    """As `select`, for an entity whose `body` still grows; None: what is asked for is not there yet.

    A range is answered as soon as its first byte is there. Where the length is unknown, a range that names its last
    byte is answered when that is there, with `/*` for the length (14.4); for `bytes=N-` and the last N bytes nothing
    true can be said before the end, so they wait for it (rule 166: no 200 for a part). `bytes=0-` is all of it: 200.
    """
    if entity.status != 200:
        return entity, (0, None)
    if (request.if_none_match or request.if_modified_since) and _not_modified(request, entity):
        return _bare(entity, 304), None
    if request.range is None or request.method.value != "GET" or not _range_applies(request, entity):
        return entity, (0, None)
    if body.length is None:
        return _of_unknown_length(request.range, entity, body.size)
    found = bounds(request.range, body.length)
    if found is None:
        return entity, (0, None)
    first, last = found
    if first > last:
        return _not_satisfiable(entity, body.length), None
    if body.size <= first:
        return None
    return _part(entity, first, last, str(body.length), b""), (first, last + 1)


def _of_unknown_length(text: str, entity: Entity, size: int) -> Form | None:
    match = _RANGE.fullmatch(text)
    if match is None or not (match[1] or match[2]):
        return entity, (0, None)
    if not match[1]:
        return None
    first = int(match[1])
    if not match[2]:
        return (entity, (0, None)) if first == 0 else None
    last = int(match[2])
    if last < first:
        return entity, (0, None)
    return (_part(entity, first, last, "*", b""), (first, last + 1)) if last < size else None


def _bare(entity: Entity, status: int) -> Entity:
    """15.4.5: a 304 has what a cache needs to freshen its copy, and no content."""
    kept = [pair for pair in entity.headers if pair[0].lower() in _KEPT_304]
    return replace(entity, status=status, headers=(*kept, *CORS), body=b"", compress=False, gzip=None, wire={})


def _not_satisfiable(entity: Entity, size: int) -> Entity:
    """The length that ranges have to stay in. Lifetime and tag of the object are not the error's (rule 148)."""
    kept = [pair for pair in entity.headers if pair[0].lower() in ("date", "vary", "via")]
    headers = (*kept, ("Content-Range", f"bytes */{size}"), ("Cache-Control", "no-store"), *CORS)
    return replace(entity, status=416, headers=headers, body=b"", compress=False, gzip=None, wire={})
