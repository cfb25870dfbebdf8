"""Delivery directives: `_HLS_msn`, `_HLS_part`, `_HLS_skip`, and what to do with a request that has them.

The one piece of code that decides between answering, holding and refusing a playlist request, for the
origin and for every edge. Sans-IO. Rules 80-101 and 251 of the checklist;
draft-pantos-hls-rfc8216bis-22, section 6.2.5.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from dataclasses import dataclass

MAX_DIGITS = 20
"""Digits of a decimal-integer that fits 64 bits (section 4.2: 0 to 2^64-1)."""

MAX_PARTS = 1_000
"""More parts than any segment has (20 s of 200 ms parts: 100). Later indexes wait for the same event as this one,
the end of their parent, so they count as this one: what can be waited for is bounded, whatever is asked."""


class Skip(enum.Enum):
    """`_HLS_skip`: whether a delta update was asked for."""

    NO = ""
    YES = "YES"
    V2 = "v2"


@dataclass(frozen=True, slots=True)
class Directives:
    """The directives of one request. `part` is never set without `msn`."""

    msn: int | None = None
    part: int | None = None
    skip: Skip = Skip.NO


@dataclass(frozen=True, slots=True)
class Position:
    """Where a playlist stands."""

    last_msn: int
    """MSN of the last complete segment (LM)."""
    last_part_count: int
    """How many parts segment LM has; 0 when it has none or it is not known."""
    open_parts: int
    """Parts listed of the open parent LM+1."""
    target_duration: int
    """Seconds."""
    part_target: float | None
    """Seconds; None: the stream has no parts."""
    ended: bool
    can_skip: bool

    @property
    def order(self) -> tuple[int, int]:
        """Later versions are greater: last MSN, parts of the open segment."""
        return self.last_msn, self.open_parts


@dataclass(frozen=True, slots=True)
class Serve:
    """Answer now with the current playlist; `delta` when a delta update was asked for and may be given."""

    delta: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Hold until part (`msn`, `part`), or any later one, is listed; `part` None: until segment `msn` is complete.

    The pair is canonical: requests that are answered together have the same pair.
    """

    msn: int
    part: int | None
    timeout_s: float
    """Answer 503 after this many seconds (6.2.5.2: three target durations)."""
    delta: bool


@dataclass(frozen=True, slots=True)
class Reject:
    """Answer with an error status at once."""

    status: int
    reason: str


Decision = Serve | Wait | Reject


def parse(query: Iterable[tuple[str, str]]) -> Directives | Reject:
    """Read the directives out of decoded query pairs; other names, also unknown `_HLS_*` ones, are ignored."""
    seen: dict[str, str] = {}
    for name, value in query:
        if name not in ("_HLS_msn", "_HLS_part", "_HLS_skip"):
            continue
        if seen.setdefault(name, value) != value:
            return Reject(400, f"{name} is given twice with different values")
    msn = _decimal(seen, "_HLS_msn")
    part = _decimal(seen, "_HLS_part")
    if isinstance(msn, Reject):
        return msn
    if isinstance(part, Reject):
        return part
    # 6.2.5.2: "_HLS_part ... MUST be accompanied by _HLS_msn"
    if part is not None and msn is None:
        return Reject(400, "_HLS_part without _HLS_msn")
    return Directives(msn, part, _skip(seen.get("_HLS_skip", "")))


def query(msn: int | None, part: int | None) -> str:
    """What asks for (`msn`, `part`) in a URL, without a `?`; empty without `msn`."""
    return "" if msn is None else f"_HLS_msn={msn}" + ("" if part is None else f"&_HLS_part={part}")


def _decimal(seen: dict[str, str], name: str) -> int | Reject | None:
    text = seen.get(name)
    if text is None:
        return None
    # 4.2 decimal-integer: digits only, 0 to 2^64-1
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS) or int(text) >= 1 << 64:
        return Reject(400, f"{name} is not a decimal integer")
    return int(text)


def _skip(text: str) -> Skip:
    # Rule 108: values that are not known ask for nothing.
    return {"YES": Skip.YES, "v2": Skip.V2}.get(text, Skip.NO)


def decide(ask: Directives, at: Position, *, held: bool = False) -> Decision:
    """Serve, hold or refuse a playlist request, given where the playlist stands.

    `held`: it was held at an earlier position. The Advance Part Limit is of requests that arrive: one for the segment
    after the open one passes it, and is not refused for good because that segment is the open one now (rule 88).
    """
    # 6.2.5.1: no delta of a playlist without CAN-SKIP-UNTIL, or with ENDLIST
    delta = ask.skip is not Skip.NO and at.can_skip and not at.ended
    # 6.2.5.2: with EXT-X-ENDLIST the blocking directives are ignored
    if ask.msn is None or at.ended:
        return Serve(delta)
    msn, part = _canonical(ask.msn, ask.part, at)
    if _listed(msn, part, at):
        return Serve(delta)
    # 6.2.5.2: "_HLS_msn greater than the MSN of the last Media Segment plus two ... SHOULD return 400" (rule 251)
    if msn > at.last_msn + 2:
        return Reject(400, f"_HLS_msn {ask.msn} is more than two past the last segment {at.last_msn}")
    # 6.2.5.2: a part beyond the last one by more than the Advance Part Limit; only in the open parent,
    # where the distance is known
    too_far = part is not None and msn == at.last_msn + 1 and part - (at.open_parts - 1) > _advance_part_limit(at)
    if too_far and not held:
        return Reject(400, f"_HLS_part {ask.part} is past the Advance Part Limit")
    return Wait(msn, part, 3.0 * at.target_duration, delta)


def _canonical(msn: int, part: int | None, at: Position) -> tuple[int, int | None]:
    """The pair that is really waited for."""
    if part is None or at.part_target is None:  # rule 94: no parts, so msn only
        return msn, None
    # 6.2.5.2: a part index past the end of a complete parent means part 0 of the next one
    if msn == at.last_msn and part >= at.last_part_count > 0:
        return msn + 1, 0
    return msn, min(part, MAX_PARTS)


def _listed(msn: int, part: int | None, at: Position) -> bool:
    if msn <= at.last_msn:
        return True
    return part is not None and msn == at.last_msn + 1 and part < at.open_parts


def _advance_part_limit(at: Position) -> int:
    """6.2.5.2: three, or three divided by the Part Target Duration when that is below one second."""
    if at.part_target is None or at.part_target >= 1:
        return 3
    # rounded first: 3 / 0.333333 is meant to be 9, not 10
    return math.ceil(round(3 / at.part_target, 2))
