"""Tracks that are silent: what the passing of time alone does to a stream. Sans-IO."""

from __future__ import annotations

from .lane import VideoLane
from .model import TICKS
from .stage import AnyLane, Stage

SILENT_S = 1.0
"""Seconds of silence of one track, while others go on, before its time is listed as a hole."""
OUTAGE_S = 3.0
"""Seconds of silence of all tracks before the stream goes on as holes. Why: a network stall of less is caught up."""
MOST_LATE_S = 3.0
"""Seconds that a track which sends may be behind the primary before its time is listed as a hole. Why: late sound is
better than none."""
CATCH_UP_S = 2.0
"""Seconds that a primary which is back may be behind the other tracks while they wait for it."""
STEADY_S = 0.5
"""Seconds that a track must have gone on without another one before that one is taken as silent. Why: after a stall of
the network they come back one after the other."""
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
    others = [lane for lane in stage.lanes.values() if lane is not primary and _goes_on(lane, primary, now)]
    if not primary.lost:
        silence = now - primary.placed
        interval = 2.5 * primary.nominal / TICKS if isinstance(primary, VideoLane) else 0.0
        if silence <= max(SILENT_S if others else OUTAGE_S, interval):
            return
        stage.lose(primary, now)
    position = stage.drift.stream_now(now)
    if others:
        position = min(position, max(lane.end for lane in others) - BEHIND)
    if _sends(primary, now) and (not others or position - primary.at <= CATCH_UP_S * TICKS):
        # It is back but has no place yet: a hole that grew with the clock could run away from it for ever.
        position = min(position, primary.at)
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
        behind = stage.frontier - lane.end
        if behind <= SILENT_S * TICKS:
            continue
        if behind > MOST_LATE_S * TICKS or _outlasts(stage.primary, lane.arrived or 0.0):
            stage.lose(lane, now)
            stage.hole(lane, stage.whole_parts(stage.frontier - BEHIND))


def _goes_on(lane: AnyLane, primary: AnyLane, now: float) -> bool:
    """Whether a lane still brings its rendition forward, and does so without the primary."""
    return lane.started and _sends(lane, now) and (primary.lost or _outlasts(lane, primary.placed))


def _outlasts(lane: AnyLane, since: float) -> bool:
    """Whether a lane has gone on steadily since another one did so last.

    In a stall of the network every lane has a last packet; that one came a little after another means nothing.
    """
    return lane.arrived is not None and lane.arrived - max(since, lane.resumed) > STEADY_S


def _sends(lane: AnyLane, now: float) -> bool:
    """Whether packets of a lane come, with or without a place."""
    return lane.source is not None and lane.arrived is not None and now - lane.arrived < SILENT_S
