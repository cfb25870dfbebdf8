"""The vocabulary of media: tracks and packets as a publisher sends them, samples and cuts as a stream delivers them.

Two clocks appear here and are never mixed:

source time
    What the publisher wrote: raw ticks of its own clock that start anywhere, wrap, jump and freeze.
    `Packet.dts` is source time; `Track.clock` says its rate and width.
stream time
    Unix-anchored, continuous, never backwards, shared by all renditions. `Sample` is stream time in
    the ticks of its own track (`Track.timescale`); `Cut.time` is stream time at `VIDEO_TIMESCALE`.

`ingest.timeline` is the only place that turns the first into the second. Sans-IO.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NewType, Protocol

VIDEO_TIMESCALE = 90_000
"""Ticks per second of every video rendition, and of `Cut.time`."""

TrackId = NewType("TrackId", str)
"""A source track inside its publisher: `v0`, `v1`, ... for video, `a0`, `a1`, ... for audio."""

Rendition = NewType("Rendition", str)
"""One track as delivered, and its folder in the URL: `source`, `source-2`, `audio`, `audio-2`, `720p`."""


class Kind(enum.StrEnum):
    """What a track carries."""

    VIDEO = "video"
    AUDIO = "audio"


class VideoRange(enum.StrEnum):
    """VIDEO-RANGE of a video track (RFC 8216bis 4.4.6.2)."""

    SDR = "SDR"
    HLG = "HLG"
    PQ = "PQ"


class Codec(enum.StrEnum):
    """The codecs that ingest can name. Whether MP4 and HLS can carry one is `origin.cmaf`'s knowledge."""

    H264 = "h264"
    HEVC = "hevc"
    AV1 = "av1"
    VP9 = "vp9"
    AAC = "aac"
    OPUS = "opus"
    AC3 = "ac3"
    EAC3 = "eac3"
    FLAC = "flac"
    MP3 = "mp3"
    MP2 = "mp2"


@dataclass(frozen=True, slots=True)
class SourceClock:
    """The clock behind `Packet.dts`: `rate` ticks per second, counters of `bits` bits that wrap."""

    rate: int
    bits: int


RTMP_CLOCK = SourceClock(rate=1_000, bits=32)
MPEGTS_CLOCK = SourceClock(rate=90_000, bits=33)


@dataclass(frozen=True, slots=True)
class Track:
    """One elementary stream, as its sequence header describes it.

    Two tracks are equal exactly when a decoder needs no new configuration between them.
    """

    id: TrackId
    kind: Kind
    codec: Codec
    config: bytes
    """Body of the codec's MP4 configuration: avcC, hvcC, av1C, vpcC, dOps, dac3, dec3 or dfLa box payload
    (without the box header); for AAC the AudioSpecificConfig; empty for MP2 and MP3."""
    codec_string: str
    """RFC 6381 string for CODECS, such as `avc1.64001f` or `mp4a.40.2`, made from `config`."""
    timescale: int
    """Ticks per second of this track's samples: `VIDEO_TIMESCALE`, or the sample rate for audio."""
    clock: SourceClock = RTMP_CLOCK
    width: int = 0
    """Pixels of the coded picture after cropping; 0 for audio or unknown. Likewise `height`."""
    height: int = 0
    sample_aspect: Fraction = Fraction(1)
    """Width : height of one pixel."""
    frame_rate: Fraction | None = None
    """Frames per second: the codec's own timing where `config` has it, replaced by the timeline's
    measurement before the track is delivered. None: unknown."""
    video_range: VideoRange = VideoRange.SDR
    """By the transfer characteristics in `config`; SDR where it says nothing."""
    sample_rate: int = 0
    """Hz of the decoder's output, also for HE-AAC; 0 for video."""
    channels: int = 0
    frame_samples: int = 0
    """Samples per audio packet where the codec fixes it (AAC 1024 or 960, twice that with SBR,
    AC-3 1536, MP2 and MP3 1152 or 576), else 0 (Opus, FLAC)."""
    language: str = "und"
    """RFC 5646 tag; `und` when the publisher does not say."""
    name: str = ""
    """What the publisher calls the track; empty when it does not."""


@dataclass(slots=True)
class Packet:
    """One access unit in source time. Not to be changed after it was handed on."""

    track: TrackId
    dts: int
    """Decode time, raw ticks of `Track.clock`, modulo its width."""
    cts_us: int
    """Presentation minus decode time, microseconds, signed."""
    keyframe: bool
    """The container's flag: a hint. `ingest.codecs.is_random_access` reads the bitstream."""
    payload: bytes
    """Length-prefixed NAL units (prefix size per `Track.config`), AV1 OBUs, or one audio frame."""
    arrived: float
    """Monotonic seconds at which the last byte of the packet was read from the socket."""


@dataclass(slots=True)
class Sample:
    """One access unit on the stream's timeline. Times are ticks of its track's timescale."""

    rendition: Rendition
    dts: int
    """Decode time; strictly increasing within a rendition."""
    pts: int
    """Presentation time; may be before `dts` (signed composition offset)."""
    duration: int
    """Ticks to the next sample of the rendition; at least 1."""
    exact: bool
    """True: `duration` is final (audio frames, the ladder's constant frame rate), so a part may close on
    this sample. False: an estimate, until the next sample's `dts` is seen."""
    independent: bool
    """Decoding can start here (IDR or equivalent, verified in the bitstream; every audio frame)."""
    payload: bytes
    arrived: float
    """Monotonic seconds, copied from the packet; feeds the arrival-to-publication histogram."""


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """First event of a stream: what is fixed for its life. Also first after a restart of the server."""

    target_duration_s: int
    part_target_us: int
    """PART-TARGET, microseconds, a whole number of milliseconds."""
    discontinuity_sequence: int
    """EXT-X-DISCONTINUITY-SEQUENCE of the first segment that follows."""
    late_us: int = 0
    """How late media may come now and then (`Publisher.late_s`), microseconds, a whole number of milliseconds."""


@dataclass(frozen=True, slots=True)
class TrackStarted:
    """A rendition begins, or goes on with another configuration; takes effect at the next `Cut`.

    A changed configuration always comes with `Cut.discontinuity`.
    """

    rendition: Rendition
    track: Track
    bitrate: int = 0
    """Most bit/s that its encoder was told to make; 0: not known. Only the ladder knows it."""
    independent: bool = False
    """Each of its segments begins with a random-access point or is a GAP up to one: the ladder's promise."""


@dataclass(frozen=True, slots=True)
class TrackEnded:
    """A rendition ends for good while its stream goes on (a publisher that came back without it)."""

    rendition: Rendition


@dataclass(frozen=True, slots=True)
class Cut:
    """A segment starts in every rendition: its first sample is the first whose `pts` is at or after `time`.

    Every stream sends a Cut before its first sample. Samples of a rendition that is behind may still
    follow for the segment before: each rendition applies its cuts in order, at its own samples.
    """

    msn: int
    """Media Sequence Number of the segment that starts; each Cut is one more than the last."""
    time: int
    """Stream time of the segment's start, ticks at `VIDEO_TIMESCALE`."""
    date_us: int
    """EXT-X-PROGRAM-DATE-TIME of stream time `time`: Unix time in microseconds. A rendition whose first
    sample starts off `time` adds the difference."""
    discontinuity: bool = False


@dataclass(frozen=True, slots=True)
class Hole:
    """A rendition has nothing from its last sample's end up to `until` (its ticks): list it as GAP.

    No sample with `pts < until` follows.
    """

    rendition: Rendition
    until: int


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """Nothing follows: close what is open, list ENDLIST."""


class MetadataKind(enum.StrEnum):
    """Timed metadata that travels beside the samples."""

    CUE = "cue"
    ID3 = "id3"
    CAPTION = "caption"


@dataclass(frozen=True, slots=True)
class Metadata:
    """A timed event of the whole stream (SCTE-35 cue, ID3, captions seen), at a `VIDEO_TIMESCALE` time."""

    kind: MetadataKind
    time: int
    payload: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Planned:
    """Renditions that will start, though later than the others: a new stream is not shown without them.

    Players read the multivariant playlist once; what is missing in it stays missing. Replaces what was said before.
    """

    renditions: tuple[Rendition, ...]


@dataclass(frozen=True, slots=True)
class Offered:
    """Whether the multivariant playlist names a rendition. Its media playlist goes on in any case. Until said: yes."""

    rendition: Rendition
    offered: bool


@dataclass(frozen=True, slots=True)
class Still:
    """A picture of what the stream shows; replaces the last one of its type."""

    content_type: str
    """`image/jpeg` or `image/webp`."""
    time: int
    """Stream time, ticks at `VIDEO_TIMESCALE`."""
    data: bytes = field(repr=False)


class LadderState(enum.StrEnum):
    """What the encoder ladder of a stream does."""

    STARTING = "starting"
    RUNNING = "running"
    RECOVERING = "recovering"
    """Its process was lost; another takes over."""
    PAUSED = "paused"
    """Its processes were lost again and again: only the source goes on; it is tried again later."""
    REFUSED = "refused"
    """The machine has no room for it."""


@dataclass(frozen=True, slots=True)
class LadderStatus:
    """How the encoder ladder of a stream does, for listings."""

    state: LadderState
    level: int = 0
    """0: all of it; each level above gives up more quality."""
    speed: float = 0.0
    """Seconds of media per second of work; 0: not known."""
    lag_s: float = 0.0
    """By which its renditions are behind the source, seconds."""
    text: str = ""
    """What the level gives up, in words; empty at level 0."""


StreamEvent = (
    StreamStarted
    | TrackStarted
    | TrackEnded
    | Sample
    | Cut
    | Hole
    | Metadata
    | Planned
    | Offered
    | Still
    | LadderStatus
    | StreamEnded
)
"""All that a stream can say to its receiver: plain serialisable values, in this order of appearance:
StreamStarted, TrackStarted..., Cut, then anything, StreamEnded."""


class StreamSink(Protocol):
    """Receives one stream. Never raises for what the stream contains; never blocks."""

    def write(self, event: StreamEvent, now: float) -> None:
        """Take one event. `now`: monotonic seconds."""


class Sink(Protocol):
    """Where streams go: the origin's hub, or a test's list."""

    def open(self, name: str) -> StreamSink:
        """Begin the stream `name`, or go on with it when it is still known. Until its StreamStarted it is
        "starting": requests for it are held, not refused."""

    def check(self, track: Track) -> str | None:
        """Why `track` cannot be delivered (its codec has no MP4 or HLS mapping), or None when it can."""
