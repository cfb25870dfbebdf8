"""Where source time meets stream time: the first packet of a lane, and a clock that jumped. Sans-IO."""

from __future__ import annotations

from .advice import Adviser
from .lane import VideoLane
from .model import TICKS
from .output import Output
from .stage import AnyLane, Stage

BASES_S = 10
"""Seconds between the times of two tracks above which they do not share a clock."""
IN_STEP = TICKS // 4
"""Ticks that a lane may step back to be in step with another one again."""


def anchor(stage: Stage, adviser: Adviser, lane: AnyLane, source: int, now: float) -> int:
    """The anchor of a lane whose first packet came: the primary's, unless their clocks are unrelated."""
    assert stage.drift is not None
    here = stage.drift.stream_now(now)
    shared = next((other.anchor for other in _anchored(stage, lane)), None)
    if shared is not None and abs(source + shared - here) <= BASES_S * TICKS:
        return shared
    adviser.bases(now, lane.rendition)
    return max(lane.end, here) - source


def rebase(stage: Stage, output: Output, adviser: Adviser, lane: AnyLane, source: int, now: float) -> int:
    """The new anchor of a lane whose clock jumped: it goes on where it is, in step with one that jumped before it."""
    assert stage.drift is not None
    output.counters.jumps += 1
    adviser.jump(now, lane.rendition)
    shift = (lane.shift or 0) if isinstance(lane, VideoLane) else 0
    here = stage.drift.stream_now(now)
    base = here if here > lane.end + TICKS // 2 else lane.end
    for other in _anchored(stage, lane):
        if other.anchor is None:
            continue
        position = source + shift + other.anchor
        # Also when the other one took the same step for a hole.
        if -IN_STEP <= position - base <= TICKS or (position > base and abs(position - other.at) <= TICKS):
            # The same jump: it was marked when the other lane made it.
            return other.anchor
    stage.marked = True
    return base - source - shift


def reference(stage: Stage) -> int:
    """A recent raw value of the publisher's clock."""
    return next((lane.source.ticks for lane in stage.lanes.values() if lane.source is not None), 0)


def _anchored(stage: Stage, lane: AnyLane) -> list[AnyLane]:
    """Other lanes of the publisher whose anchor is known, the primary first."""
    lanes = [
        other
        for other in stage.lanes.values()
        if other is not lane and other.source is not None and other.anchor is not None
    ]
    return sorted(lanes, key=lambda other: other is not stage.primary)
