"""What players tell of themselves: Common Media Client Data, CTA-5004 (version 1) and CTA-5004-A (version 2). Sans-IO.

    GET /live/x/v/p1.m4s?CMCD=bl%3D2100%2Cmtp%3D25400%2Csid%3D%22...%22     one query argument, or
    CMCD-Request: bl=2100,mtp=25400   CMCD-Session: sid="..."               up to four header fields

A report says nothing about the answer: it is taken out of the target before anything else looks at it, so it is in no
cache key, no upstream request and no log. Reports come from the open internet: a report that is not well formed, or
that says what cannot be, is counted and changes nothing.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

QUERY = b"CMCD"
"""What a target has to contain before `take` is worth its time."""

MAX_BYTES = 2_048
"""Of a report, decoded. Why: every key of version 2 with its longest sensible value takes less than half of that."""
MAX_PAIRS = 64
MAX_SID_BYTES = 64
"""CTA-5004: "Maximum length is 64 characters"."""

_ARGUMENT = re.compile(rb"(?<=[?&])CMCD=([^&#]*)&?")
_KEY = rb"[A-Za-z*][A-Za-z0-9._*-]{0,63}"
_STRING = rb'"(?:[^"\\]|\\["\\])*"'
_VALUE = rb"\((?:[^()\"]|" + _STRING + rb")*\)|" + _STRING + rb'|:[A-Za-z0-9+/=]*:|[^",;=()\s]+'
_ITEM = re.compile(rb"[ \t]*(" + _KEY + rb")(?:=(" + _VALUE + rb'))?(?:;(?:[^,"]|' + _STRING + rb")*)?[ \t]*(?:,|$)")
"""A member of a dictionary (RFC 8941 section 3.2): key, value, and its parameters, which mean nothing here. Looser only
where players are: capital letters, and the unquoted words of version 1."""
_INNER = re.compile(rb"\(\s*([^\s;()]+)")
"""Version 2 gives some numbers per kind of media: `bl=(2100;v 1900;a)`. The first is the main one."""
_NUMBER = re.compile(rb"\d{1,12}(?:\.\d{1,3})?")


class Fault(enum.StrEnum):
    """Why a report was not taken; the label of the metric."""

    LENGTH = "length"
    SYNTAX = "syntax"
    VALUE = "value"


class State(enum.StrEnum):
    """CTA-5004-A `sta`, the state of the player. The value is its word in the metric."""

    STARTING = "starting"
    PLAYING = "playing"
    SEEKING = "seeking"
    REBUFFERING = "rebuffering"
    PAUSED = "paused"
    WAITING = "waiting"
    ENDED = "ended"
    FATAL = "fatal"
    QUIT = "quit"
    PRELOADING = "preloading"


_STATES = {
    b"s": State.STARTING,
    b"p": State.PLAYING,
    b"k": State.SEEKING,
    b"r": State.REBUFFERING,
    b"a": State.PAUSED,
    b"w": State.WAITING,
    b"e": State.ENDED,
    b"f": State.FATAL,
    b"q": State.QUIT,
    b"d": State.PRELOADING,
}


@dataclass(frozen=True, slots=True)
class Report:
    """What is used of a report; None: not told."""

    session: bytes | None = None
    """`sid`, as it came: never stored or logged, only hashed."""
    buffer_s: float | None = None
    """`bl`: media ahead of the playhead."""
    throughput_bps: float | None = None
    """`mtp`: as the player measured it."""
    latency_s: float | None = None
    """`ltc` (version 2): behind the live edge, at the playhead."""
    stalled: bool = False
    """`bs`: the buffer ran empty since the last request."""
    state: State | None = None


def take(target: bytes) -> tuple[bytes, bytes | None]:
    """The target without its first CMCD argument, and that argument's value, still encoded; None: there is none."""
    query = target.find(b"?")
    match = _ARGUMENT.search(target, query + 1) if query >= 0 else None
    if match is None:
        return target, None
    return (target[: match.start()] + target[match.end() :]).rstrip(b"?&"), match[1]


def gather(query: bytes | None, fields: bytes | None) -> Report | Fault:
    """The report in a query argument as it came, in header fields, or in both."""
    if query is None:
        return read(fields or b"")
    # CTA-5004 section 2.2: percent-encoded once
    if len(query) > 3 * MAX_BYTES:
        return Fault.LENGTH
    decoded = unquote_to_bytes(query)
    return read(decoded if fields is None else b"%b,%b" % (fields, decoded))


def read(report: bytes) -> Report | Fault:
    """The report as it stands in header fields (joined with commas), or in the decoded query argument."""
    if len(report) > MAX_BYTES:
        return Fault.LENGTH
    found: dict[str, object] = {}
    at = pairs = 0
    while at < len(report):
        item = _ITEM.match(report, at)
        pairs += 1
        if item is None or pairs > MAX_PAIRS:
            return Fault.SYNTAX
        at = item.end()
        known = _KEYS.get(item[1])
        if known is None:
            continue
        name, convert = known
        value = convert(item[2])
        if value is None:
            return Fault.VALUE
        found[name] = value
    return Report(**found)  # type: ignore[arg-type]  # each converter gives what its field holds


def _amount(scale: float, most: float) -> Callable[[bytes | None], float | None]:
    """A number times `scale`; None when it is none, or larger than `most` (after scaling) and thus a lie."""

    def convert(value: bytes | None) -> float | None:
        if value is not None and value.startswith(b"("):
            inner = _INNER.match(value)
            value = inner[1] if inner is not None else None
        if value is None or _NUMBER.fullmatch(value) is None:
            return None
        amount = float(value) * scale
        return amount if amount <= most else None

    return convert


def _flag(value: bytes | None) -> bool | None:
    """RFC 8941 section 3.3.6; version 1 also writes `true` and `false`."""
    return {None: True, b"?1": True, b"?0": False, b"true": True, b"false": False}.get(value)


def _session(value: bytes | None) -> bytes | None:
    if value is None or not value.startswith(b'"') or not 2 < len(value) <= MAX_SID_BYTES + 2:
        return None
    return value[1:-1]


def _state(value: bytes | None) -> State | None:
    return _STATES.get(value.strip(b'"')) if value is not None else None


_KEYS: dict[bytes, tuple[str, Callable[[bytes | None], object | None]]] = {
    b"sid": ("session", _session),
    b"bl": ("buffer_s", _amount(0.001, 3_600)),
    b"mtp": ("throughput_bps", _amount(1_000, 1e11)),
    b"ltc": ("latency_s", _amount(0.001, 86_400)),
    b"bs": ("stalled", _flag),
    b"sta": ("state", _state),
}
"""Key -> field of `Report` and converter. Upper bounds: an hour of buffer, 100 Gbit/s, a day of latency."""
