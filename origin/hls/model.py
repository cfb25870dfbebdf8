"""A media playlist as plain immutable data: what the origin renders, and what the edge reads back.

One model serves both directions, so that an edge answers directives and makes delta updates from an
upstream's playlist with the same code as the origin does from its own window. Sans-IO.
Source of the rules: draft-pantos-hls-rfc8216bis-22, sections named at each field.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from .directives import Position


@dataclass(frozen=True, slots=True)
class ByteRange:
    """`BYTERANGE="length@start"`, bytes."""

    length: int
    start: int


@dataclass(frozen=True, slots=True)
class Map:
    """EXT-X-MAP (4.4.4.5): the init section of the segments that follow."""

    uri: str
    byterange: ByteRange | None = None
    extra: str = ""
    """Attributes that are not modelled, as read: `,NAME=value...`. The same in the other tags."""


@dataclass(frozen=True, slots=True)
class Part:
    """EXT-X-PART (4.4.4.9)."""

    uri: str
    duration: float
    """Seconds; never above PART-TARGET once printed."""
    independent: bool = False
    gap: bool = False
    byterange: ByteRange | None = None
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """A media segment, or the open parent of the parts at the live edge (`uri` None).

    Complete segments that are older than three target durations carry no parts any more (rule 57).
    """

    msn: int
    uri: str | None
    duration: float
    """EXTINF, seconds: the sum of its parts. For the open parent: the sum so far."""
    parts: tuple[Part, ...] = ()
    part_count: int = 0
    """How many parts the segment has or had, also after their tags were removed."""
    map: Map | None = None
    discontinuity: bool = False
    date_us: int | None = None
    """EXT-X-PROGRAM-DATE-TIME, Unix microseconds."""
    gap: bool = False
    byterange: ByteRange | None = None
    title: str = ""
    tags: tuple[str, ...] = ()
    """Other segment tags, whole lines as read, in their order (BITRATE, unknown ones)."""
    keys: tuple[str, ...] = ()
    """The EXT-X-KEY lines in effect (4.4.4.4), like `map` also for the segments after the tag."""
    memo: list[str] = field(default_factory=list, init=False, repr=False, compare=False)
    """The writer's text of this segment: it is in a hundred versions of its playlist and never changes."""


class HintType(enum.StrEnum):
    """TYPE of EXT-X-PRELOAD-HINT."""

    PART = "PART"
    MAP = "MAP"


@dataclass(frozen=True, slots=True)
class PreloadHint:
    """EXT-X-PRELOAD-HINT (4.4.5.3)."""

    type: HintType
    uri: str
    start: int = 0
    length: int | None = None
    extra: str = ""


@dataclass(frozen=True, slots=True)
class RenditionReport:
    """EXT-X-RENDITION-REPORT (4.4.5.4): where another rendition stands."""

    uri: str
    last_msn: int | None
    """None: not said, which 4.4.5.4 allows; the origin always says it (rule 77)."""
    last_part: int | None
    extra: str = ""


@dataclass(frozen=True, slots=True)
class ServerControl:
    """EXT-X-SERVER-CONTROL (4.4.3.8), seconds."""

    can_block_reload: bool = False
    can_skip_until: float | None = None
    can_skip_dateranges: bool = False
    hold_back: float | None = None
    part_hold_back: float | None = None
    extra: str = ""


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """One version of a media playlist."""

    target_duration: int
    """Seconds; fixed for the playlist's life (4.4.3.1)."""
    media_sequence: int
    discontinuity_sequence: int = 0
    segments: tuple[Segment, ...] = ()
    """Complete segments, oldest first; MSNs without a hole."""
    open: Segment | None = None
    """The segment being made, once it has a part."""
    part_target: float | None = None
    control: ServerControl = field(default_factory=ServerControl)
    hints: tuple[PreloadHint, ...] = ()
    reports: tuple[RenditionReport, ...] = ()
    independent_segments: bool = False
    ended: bool = False
    version: int = 6
    playlist_type: str | None = None
    tags: tuple[str, ...] = ()
    """Other playlist-wide tags, whole lines as read, in their order (DEFINE, DATERANGE, unknown ones)."""
    skipped: int = 0
    """SKIPPED-SEGMENTS of a delta update (4.4.5.2); `segments` then starts that many later."""
    map_before: Map | None = None
    """Of a delta update made here: the init section of its last skipped segment, which is not said again."""
    keys_before: tuple[str, ...] = ()
    removed_dateranges: tuple[str, ...] | None = None
    """RECENTLY-REMOVED-DATERANGES of a delta update; None: no date ranges were left out."""

    @property
    def last_msn(self) -> int:
        """MSN of the last complete segment; `media_sequence - 1` when there is none."""
        return self.media_sequence + self.skipped + len(self.segments) - 1

    @property
    def all_segments(self) -> tuple[Segment, ...]:
        """`segments` and the open one."""
        return (*self.segments, self.open) if self.open is not None else self.segments

    @property
    def position(self) -> Position:
        """What `directives.decide` needs to know of this version."""
        return Position(
            last_msn=self.last_msn,
            last_part_count=self.segments[-1].part_count if self.segments else 0,
            open_parts=len(self.open.parts) if self.open else 0,
            target_duration=self.target_duration,
            part_target=self.part_target,
            ended=self.ended,
            can_skip=self.control.can_skip_until is not None,
        )
