"""What a response says about caching it: Cache-Control, and the fields for caches like this one. Sans-IO.

RFC 9213: the first of the targeted fields that is valid stands for Cache-Control and Expires here. CDN-Cache-Control is
a structured field (RFC 8941) and goes on to caches after us; Surrogate-Control (W3C Edge Architecture, 2001) is looser,
is ours alone and is taken off the answer. Durations are seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

MAX_LIFETIME_S = 365 * 86_400.0
"""RFC 9111 section 1.2.2 lets a cache cap delta-seconds; a year is the longest that senders may mean."""

LIFETIME_FIELDS = ("cache-control", "expires", "cdn-cache-control", "surrogate-control")
"""Whichever of them a 304 has says anew how long what is stored may be used."""

_KEY = r"[a-z*][a-z0-9_.*-]*"
_STRING = r'"(?:[^"\\\x00-\x1f\x7f-\uffff]|\\["\\])*"'
_WORD = r"[A-Za-z*][!#$%&'*+.^_`|~A-Za-z0-9:/-]*"
_BARE = rf"(?:-?[0-9]{{1,12}}\.[0-9]{{1,3}}|-?[0-9]{{1,15}}|{_STRING}|{_WORD}|:[A-Za-z0-9+/=]*:|\?[01])"
_PARAMETERS = rf"(?:; *{_KEY}(?:={_BARE})?)*"
_ITEMS = rf"\( *(?:{_BARE}{_PARAMETERS}(?: +{_BARE}{_PARAMETERS})*)? *\)"
_MEMBER = re.compile(rf"(?P<key>{_KEY})(?:=(?P<value>{_BARE}|{_ITEMS}))?{_PARAMETERS}")
_COMMA = re.compile(r"[ \t]*,[ \t]*")
_WHOLE = re.compile(r"[0-9]{1,15}")

MAX_MEMBERS = 64
"""Directives of one targeted field. Why: there are about twenty in the registry."""


@dataclass(frozen=True, slots=True)
class CacheControl:
    """The directives that a shared cache obeys (RFC 9111 section 5.2.2)."""

    max_age: float | None = None
    s_maxage: float | None = None
    no_store: bool = False
    no_cache: bool = False
    private: bool = False
    must_revalidate: bool = False
    stale_if_error: float = 0.0
    present: bool = False
    targeted: bool = False
    """It is meant for caches like this one: Expires does not count beside it (RFC 9213 section 2.2)."""


def governing(get: Callable[[str], str | None]) -> CacheControl:
    """What holds for this cache, of an answer with the fields `get(lower-case name)`."""
    for name, read in (("cdn-cache-control", read_targeted), ("surrogate-control", read_surrogate)):
        text = get(name)
        if text is not None and (control := read(text)) is not None:
            return control
    return read_cache_control(get("cache-control"))


def read_cache_control(text: str | None) -> CacheControl:
    """Parse Cache-Control. What is malformed counts as absent, a malformed age as 0 (section 4.2.1)."""
    if not text:
        return CacheControl()
    seen: dict[str, str] = {}
    for item in _split(text):
        name, _, value = item.partition("=")
        seen.setdefault(name.strip().lower(), value.strip().strip('"'))
    return _of(seen, targeted=False)


def read_targeted(text: str) -> CacheControl | None:
    """Parse a targeted field; None when it is empty or malformed, for then it counts as absent (RFC 9213, 2.1)."""
    seen: dict[str, str] = {}
    at, end = len(text) - len(text.lstrip(" ")), len(text.rstrip(" "))
    for _ in range(MAX_MEMBERS):
        member = _MEMBER.match(text, at, end)
        if member is None:
            return None
        value = member["value"]
        if member["key"] in ("max-age", "s-maxage", "stale-if-error") and not _WHOLE.fullmatch(value or ""):
            seen.pop(member["key"], None)  # of another type than the directive has: it is ignored, the field is not
        elif value != "?0":  # RFC 8941 section 3.2: `name` is `name=?1`
            seen[member["key"]] = value or ""  # the last one of a name counts
        at = member.end()
        if at == end:
            return _of(seen, targeted=True)
        comma = _COMMA.match(text, at, end)
        if comma is None:
            return None
        at = comma.end()
    return None


def read_surrogate(text: str) -> CacheControl | None:
    """Parse Surrogate-Control; None when nothing in it is for this cache.

    `max-age=600+30` is 600 s, and 30 s more while the origin fails; `;NAME` after a directive means another surrogate
    than this; `content` asks for processing that is not done here.
    """
    seen: dict[str, str] = {}
    for item in _split(text):
        if ";" in item:
            continue
        name, _, value = item.partition("=")
        name, value = name.strip().lower(), value.strip().strip('"')
        if name == "max-age":
            value, plus, extra = value.partition("+")
            if plus and extra.isascii() and extra.isdigit():
                seen.setdefault("stale-if-error", extra)
        # Not to be kept by a surrogate far from the origin: nobody can tell how far this one is.
        if name == "no-store-remote":
            name = "no-store"
        if name in ("max-age", "no-store", "no-cache", "private", "stale-if-error", "must-revalidate"):
            seen.setdefault(name, value)
    return _of(seen, targeted=True) if seen else None


def _of(seen: dict[str, str], *, targeted: bool) -> CacheControl:
    return CacheControl(
        max_age=_seconds(seen.get("max-age")),
        s_maxage=_seconds(seen.get("s-maxage")),
        no_store="no-store" in seen,
        # Section 5.2.2.4: `no-cache="field"` limits fields only, but treating it as unqualified is always safe.
        no_cache="no-cache" in seen,
        private="private" in seen,
        # Section 5.2.2.10 gives s-maxage this meaning too; rule 163 is narrower and keeps viewers through a restart.
        must_revalidate=bool(seen.keys() & {"must-revalidate", "proxy-revalidate"}),
        stale_if_error=_seconds(seen.get("stale-if-error")) or 0.0,
        present=True,
        targeted=targeted,
    )


def _split(text: str) -> list[str]:
    """At commas outside of quotes."""
    parts = []
    quoted = False
    start = 0
    for index, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif char == "," and not quoted:
            parts.append(text[start:index])
            start = index + 1
    parts.append(text[start:])
    return parts


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    # Section 4.2.1: an invalid lifetime is treated as stale.
    if not (text.isascii() and text.isdigit()):
        return 0.0
    return MAX_LIFETIME_S if len(text) > 9 else min(float(text), MAX_LIFETIME_S)
