"""Codec configuration -> `Track`. Sans-IO."""

from __future__ import annotations

import enum

from headwater.ingest.media import RTMP_CLOCK, Codec, SourceClock, Track, TrackId


class VideoRange(enum.StrEnum):
    """VIDEO-RANGE of a video track, from its transfer characteristics (RFC 8216bis 4.4.6.2)."""

    SDR = "SDR"
    HLG = "HLG"
    PQ = "PQ"


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

    Raises:
        BadConfig: it is malformed, has no parameter sets, or `codec` is not a video codec.
    """
    raise NotImplementedError


def audio_track(
    track_id: TrackId,
    codec: Codec,
    config: bytes,
    *,
    clock: SourceClock = RTMP_CLOCK,
    language: str = "und",
    name: str = "",
) -> Track:
    """Read an audio configuration: ASC, OpusHead or dOps, dac3/dec3 or a whole AC-3 frame, STREAMINFO or dfLa.

    Raises:
        BadConfig: it is malformed or empty, or `codec` is not an audio codec.
    """
    raise NotImplementedError


def video_range(track: Track) -> VideoRange:
    """The dynamic range that `track.config` declares; SDR when it declares none or is unreadable."""
    raise NotImplementedError
