"""Request fields that mean something here, whatever carried them. Sans-IO."""

from __future__ import annotations

import re
from collections.abc import Callable

from .entities import local
from .message import Entity, Method, Request

Take = Callable[[Request, bytes], None]
"""Puts the value of a field into the request."""

MAX_FIELDS = 128
"""Header fields of one request; above it 431. Why: browsers send about fifteen."""
MAX_BODY_BYTES = 64 << 10
"""Of a request body, which is read and dropped: no method here has a use for one."""
METHODS = {method.value.encode(): method for method in Method}
"""Those that the edge answers, as they are written."""
HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")
"""What may stand in Host, or in its place."""

MAX_REMEMBERED = 512
"""Accept-Encoding values whose meaning is remembered."""

_ENCODINGS: dict[bytes, bool] = {}


def accepts_gzip(value: str) -> bool:
    """Whether an Accept-Encoding field allows gzip (RFC 9110 section 12.5.3)."""
    star = False
    for item in value.lower().split(","):
        coding, _, parameters = item.partition(";")
        coding = coding.strip()
        allowed = _weight(parameters) > 0
        if coding in ("gzip", "x-gzip"):
            return allowed
        if coding == "*":
            star = allowed
    return star


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def body_too_large() -> Entity:
    """The answer to a request with more than `MAX_BODY_BYTES` of content."""
    return local(413, "no request here has a use for a body of this size")


def again(known: Request, target: bytes) -> Request:
    """A request for `target` with the fields of `known`, which stays as it is."""
    return Request(
        known.method,
        target,
        known.gzip,
        known.range,
        known.if_range,
        known.if_none_match,
        known.if_modified_since,
        agent=known.agent,
        accept_encoding=known.accept_encoding,
        cmcd=known.cmcd,
        loop=known.loop,
        x_forwarded_for=known.x_forwarded_for,
        forwarded=known.forwarded,
    )


def _accept_encoding(request: Request, value: bytes) -> None:
    value = request.accept_encoding = listed(request.accept_encoding, value)
    known = _ENCODINGS.get(value)
    if known is None:
        known = accepts_gzip(value.decode("latin-1"))
        if len(_ENCODINGS) < MAX_REMEMBERED and len(value) < 128:
            _ENCODINGS[value] = known
    request.gzip = known


def _range(request: Request, value: bytes) -> None:
    request.range = value.decode("latin-1")


def _loop(request: Request, value: bytes) -> None:
    request.loop += (", " if request.loop else "") + value.decode("latin-1")


def _if_range(request: Request, value: bytes) -> None:
    request.if_range = value.decode("latin-1")


def _if_none_match(request: Request, value: bytes) -> None:
    before, text = request.if_none_match, value.decode("latin-1")
    request.if_none_match = text if before is None else f"{before}, {text}"


def _if_modified_since(request: Request, value: bytes) -> None:
    request.if_modified_since = value.decode("latin-1")


def _user_agent(request: Request, value: bytes) -> None:
    request.agent = value


def listed(before: bytes | None, value: bytes) -> bytes:
    """The list that several fields of one name are (RFC 9110 section 5.3)."""
    return value if before is None else b"%b,%b" % (before, value)


def _cmcd(request: Request, value: bytes) -> None:
    request.cmcd = listed(request.cmcd, value)


def _x_forwarded_for(request: Request, value: bytes) -> None:
    request.x_forwarded_for = listed(request.x_forwarded_for, value)


def _forwarded(request: Request, value: bytes) -> None:
    request.forwarded = listed(request.forwarded, value)


TAKES: dict[bytes, Take] = {
    b"accept-encoding": _accept_encoding,
    b"cdn-loop": _loop,
    b"range": _range,
    b"if-range": _if_range,
    b"if-none-match": _if_none_match,
    b"if-modified-since": _if_modified_since,
    b"x-forwarded-for": _x_forwarded_for,
    b"forwarded": _forwarded,
    b"user-agent": _user_agent,
    b"cmcd-object": _cmcd,
    b"cmcd-request": _cmcd,
    b"cmcd-session": _cmcd,
    b"cmcd-status": _cmcd,
}
"""By name, in lower case."""
