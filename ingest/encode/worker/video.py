"""Frames -> samples of one video rung: an encoder of libavcodec that gives each frame's packet at once."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import Flags, ThreadType
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from headwater.ingest.codecs import annexb, av1, build, is_random_access, video_track
from headwater.ingest.codecs.errors import BadConfig
from headwater.ingest.encode.grid import Take
from headwater.ingest.encode.model import VideoRung
from headwater.ingest.media import Codec, Sample, Track, TrackId

from .decode import said
from .options import video_options

INFINITE_GOP = 1 << 20
"""Frames. Why: libavcodec's own limit of the GOP is beside the encoder's options; nine hours at 30 frames per second,
and each segment starts with an IDR anyway."""

MAX_HELD = 64
"""Frames that an encoder may hold. Why: none holds any as they are opened here; more is a fault, not a delay."""

_LEVEL_AT = {Codec.H264: 3}
"""Where the configuration has the level, in tenths."""


class NoEncoder(Exception):
    """The encoder does not open, or does not do what a rung needs; the text says which."""


@dataclass(frozen=True, slots=True)
class Colour:
    """How a rung's samples are to be read (H.273); part of the configuration, so it is kept for the rung's life."""

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    """2: not said. Always limited range."""


class VideoEncoder:
    """One encoder, from open to close.

    Args:
        rung: what to make.
        fps: frames per second of the rung, as the configuration says it for its life.
        colour: see there.
        effort: step of `control`.
        slow: how many times fewer frames than `fps` come: rate control counts by frames.
        threads: of the encoder.
        level: of an earlier encoder of the rung.

    Raises:
        NoEncoder: see there.
    """

    track: Track

    def __init__(
        self,
        rung: VideoRung,
        fps: Fraction,
        colour: Colour,
        *,
        effort: int = 0,
        slow: int = 1,
        threads: int = 1,
        level: str | None = None,
    ) -> None:
        if slow > 1:
            rung = dataclasses.replace(
                rung, bitrate=rung.bitrate * slow, maxrate=rung.maxrate * slow, bufsize=rung.bufsize * slow
            )
        self.rung = rung
        self._tick = 1 / fps
        self._context = _open(rung, fps, colour, video_options(rung, effort, threads, level), threads)
        try:
            self.track = _track(rung, self._context.extradata or b"", fps)
        except BadConfig as error:
            self.close()
            raise NoEncoder(f"{rung.encoder} gives no configuration: {error}") from None
        self._count = 0
        self._takes: dict[int, tuple[Take, float]] = {}

    @property
    def level(self) -> str | None:
        """The level in the configuration, as options have it; None where it cannot be pinned."""
        at = _LEVEL_AT.get(self.rung.codec)
        return None if at is None else f"{self.track.config[at] / 10:g}"

    def encode(self, picture: VideoFrame, take: Take, arrived: float) -> list[Sample]:
        """The samples that a picture brings out. Raises NoEncoder, av.FFmpegError."""
        number = self._count
        self._count += 1
        picture.pts, picture.time_base = number, self._tick
        # A decoded frame brings the source's picture type: the encoder would repeat the source's GOP.
        picture.pict_type = PictureType.I if take.idr else PictureType.NONE
        self._takes[number] = take, arrived
        if len(self._takes) > MAX_HELD:
            raise NoEncoder(f"{self.rung.encoder} holds more than {MAX_HELD} frames")
        return [self._sample(packet) for packet in self._context.encode(picture)]

    def close(self) -> list[Sample]:
        """What it still holds. Nothing may be encoded after it."""
        # Also an encoder that holds nothing: SVT-AV1 must see the end.
        return [self._sample(packet) for packet in self._context.encode(None)] if self._context.is_open else []

    def _sample(self, packet: Packet[Any]) -> Sample:
        assert packet.pts is not None
        take, arrived = self._takes.pop(packet.pts)
        data = bytes(packet)
        codec = self.rung.codec
        payload = av1.tidy(data) if codec is Codec.AV1 else annexb.sample(codec, data)
        independent = is_random_access(self.track, payload)
        if take.idr and not independent:
            raise NoEncoder(f"{self.rung.encoder} made no IDR where one was asked for")
        return Sample(self.rung.rendition, take.dts, take.pts, take.duration, True, independent, payload, arrived)


def _open(rung: VideoRung, fps: Fraction, colour: Colour, options: dict[str, str], threads: int) -> VideoCodecContext:
    try:
        context = av.CodecContext.create(rung.encoder, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height = rung.width, rung.height
        context.pix_fmt = "nv12" if rung.encoder.endswith("_qsv") else "yuv420p"
        context.sample_aspect_ratio = Fraction(1)
        context.framerate, context.time_base = fps, 1 / fps
        context.bit_rate = rung.bitrate
        context.gop_size, context.max_b_frames = INFINITE_GOP, 0
        context.color_primaries, context.color_trc, context.colorspace = (
            colour.primaries,
            colour.transfer,
            colour.matrix,
        )
        context.color_range = 1
        # Slices: with frame threads x264 holds frames back.
        context.thread_type, context.thread_count = ThreadType.SLICE, threads
        context.flags |= Flags.global_header | Flags.closed_gop
        context.options = options
        context.open()
    except (av.FFmpegError, ValueError) as error:
        raise NoEncoder(f"{rung.encoder} does not open: {said(error)}") from None
    refuse_unknown_options(context, rung.encoder)
    return context


def refuse_unknown_options(context: VideoCodecContext | AudioCodecContext, encoder: str) -> None:
    """Close an encoder that opened without having used all its options: it would not do what it was asked for.

    Raises:
        NoEncoder: there are such options.
    """
    if context.options:
        unknown = ", ".join(sorted(context.options))
        context.encode(None)
        raise NoEncoder(f"{encoder} does not know {unknown}")


def _track(rung: VideoRung, extradata: bytes, fps: Fraction) -> Track:
    """What the rung delivers. Raises BadConfig."""
    config = build.from_annexb(rung.codec, extradata)
    if config is None:
        raise BadConfig("parameter sets are missing")
    track = video_track(TrackId(str(rung.rendition)), rung.codec, config)
    if (track.width, track.height) != (rung.width, rung.height):
        raise BadConfig(f"it has {track.width}x{track.height} instead of {rung.width}x{rung.height}")
    return dataclasses.replace(track, frame_rate=fps)
