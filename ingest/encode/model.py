"""What a ladder is made of, and what host and worker say to each other: plain values. Sans-IO.

    to the worker      Configure, Resume?, TrackStarted, Cut, Sample..., Hole, Adjust, Drain
    from the worker    Opened per rung, Sample and Hole per rung in decode order, Picture, Progress, Drained, Failed,
                       Note

The source's events pass in the order in which the timeline said them; `wire` gives them their bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from headwater.ingest.media import Codec, Cut, Hole, Rendition, Sample, Track, TrackEnded, TrackStarted


@dataclass(frozen=True, slots=True)
class VideoRung:
    """One video rendition that is encoded."""

    rendition: Rendition
    codec: Codec
    encoder: str
    """libavcodec's name: `libx264`, `h264_nvenc`, ..."""
    width: int
    """Pixels, even. Likewise `height`."""
    height: int
    bitrate: int
    """bit/s."""
    maxrate: int
    """bit/s, of the rate control's buffer model."""
    bufsize: int
    """Bits, of the rate control's buffer model."""
    preset: str
    profile: str
    divisor: int = 1
    """Every n-th frame of the grid is encoded (a frame rate cap)."""


@dataclass(frozen=True, slots=True)
class AudioRung:
    """One audio rendition that is encoded."""

    rendition: Rendition
    source: Rendition
    """The audio rendition that it is made from."""
    codec: Codec
    """AAC or Opus."""
    encoder: str
    bitrate: int
    """bit/s."""
    sample_rate: int
    """Hz."""
    channels: int
    language: str = "und"
    name: str = ""


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """Still pictures of the source."""

    interval_s: float
    width: int
    """Pixels; the height follows from the source."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one source gets."""

    grid: Fraction
    """Frames per second of the ladder."""
    video_source: Rendition | None
    """The video rendition that the rungs are made from."""
    video: tuple[VideoRung, ...] = ()
    """The highest first."""
    audio: tuple[AudioRung, ...] = ()
    thumbnails: Thumbnails | None = None
    list_source: bool = True
    """Passthrough is offered to players, too."""

    @property
    def rungs(self) -> tuple[VideoRung | AudioRung, ...]:
        """All that is encoded."""
        return (*self.video, *self.audio)

    @property
    def empty(self) -> bool:
        """There is nothing to do for a worker."""
        return not (self.video or self.audio or self.thumbnails)


@dataclass(frozen=True, slots=True)
class Configure:
    """To the worker, first: what to make."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Resume:
    """To a worker that replaces another: nothing before `position` is wanted, it was delivered already.

    The first frame of each video rung at or after it is an IDR.
    """

    position: int
    """Stream time, ticks at `VIDEO_TIMESCALE`."""


@dataclass(frozen=True, slots=True)
class Adjust:
    """To the worker: work less, or more again, from the next cut on."""

    level: int
    """0: the plan as it is; each level above gives up more quality (`control` says what)."""


@dataclass(frozen=True, slots=True)
class Drain:
    """To the worker: give out all that decoders and encoders hold, then answer `Drained`."""

    token: int


@dataclass(frozen=True, slots=True)
class Opened:
    """From the worker: a rung's encoder is open; its samples follow. `track` is what the rung delivers."""

    rendition: Rendition
    track: Track


@dataclass(frozen=True, slots=True)
class Progress:
    """From the worker, at least twice a second while it lives, also without input."""

    position: int
    """Stream time up to which every video rung is encoded, ticks at `VIDEO_TIMESCALE`; 0: nothing yet."""
    media_s: float
    """Seconds of media encoded since the last Progress."""
    busy_s: float
    """Seconds of wall time that decoding and encoding took since the last Progress: media_s / busy_s is the speed."""
    cpu_s: float
    """CPU seconds of the process so far."""
    resident_bytes: int
    queued: int
    """Messages read from the socket and not worked on yet."""
    duplicated: int
    """Frames of the grid so far that repeat a source frame because there was none for them."""
    dropped: int
    """Source frames so far that had no place on the grid (they came closer than a frame)."""
    errors: int
    """Packets so far that a decoder refused."""
    level: int
    """The level that is in force."""


@dataclass(frozen=True, slots=True)
class Picture:
    """From the worker: a still of the source."""

    content_type: str
    """`image/jpeg` or `image/webp`."""
    time: int
    """Stream time, ticks at `VIDEO_TIMESCALE`."""
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Drained:
    """From the worker: everything before `Drain(token)` was given out."""

    token: int


@dataclass(frozen=True, slots=True)
class Failed:
    """From the worker: a rung, or all of it, cannot go on. Exits after it when `rendition` is None."""

    rendition: Rendition | None
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """From the worker: something that the operator should read in the log. Nothing follows from it."""

    rendition: Rendition | None
    text: str


ToWorker = Configure | Resume | Adjust | Drain | TrackStarted | TrackEnded | Sample | Cut | Hole
FromWorker = Opened | Sample | Hole | Picture | Progress | Drained | Failed | Note
