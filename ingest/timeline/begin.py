"""What is fixed when a stream begins: its numbers, its first position, its PART-TARGET. Sans-IO."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from headwater.ingest.media import TrackId

from .advice import Adviser
from .lane import AudioLane, VideoLane
from .model import TICKS, Epoch, TimelineSettings
from .parttarget import LONGEST_MS, Frames, choose, fits, rounded
from .rates import measure
from .start import Gather

LEAST_HOLE_S = 0.5
"""Seconds that a restart takes at least. Why: the discontinuity after it belongs to a segment that is not the first."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a stream begins."""

    msn: int
    discontinuity_sequence: int
    target_duration_s: int
    position: int
    """Of the first media, 90 kHz ticks."""
    offset_us: int
    """Date minus stream time there, microseconds."""
    hole_from: int | None
    """Where the hole since an earlier life begins; None: there is none."""


def first_start(settings: TimelineSettings, epoch: Epoch | None, unix: float) -> Beginning:
    """The beginning of a stream whose first keyframe arrived at `unix` seconds.

    Without an earlier life, stream time is Unix time and numbers start at the Unix second, which is above
    those of any earlier life: segments are longer than a second. Discontinuities start at 0, because a
    number of Unix size hangs hls.js.
    """
    here = int(unix * TICKS)
    target_s = max(settings.target_duration_s, math.ceil(settings.segment_s))
    if epoch is None:
        return Beginning(int(unix), 0, target_s, here, 0, None)
    if epoch.ended:
        position = max(here, epoch.end)
        return Beginning(
            epoch.next_msn, epoch.discontinuity_sequence + 1, target_s, position, _offset(unix, position), None
        )
    missing = unix - epoch.date_us / 1_000_000 - settings.segment_s
    hole = int(min(settings.window_s, max(LEAST_HOLE_S, missing)) * TICKS)
    position = max(here, epoch.end + hole)
    return Beginning(
        epoch.next_msn,
        epoch.discontinuity_sequence,
        epoch.target_duration_s,
        position,
        _offset(unix, position),
        position - hole,
    )


def _offset(unix: float, position: int) -> int:
    """The date offset with which `position` is dated `unix`, microseconds."""
    return round(unix * 1_000_000) - position * 100 // 9


def measure_rates(
    gather: Gather, lanes: Mapping[TrackId, VideoLane | AudioLane]
) -> list[tuple[VideoLane | AudioLane, Frames]]:
    """Measure the tracks of a publisher from its first packets; their frames, as far as they are known."""
    frames: list[tuple[VideoLane | AudioLane, Frames]] = []
    for track in gather.tracks.values():
        lane = lanes[track.id]
        if isinstance(lane, VideoLane):
            lane.rate = measure(gather.times(track.id), track.clock.rate, track.frame_rate)
            if lane.rate:
                frames.append((lane, rounded(Fraction(1) / lane.rate, track.clock.rate)))
            continue
        for packet in gather.packets:
            if packet.track == track.id:
                lane.see(packet)
                break
        frames.append((lane, Frames(lane.frame_s)))
    return frames


def choose_part_target(
    settings: TimelineSettings,
    epoch: Epoch | None,
    frames: list[tuple[VideoLane | AudioLane, Frames]],
    adviser: Adviser,
    now: float,
) -> int:
    """PART-TARGET of a stream, milliseconds: that of its earlier life, else what fits all its tracks."""
    if epoch is not None and not epoch.ended:
        kept = epoch.part_target_us // 1_000
        for lane, each in frames:
            if not fits(kept, each):
                adviser.part_misfit(now, lane.rendition, kept)
        return kept
    wanted = settings.part_target_ms
    chosen = choose(wanted, [each for _, each in frames]) or max(wanted, LONGEST_MS)
    if chosen > wanted:
        adviser.part_target(now, wanted, chosen)
    return chosen
