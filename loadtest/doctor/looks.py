"""What is kept of a media file after it was read: times, sizes and fingerprints, not its bytes. Sans-IO."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Access(enum.Enum):
    """Whether decoding can start at a sample, read from its bitstream."""

    KEY = "a random access point"
    RECOVERY = "a recovery point"
    """Open GOP: pictures are right a little later."""
    NONE = "no random access point"
    UNKNOWN = "not known"
    """Encrypted, or of a codec that is not read."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One access unit. Times are ticks of the track."""

    dts: int
    pts: int
    duration: int
    size: int
    sync: bool
    access: Access
    digest: bytes


@dataclass(frozen=True, slots=True)
class Fragment:
    """One track's run of one moof."""

    track: int
    sequence: int
    tfdt: int | None
    """None: there is no tfdt box."""
    samples: tuple[Sample, ...]
    moof_based: bool
    """default-base-is-moof, or a base that is not given at all."""

    @property
    def start(self) -> int:
        """tfdt, 0 without."""
        return self.tfdt or 0

    @property
    def duration(self) -> int:
        """Ticks."""
        return sum(sample.duration for sample in self.samples)

    @property
    def end(self) -> int:
        """Decode time after the last sample."""
        return self.start + self.duration


class Form(enum.Enum):
    """What kind of file it is, by its bytes."""

    FMP4 = "fMP4"
    TS = "MPEG-TS"
    PACKED = "packed audio"
    VTT = "WebVTT"
    OTHER = "unknown"


@dataclass(frozen=True, slots=True)
class Look:
    """A part or segment."""

    form: Form
    fragments: tuple[Fragment, ...] = ()
    error: str = ""
    """Why it is not a whole number of chunks."""


@dataclass(frozen=True, slots=True)
class TrackLook:
    """One track of an init section."""

    id: int
    kind: str
    """vide, soun, or another handler."""
    timescale: int
    entry: str
    """FourCC of the sample entry; that of the original format when it is encrypted."""
    encrypted: bool = False
    codec: str = ""
    """RFC 6381, from the decoder configuration; empty when it is not known."""
    width: int = 0
    height: int = 0
    nal_length: int = 4
    default_duration: int = 0
    default_size: int = 0
    default_flags: int = 0


@dataclass(frozen=True, slots=True)
class Init:
    """An init section."""

    tracks: tuple[TrackLook, ...]
    problems: tuple[str, ...] = ()
    """What ISO/IEC 14496-12 or RFC 8216bis 3.1.2 asks and is not so."""

    def track(self, number: int) -> TrackLook | None:
        """By its id; the only one when there is one."""
        return next((t for t in self.tracks if t.id == number), None)
