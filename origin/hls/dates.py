"""EXT-X-PROGRAM-DATE-TIME as Unix microseconds and back. Sans-IO.

Source: ISO 8601 as draft-pantos-hls-rfc8216bis-22, section 4.4.4.6, uses it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from .attributes import PlaylistError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d):(\d\d)(?:[.,](\d{1,12}))?(?:Z|([+-])(\d\d):?(\d\d)?)?\Z", re.ASCII
)


def write(unix_us: int) -> str:
    """ISO 8601 in UTC, to the millisecond (rule 113)."""
    at = _EPOCH + timedelta(milliseconds=(unix_us + 500) // 1000)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def read(text: str) -> int:
    """Unix microseconds. A date without a zone is taken as UTC. Raises PlaylistError."""
    match = _DATE.match(text)
    if match is None:
        raise PlaylistError(f"bad date {text[:40]!r}")
    day, minute, second, fraction, sign, zone_hours, zone_minutes = match.groups()
    try:
        at = datetime.fromisoformat(f"{day}T{minute}:00+00:00")
        offset = timedelta(hours=int(zone_hours or 0), minutes=int(zone_minutes or 0))
        # `timezone` refuses offsets of a day and more.
        at = at.replace(tzinfo=timezone(-offset if sign == "-" else offset))
        # 60 is a leap second: the same as the next minute's start.
        if int(second) > 60:
            raise ValueError(second)
        since = at - _EPOCH
    except (ValueError, OverflowError):
        raise PlaylistError(f"bad date {text[:40]!r}") from None
    micro = int((fraction or "")[:6].ljust(6, "0"))
    return (since.days * 86_400 + since.seconds + int(second)) * 1_000_000 + micro
