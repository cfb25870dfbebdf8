"""How long an answer may be used, and by whom. Sans-IO.

RFC 9111 for what a shared cache stores; rules 146-149 where the upstream does not say. Durations are seconds.
`control` reads what the upstream says, `overrides` what the operator says.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime

from .control import MAX_LIFETIME_S, CacheControl, governing

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


class Why(enum.Enum):
    """Why an answer is for one viewer only; the value is a metric's label."""

    PRIVATE = "private"
    COOKIE = "set_cookie"
    VARY = "vary"


VARY_HARMLESS = frozenset(
    ("accept-encoding", "origin", "access-control-request-headers", "access-control-request-method")
)
"""What Vary may name: the edge asks for the identity form and compresses itself, its CORS fields are the same for every
page's origin, and preflights are its own."""


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
    why: Why | None = None
    """Why it may not be shared."""


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
    harmless: frozenset[str] = VARY_HARMLESS,
) -> Life:
    """How long the answer with `status` and fields `get(lower-case name)`, received at `unix`, may be used.

    `harmless`: names in Vary that do not tell viewers apart.
    """
    control = governing(get)
    if (why := unshared(control, get, harmless)) is not None:
        return replace(ALONE, why=why)
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


def unshared(control: CacheControl, get: Callable[[str], str | None], harmless: frozenset[str]) -> Why | None:
    """Why the answer is for one viewer only, if it is (RFC 9111 sections 3 and 4.1)."""
    if control.private:
        return Why.PRIVATE
    if get("set-cookie") is not None:
        return Why.COOKIE
    vary = get("vary")
    # What else it names is not sent upstream: the answer is the one for those who have no such field, and nobody knows
    # who has. `*` is never in `harmless`.
    if vary is not None and any(name and name not in harmless for name in map(str.strip, vary.lower().split(","))):
        return Why.VARY
    return None


def _explicit(control: CacheControl, get: Callable[[str], str | None], unix: float) -> float | None:
    """RFC 9111 section 4.2.1: s-maxage before max-age before Expires minus Date."""
    if control.s_maxage is not None:
        return control.s_maxage
    if control.max_age is not None:
        return control.max_age
    expires = get("expires")
    if expires is None or control.targeted:
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
