"""How long an answer may be used, and by whom. Sans-IO.

RFC 9111 for what a shared cache stores; rules 146-149 where the upstream does not say. Durations are seconds.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

MAX_LIFETIME_S = 365 * 86_400.0
"""RFC 9111 section 1.2.2 lets a cache cap delta-seconds; a year is the longest that senders may mean."""

NEGATIVE_UNKNOWN_S = 0.5
"""For a 404 when no part target is known: the default part target (rule 149: at most one)."""

PRIVATE_MARK_S = 10.0
"""How long a URL whose answers may not be shared is not queued for (hit-for-miss)."""

_CACHED_STATUS = frozenset((200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501))
"""RFC 9110 section 15.1: heuristically cacheable. 206 is never asked for upstream."""


class Shape(enum.Enum):
    """What an object is, as far as rules 146-149 tell them apart."""

    PLAYLIST = "playlist"
    """A playlist, asked without directives."""
    BLOCKING = "blocking"
    """A playlist, asked with `_HLS_msn`."""
    PENDING = "pending"
    """A name that may still be published: hinted, or not known to us."""
    LISTED = "listed"
    """A segment, part or init section that a playlist listed."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class CacheControl:
    """The directives of one Cache-Control field that a shared cache obeys (RFC 9111 section 5.2.2)."""

    max_age: float | None = None
    s_maxage: float | None = None
    no_store: bool = False
    no_cache: bool = False
    private: bool = False
    must_revalidate: bool = False
    stale_if_error: float = 0.0
    present: bool = False


def read_cache_control(text: str | None) -> CacheControl:
    """Parse Cache-Control. What is malformed counts as absent, a malformed age as 0 (section 4.2.1)."""
    if not text:
        return CacheControl()
    seen: dict[str, str] = {}
    for item in _split(text):
        name, _, value = item.partition("=")
        seen.setdefault(name.strip().lower(), value.strip().strip('"'))
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


@dataclass(frozen=True, slots=True)
class Life:
    """The verdict on one answer."""

    share: bool
    """False: for one viewer only; others must ask for themselves (hit-for-miss)."""
    lifetime: float
    """Seconds of freshness, counted as Age is; 0: not fresh, kept at most for revalidation."""
    keep: bool
    """May be stored at all."""
    usable: float = 0.0
    """Age up to which it may be served while the upstream fails; at least `lifetime`."""


ALONE = Life(share=False, lifetime=0.0, keep=False)
ONCE = Life(share=True, lifetime=0.0, keep=False)
"""For those who wait for it now, and not kept."""


def judge(
    status: int,
    get: Callable[[str], str | None],
    shape: Shape,
    unix: float,
    *,
    target_duration: float | None = None,
    part_target: float | None = None,
) -> Life:
    """How long the answer with `status` and fields `get(lower-case name)`, received at `unix`, may be used."""
    control = read_cache_control(get("cache-control"))
    # Section 3: private answers, and such as set a cookie, are for one viewer. Vary: * matches nothing (4.1).
    if control.private or get("set-cookie") is not None or "*" in (get("vary") or ""):
        return ALONE
    if status >= 400:
        return _negative(status, control, shape, target_duration, part_target)
    if control.no_store or status not in _CACHED_STATUS:
        return ONCE
    lifetime = _explicit(control, get, unix)
    if lifetime is None:
        lifetime = default_lifetime(shape, target_duration)
    if control.no_cache:
        lifetime = 0.0
    return Life(share=True, lifetime=lifetime, keep=True, usable=_usable(lifetime, control, shape, target_duration))


def _explicit(control: CacheControl, get: Callable[[str], str | None], unix: float) -> float | None:
    """RFC 9111 section 4.2.1: s-maxage before max-age before Expires minus Date."""
    if control.s_maxage is not None:
        return control.s_maxage
    if control.max_age is not None:
        return control.max_age
    expires = get("expires")
    if expires is None:
        return None
    until = http_date(expires)
    if until is None:  # section 5.3: invalid dates, 0 in particular, are in the past
        return 0.0
    since = http_date(get("date") or "")
    return min(max(0.0, until - (unix if since is None else since)), MAX_LIFETIME_S)


def default_lifetime(shape: Shape, target_duration: float | None) -> float:
    """Rule 146: what a 200 without a stated lifetime gets. 0 for objects that no playlist speaks of."""
    duration = target_duration or 0.0
    match shape:
        case Shape.PLAYLIST:
            return duration / 2
        case Shape.BLOCKING | Shape.LISTED:
            return 6 * duration
        case _:
            return 0.0


def _negative(
    status: int, control: CacheControl, shape: Shape, target_duration: float | None, part_target: float | None
) -> Life:
    # Rule 148: "too far ahead" and time-outs become valid soon; 401, 403 and 429 are about the asker.
    if status not in (404, 405, 410, 414, 501) or control.no_store:
        return ONCE
    duration = target_duration or 1.0
    match shape:
        case Shape.BLOCKING:  # rule 147
            limit = 4 * duration
        case Shape.PLAYLIST | Shape.LISTED:
            limit = duration
        case _:  # rule 149
            limit = part_target or NEGATIVE_UNKNOWN_S
    stated = control.s_maxage if control.s_maxage is not None else control.max_age
    if control.no_cache:
        stated = 0.0
    return Life(share=True, lifetime=limit if stated is None else min(stated, limit), keep=True)


def _usable(lifetime: float, control: CacheControl, shape: Shape, target_duration: float | None) -> float:
    match shape:
        case Shape.LISTED:  # rule 163: names are never reused, so old bytes are right bytes
            return MAX_LIFETIME_S
        case Shape.PLAYLIST:  # rule 163: at most three target durations old
            return 0.0 if control.must_revalidate else 3 * (target_duration or 0.0)
        case Shape.BLOCKING:
            return lifetime
        case _:
            return lifetime + control.stale_if_error


def http_date(text: str) -> float | None:
    """An HTTP-date (RFC 9110 section 5.6.7) as Unix seconds; None when it is none."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
