"""Codec configuration -> `Track`. Sans-IO."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from headwater.ingest.media import RTMP_CLOCK, VIDEO_TIMESCALE, Codec, Kind, SourceClock, Track, TrackId

from . import aac, ac3, av1, flac, h264, hevc, mpa, opus, vp9
from .errors import BadConfig

_Header = TypeVar("_Header")

_VIDEO = {
    Codec.H264: h264.read_config,
    Codec.HEVC: hevc.read_config,
    Codec.AV1: av1.read_config,
    Codec.VP9: vp9.read_config,
}
_AUDIO = {
    Codec.AAC: aac.read_config,
    Codec.OPUS: opus.read_config,
    Codec.AC3: ac3.read_ac3_config,
    Codec.EAC3: ac3.read_eac3_config,
    Codec.FLAC: flac.read_config,
    Codec.MP2: mpa.read_mp2_config,
    Codec.MP3: mpa.read_mp3_config,
}
MAX_CONFIG = 65_536
"""Bytes; parameter sets of every codec are far smaller. Frames that stand for a configuration fit too."""


def video_track(
    track_id: TrackId,
    codec: Codec,
    config: bytes,
    *,
    clock: SourceClock = RTMP_CLOCK,
    language: str = "und",
    name: str = "",
) -> Track:
    """Read a video configuration box body (avcC, hvcC, av1C, vpcC).

    VP9, and AV1 whose av1C has no sequence header, come with size 0 x 0: see `access.refine`.

    Raises:
        BadConfig: it is malformed, has no parameter sets, or `codec` is not a video codec.
    """
    header = _read(_VIDEO, Kind.VIDEO, codec, config)
    return Track(
        id=track_id,
        kind=Kind.VIDEO,
        codec=codec,
        config=header.config,
        codec_string=header.codec_string,
        timescale=VIDEO_TIMESCALE,
        clock=clock,
        width=header.width,
        height=header.height,
        sample_aspect=header.sample_aspect,
        frame_rate=header.frame_rate,
        video_range=header.video_range,
        language=language,
        name=name,
    )


def audio_track(
    track_id: TrackId,
    codec: Codec,
    config: bytes,
    *,
    clock: SourceClock = RTMP_CLOCK,
    language: str = "und",
    name: str = "",
) -> Track:
    """Read an audio configuration: ASC, OpusHead or dOps, dac3/dec3 or a whole AC-3 frame, STREAMINFO or dfLa,
    a frame of MP2 or MP3.

    `timescale` is the decoder's output rate, and `frame_samples` counts its ticks.

    Raises:
        BadConfig: it is malformed or empty, or `codec` is not an audio codec.
    """
    header = _read(_AUDIO, Kind.AUDIO, codec, config)
    return Track(
        id=track_id,
        kind=Kind.AUDIO,
        codec=codec,
        config=header.config,
        codec_string=header.codec_string,
        timescale=header.sample_rate,
        clock=clock,
        sample_rate=header.sample_rate,
        channels=header.channels,
        frame_samples=header.frame_samples,
        language=language,
        name=name,
    )


def _read(readers: Mapping[Codec, Callable[[bytes], _Header]], kind: Kind, codec: Codec, config: bytes) -> _Header:
    reader = readers.get(codec)
    if reader is None:
        raise BadConfig(f"{codec} is no {kind} codec that we read")
    if len(config) > MAX_CONFIG:
        raise BadConfig("configuration is too long")
    return reader(config)
