"""Which form of an entity a request gets: not modified, a range of it, compressed, or as it is. Sans-IO.

RFC 9110 sections 13 (conditions, evaluated first) and 14 (ranges), 12.5.3 (encoding).
"""

from __future__ import annotations

import gzip
import re
from dataclasses import replace

from .entities import CORS
from .freshness import http_date
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


def _ranged(text: str, entity: Entity) -> Entity:
    # 14.2: a server may ignore Range; several ranges, other units and nonsense are answered in full
    match = _RANGE.fullmatch(text)
    if match is None or not (match[1] or match[2]):
        return entity
    size = len(entity.body)
    if match[1]:
        first = int(match[1])
        last = min(int(match[2]), size - 1) if match[2] else size - 1
        if match[2] and int(match[2]) < first:  # 14.1.1: invalid, so ignored
            return entity
    else:  # 14.1.2: the last N bytes
        first, last = max(0, size - int(match[2])), size - 1
    if first > last:  # 15.5.17
        return _not_satisfiable(entity, size)
    headers = (*entity.headers, ("Content-Range", f"bytes {first}-{last}/{size}"))
    return replace(
        entity,
        status=206,
        headers=headers,
        body=memoryview(entity.body)[first : last + 1],
        compress=False,
        gzip=None,
        wire={},
    )


def _bare(entity: Entity, status: int) -> Entity:
    """15.4.5: a 304 has what a cache needs to freshen its copy, and no content."""
    kept = [pair for pair in entity.headers if pair[0].lower() in _KEPT_304]
    return replace(entity, status=status, headers=(*kept, *CORS), body=b"", compress=False, gzip=None, wire={})


def _not_satisfiable(entity: Entity, size: int) -> Entity:
    """The length that ranges have to stay in. Lifetime and tag of the object are not the error's (rule 148)."""
    kept = [pair for pair in entity.headers if pair[0].lower() in ("date", "vary", "via")]
    headers = (*kept, ("Content-Range", f"bytes */{size}"), ("Cache-Control", "no-store"), *CORS)
    return replace(entity, status=416, headers=headers, body=b"", compress=False, gzip=None, wire={})
