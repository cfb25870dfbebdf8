"""What a segmenter publishes: immutable values, applied in order to the window of the same rendition.

Flow: `segmenter.Segmenter.events()` -> `window.Window.apply()`. Sans-IO.

Times are ticks of the rendition's track (`InitChanged.track.timescale`). Order within a segment:
SegmentOpened, PartClosed..., SegmentClosed. Hinted follows every PartClosed, before the segment ends or goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from headwater.ingest.media import Track


@dataclass(frozen=True, slots=True)
class InitChanged:
    """The init section of the segments that open from here on (EXT-X-MAP)."""

    name: str
    """`init-HASH.mp4`: the same configuration always has the same name."""
    data: bytes = field(repr=False)
    track: Track


@dataclass(frozen=True, slots=True)
class SegmentOpened:
    """A segment begins; it is listed once it has a part."""

    msn: int
    name: str
    """`sSTART.m4s`, START = `start_ticks`."""
    start_ticks: int
    """tfdt of its first part."""
    date_us: int
    """EXT-X-PROGRAM-DATE-TIME, Unix microseconds, of its first presentation time."""
    discontinuity: bool
    init: str
    """Name of its init section."""


@dataclass(frozen=True, slots=True)
class PartClosed:
    """A part is complete and is published now; or, with `gap`, a stretch without media is declared."""

    msn: int
    index: int
    """Counts from 0 in its segment."""
    name: str
    """`pSTART.m4s`, START = its tfdt; the name that was hinted, when one was."""
    data: bytes = field(repr=False)
    """One CMAF chunk; empty for a gap."""
    duration_ticks: int
    independent: bool
    """Its first sample is a random-access point."""
    gap: bool
    arrived: float | None
    """Monotonic seconds of the arrival of its last packet; None for a gap."""
    given: float | None = None
    """Monotonic seconds at which its last sample came to the segmenter; None for a gap."""


@dataclass(frozen=True, slots=True)
class SegmentClosed:
    """The segment is complete: its parts concatenated, and nothing more, are its bytes."""

    msn: int
    name: str
    duration_ticks: int
    """Sum of its parts."""
    gap: bool
    """Every part is a gap: there are no bytes."""


@dataclass(frozen=True, slots=True)
class Hinted:
    """The next part of the rendition will have this name (EXT-X-PRELOAD-HINT), as media or as a gap."""

    name: str


@dataclass(frozen=True, slots=True)
class RenditionEnded:
    """Nothing follows (EXT-X-ENDLIST); the last hint will not be fulfilled."""


SegmenterEvent = InitChanged | SegmentOpened | PartClosed | SegmentClosed | Hinted | RenditionEnded
