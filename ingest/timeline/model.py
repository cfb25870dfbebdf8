"""What goes into a timeline besides packets, and what comes out besides events. Sans-IO."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from headwater.ingest.media import VIDEO_TIMESCALE

TICKS = VIDEO_TIMESCALE
"""Ticks per second of every position in this package."""


@dataclass(frozen=True, slots=True)
class TimelineSettings:
    """The part of the settings that a timeline needs; see `config.settings` for the reasons of the defaults."""

    part_target_ms: int = 520
    """Least PART-TARGET, milliseconds."""
    segment_s: float = 2.0
    """Aim of a segment's duration, seconds."""
    target_duration_s: int = 4
    """EXT-X-TARGETDURATION, whole seconds."""
    window_s: float = 60.0
    """Longest hole that a restart lists, seconds."""
    late_track_ms: int = 500
    """Longest wait for a track that is behind or not there yet, milliseconds of wall time."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What a later timeline of the same name needs to go on without using a number or a name twice.

    A saved epoch may be older than the last event by less than one segment: `next_msn` is above every
    MSN, and `end` above every stream time, that can be published before the next `Cut`.
    """

    next_msn: int
    discontinuity_sequence: int
    """Of a segment that would follow now."""
    end: int
    """Position, 90 kHz ticks: an upper bound of what has been published."""
    date_us: int
    """Unix microseconds at which the last segment started."""
    target_duration_s: int
    part_target_us: int
    ended: bool = False
    """True: the stream said its end, so the time since then is not a hole of it."""
    late_us: int = 0
    """`StreamStarted.late_us`."""


class AdviceKind(enum.StrEnum):
    """What a timeline can have to say to the broadcaster."""

    PART_TARGET = "part_target"
    LONG_GOP = "long_gop"
    NO_KEYFRAME = "no_keyframe"
    JUMP = "jump"
    FROZEN = "frozen"
    GAP = "gap"
    LATE_TRACK = "late_track"
    OVERLAP = "overlap"
    AHEAD = "ahead"
    OVERFLOW = "overflow"


@dataclass(frozen=True, slots=True)
class Advice:
    """One warning in plain words: what happens, what it costs, what to change. At most one a minute per kind."""

    kind: AdviceKind
    text: str


@dataclass(slots=True)
class Counters:
    """Sums over the life of a timeline, for metrics; only ever grow."""

    cuts: int = 0
    cuts_without_keyframe: int = 0
    discontinuities: int = 0
    jumps: int = 0
    holes: int = 0
    dropped: int = 0
    """Packets that had no place on the timeline any more."""
