"""Decoded fields -> a request (RFC 9113 sections 8.2 and 8.3). Sans-IO."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from headwater.edge.entities import local, method_not_allowed
from headwater.edge.fields import HOST, MAX_FIELDS, METHODS, TAKES, Take, listed
from headwater.edge.message import Entity, Method, Request
from headwater.edge.repeats import path_of

from .block import Ready
from .hpack import ENTRY_BYTES, Decoder, static_table

MAX_REPEATS = 1_024
"""That are known, of all connections."""
DEFAULT_URGENCY = 3
"""RFC 9218 section 4.1."""

_NAME = re.compile(rb":?[!#$%&'*+\-.^_`|~0-9a-z]+")
_VALUE = re.compile(rb"[^\x00\r\n]*")
_URGENCY = re.compile(rb"(?:^|,)[ \t]*u=([0-7])[ \t]*(?:$|[,;])")
_INCREMENTAL = re.compile(rb"(?:^|,)[ \t]*i(?:=\?1)?[ \t]*(?:$|[,;])")
_KNOWN_METHODS = frozenset((b"POST", b"PUT", b"DELETE", b"PATCH", b"CONNECT", b"TRACE"))
_FORBIDDEN = frozenset((b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"))
"""Section 8.2.2."""


class Malformed(ValueError):
    """The request is malformed (section 8.1.1): its stream is reset."""


class Draft:
    """What the fields say so far."""

    __slots__ = ("authority", "host", "length", "method", "path", "priority", "request", "scheme")

    def __init__(self) -> None:
        self.request = Request(Method.GET, b"")
        self.method: bytes | None = None
        self.path: bytes | None = None
        self.scheme: bytes | None = None
        self.authority: bytes | None = None
        self.host: bytes | None = None
        self.length: int | None = None
        """Content-Length."""
        self.priority: bytes | None = None


_Special = Callable[[Draft, bytes], None]


class Field:
    """One field line, judged when it is first seen."""

    __slots__ = ("name", "pseudo", "special", "take", "value", "wrong")

    def __init__(self, name: bytes, value: bytes) -> None:
        self.name = name
        self.value = value
        self.pseudo = name.startswith(b":")
        self.wrong = _wrong(name, value)
        """Why every request with it is malformed; empty: it is not."""
        self.take: Take | None = TAKES.get(name)
        self.special: _Special | None = _SPECIAL.get(name)


def _wrong(name: bytes, value: bytes) -> str:
    if _NAME.fullmatch(name) is None:
        return "a field name that is none, or not in lower case"
    # Section 8.2.1: no whitespace around a value
    if _VALUE.fullmatch(value) is None or value[:1] in (b" ", b"\t") or value[-1:] in (b" ", b"\t"):
        return "a field value that is none"
    if name in _FORBIDDEN or (name == b"te" and value != b"trailers"):
        return "a field of a connection"
    if name.startswith(b":") and name not in _SPECIAL:
        return "a pseudo-header field that is not known"
    return ""


def _once(before: bytes | None, value: bytes) -> bytes:
    if before is not None:
        raise Malformed("a field that is there twice")
    return value


def _method(draft: Draft, value: bytes) -> None:
    draft.method = _once(draft.method, value)


def _path(draft: Draft, value: bytes) -> None:
    draft.path = _once(draft.path, value)


def _scheme(draft: Draft, value: bytes) -> None:
    draft.scheme = _once(draft.scheme, value)


def _authority(draft: Draft, value: bytes) -> None:
    draft.authority = _once(draft.authority, value)


def _host(draft: Draft, value: bytes) -> None:
    draft.host = _once(draft.host, value)


def _priority(draft: Draft, value: bytes) -> None:
    draft.priority = listed(draft.priority, value)


def _content_length(draft: Draft, value: bytes) -> None:
    if not (value.isdigit() and len(value) <= 18):
        raise Malformed("a Content-Length that is none")
    length = int(value)
    if draft.length not in (None, length):
        raise Malformed("two lengths")
    draft.length = length


_SPECIAL: dict[bytes, _Special] = {
    b":method": _method,
    b":path": _path,
    b":scheme": _scheme,
    b":authority": _authority,
    b"host": _host,
    b"priority": _priority,
    b"content-length": _content_length,
}

_STATIC = static_table(Field)


def decoder() -> Decoder[Field]:
    """For one connection."""
    return Decoder(Field, _STATIC)


class Asked:
    """A request as its stream sees it."""

    __slots__ = ("bodiless", "entity", "incremental", "length", "plain", "reason", "request", "urgency")

    def __init__(self, draft: Draft) -> None:
        self.request = draft.request
        self.bodiless = draft.request.method is Method.HEAD
        """The answer has no content."""
        self.length = draft.length
        self.urgency, self.incremental = DEFAULT_URGENCY, False
        if draft.priority is not None:
            self.urgency, self.incremental = priority(draft.priority)
        self.entity: Entity | None = None
        """The edge's own answer, where the request does not get as far as the core; and the metric's label."""
        self.reason = ""
        self.plain: str | None = None
        """The key, of a request that depends on its path alone (`repeats.path_of`)."""


class Repeat:
    """What a request asks for that is known by its bytes: a path, and nothing else."""

    __slots__ = ("gzip", "key", "mark", "ready", "start")

    def __init__(self, start: bytes, key: str, gzip: bool) -> None:
        self.start = start
        """Of its HEADERS, up to the stream."""
        self.key = key
        self.gzip = gzip
        """It may be answered with that."""
        self.ready: Callable[[], Ready | None] = _nothing
        """How it was answered last. A weak reference: what the store forgets is not kept here."""
        self.mark: object = None
        """The edition of the store that was."""


def _nothing() -> None:
    """It was not answered yet."""


@lru_cache(MAX_REPEATS)
def repeat_of(start: bytes, key: str, *, gzip: bool) -> Repeat:
    """One for all connections."""
    return Repeat(start, key, gzip)


def read_request(fields: list[Field], *, whole: bool, header_bytes: int) -> Asked:
    """The request that `fields` are; not `whole`: some were left out, since there were too many. Raises Malformed."""
    draft = _drafted(fields)
    if not whole or len(fields) > MAX_FIELDS:
        return _refused(draft, *_too_long(draft, header_bytes))
    method = draft.method
    if method is None:
        raise Malformed("no method")
    if method == b"CONNECT":
        # Section 8.5
        if draft.authority is None or draft.path is not None or draft.scheme is not None:
            raise Malformed("CONNECT with a path or a scheme, or without an authority")
        return _refused(draft, method_not_allowed(), "method")
    if not draft.path or draft.scheme is None:
        raise Malformed("no path, or no scheme")
    _check_host(draft)
    known = METHODS.get(method)
    if known is None:
        if method in _KNOWN_METHODS:
            return _refused(draft, method_not_allowed(), "method")
        return _refused(draft, local(501, "no method that is known here"), "malformed")
    draft.request.method = known
    draft.request.target = b"/" if draft.path == b"*" and known is Method.OPTIONS else draft.path
    asked = Asked(draft)
    asked.plain = path_of(draft.request)
    return asked


def _drafted(fields: list[Field]) -> Draft:
    draft = Draft()
    request = draft.request
    regular = False
    for field in fields:
        if field.wrong:
            raise Malformed(field.wrong)
        if not field.pseudo:
            regular = True
        elif regular:
            raise Malformed("a pseudo-header field behind a field")
        if field.take is not None:
            field.take(request, field.value)
        elif field.special is not None:
            field.special(draft, field.value)
    return draft


def _check_host(draft: Draft) -> None:
    """Section 8.3.1: one host, whichever field tells it."""
    authority, host = draft.authority, draft.host
    if authority is not None and host is not None and authority.lower() != host.lower():
        raise Malformed("Host is another one than :authority")
    if HOST.fullmatch(authority or host or b"") is None:
        raise Malformed("a host that is none")


def _too_long(draft: Draft, header_bytes: int) -> tuple[Entity, str]:
    # RFC 9110 section 15.5.15, RFC 6585 section 5
    path = len(draft.path or b"") + len(b":path") + ENTRY_BYTES
    if path > header_bytes:
        return local(414, "the request line is too long"), "head"
    return local(431, "the header fields are too long"), "head"


def _refused(draft: Draft, entity: Entity, reason: str) -> Asked:
    asked = Asked(draft)
    asked.entity, asked.reason = entity, reason
    asked.bodiless = draft.method == b"HEAD"
    return asked


def check_trailers(fields: list[Field]) -> None:
    """Trailers mean nothing here, but have to be some (section 8.1). Raises Malformed."""
    for field in fields:
        if field.wrong or field.pseudo:
            raise Malformed(field.wrong or "a pseudo-header field in trailers")


def priority(value: bytes) -> tuple[int, bool]:
    """Urgency and whether it is incremental (RFC 9218 section 4); what is not understood is as by default."""
    urgency = _URGENCY.search(value)
    return int(urgency[1]) if urgency is not None else DEFAULT_URGENCY, _INCREMENTAL.search(value) is not None
