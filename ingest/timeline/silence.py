"""Tracks that are silent: what the passing of time alone does to a stream. Sans-IO."""

from __future__ import annotations

from .lane import VideoLane
from .model import TICKS
from .stage import AnyLane, Stage

SILENT_S = 1.0
"""Seconds of silence of one track, while others go on, before its time is listed as a hole."""
OUTAGE_S = 3.0
"""Seconds of silence of all tracks before the stream goes on as holes. Why: a network stall of less is caught up."""
BEHIND = TICKS // 2
"""Ticks that a hole stays behind the other tracks. Why: a track that comes back is usually a little behind them."""


def watch(stage: Stage, now: float, unix: float) -> None:
    """Look at all lanes; called several times a second."""
    _watch_primary(stage, now, unix)
    _watch_others(stage, now)
    stage.release_late(now)


def _watch_primary(stage: Stage, now: float, unix: float) -> None:
    """A silent primary must not stop the stream."""
    primary = stage.primary
    if primary is None or stage.drift is None:
        return
    others = [lane for lane in stage.lanes.values() if lane is not primary and _spoke(lane, now)]
    if not primary.lost:
        silence = now - (primary.arrived if primary.arrived is not None else now)
        interval = 2.5 * primary.nominal / TICKS if isinstance(primary, VideoLane) else 0.0
        if silence <= max(SILENT_S if others else OUTAGE_S, interval):
            return
        stage.lose(primary, now)
    position = stage.drift.stream_now(now)
    if others:
        position = min(position, max(lane.end for lane in others) - BEHIND)
    for lane in stage.lanes.values():
        if lane not in others:
            stage.lose(lane, now)
    stage.fill(position, now, unix)


def _watch_others(stage: Stage, now: float) -> None:
    """A track that is more than a second behind must not stop its playlist."""
    if stage.primary is None or stage.primary.lost:
        return
    for lane in stage.lanes.values():
        if lane is stage.primary or not lane.started:
            continue
        if stage.frontier - lane.end > SILENT_S * TICKS:
            stage.lose(lane, now)
            stage.hole(lane, stage.frontier - BEHIND)


def _spoke(lane: AnyLane, now: float) -> bool:
    """A lane that brings its rendition forward."""
    return lane.source is not None and lane.started and lane.arrived is not None and now - lane.arrived < SILENT_S
