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
    others = [lane for lane in stage.lanes.values() if lane is not primary and _goes_on(lane, primary, now)]
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
            stage.hole(lane, stage.whole_parts(stage.frontier - BEHIND))


def _goes_on(lane: AnyLane, primary: AnyLane, now: float) -> bool:
    """Whether a lane still brings its rendition forward, and did so well after the primary's last packet.

    In a stall of the network every lane has a last packet; that one came a little after another means nothing.
    """
    if lane.source is None or not lane.started or lane.arrived is None or now - lane.arrived >= SILENT_S:
        return False
    return primary.lost or primary.arrived is None or lane.arrived - primary.arrived > SILENT_S / 2
