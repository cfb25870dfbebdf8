"""How often a player tries again, and when. Sans-IO.

The load policies of hls.js 1.7's default configuration: `manifestLoadPolicy`, `playlistLoadPolicy`, `fragLoadPolicy`.
Unlike hls.js, which gives a 4xx up at once where there is no other variant, a 4xx is retried like a 5xx: caches answer
404 for what is published a moment later, and a viewer that is gone measures nothing.
"""

from __future__ import annotations

from .lane import Kind

FIRST_S, LONGEST_S = 1.0, 8.0
"""Of the pauses before retries after errors; they double. Time-outs are retried at once."""

_LIMITS = {Kind.MULTIVARIANT: (1, 2), Kind.PLAYLIST: (2, 2), Kind.INIT: (6, 4), Kind.PART: (6, 4), Kind.SEGMENT: (6, 4)}
"""Most retries after errors, and after time-outs."""

TIMEOUT = "timeout"
"""What the shell calls it (`Owner.failed`)."""


def pause(kind: Kind, why: str, tries: int) -> float | None:
    """Seconds to wait before the request is sent again that failed after `tries` retries; None: give up."""
    errors, timeouts = _LIMITS[kind]
    if why == TIMEOUT:
        return 0.0 if tries < timeouts else None
    return min(FIRST_S * 2**tries, LONGEST_S) if tries < errors else None
