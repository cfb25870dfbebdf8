"""What a server must see in an access unit: cheap, per packet, never raising. Sans-IO."""

from __future__ import annotations

import dataclasses

from headwater.ingest.media import Codec, Kind, Track

from . import ac3, av1, flac, h264, hevc, nal, opus, vp9

_LENGTH_SIZE_AT = {Codec.H264: 4, Codec.HEVC: 21}
"""Where the configuration holds lengthSizeMinusOne, in its two lowest bits."""


def is_random_access(track: Track, payload: bytes) -> bool:
    """Whether decoding can start at this access unit, by its bitstream. Audio: always True.

    H.264: IDR. HEVC: IRAP (types 16 to 21). AV1: a sequence header and a shown key frame. VP9: a key frame.
    No slice data is read, however large the payload.
    """
    codec = track.codec
    if codec is Codec.H264:
        return h264.is_idr(payload, (track.config[4] & 3) + 1)
    if codec is Codec.HEVC:
        return hevc.is_irap(payload, (track.config[21] & 3) + 1)
    if codec is Codec.AV1:
        return av1.is_shown_key_frame(payload)
    if codec is Codec.VP9:
        return vp9.is_key_frame(payload)
    return track.kind is Kind.AUDIO


def normalise(track: Track, payload: bytes) -> bytes:
    """The access unit without what MP4 samples must not hold; the same object when nothing changes.

    Dropped: zero-length NAL units, a NAL unit that overruns the payload, AV1 temporal delimiters, tile
    lists and padding. `b""` when nothing is left. Idempotent.
    """
    codec = track.codec
    at = _LENGTH_SIZE_AT.get(codec)
    if at is not None:
        return nal.tidy(payload, (track.config[at] & 3) + 1)
    if codec is Codec.AV1:
        return av1.tidy(payload)
    return payload


def audio_samples(track: Track, payload: bytes) -> int:
    """Ticks of `track.timescale` that an audio packet lasts; 0 when the packet is malformed, and for video."""
    codec = track.codec
    if codec is Codec.OPUS:
        return opus.packet_samples(payload)
    if codec is Codec.FLAC:
        return flac.packet_samples(payload)
    if codec is Codec.EAC3:
        return ac3.packet_samples(payload)
    return track.frame_samples


def refine(track: Track, payload: bytes) -> Track:
    """`track` with what only a random-access payload knows: the size of VP9, and of AV1 whose av1C has no
    sequence header; the same object when nothing is added."""
    if track.width or track.kind is Kind.AUDIO:
        return track
    if track.codec is Codec.VP9:
        header = vp9.with_size(track.config, payload)
    elif track.codec is Codec.AV1:
        header = av1.with_sequence(track.config, payload)
    else:
        return track
    if header is None:
        return track
    return dataclasses.replace(
        track,
        config=header.config,
        codec_string=header.codec_string,
        width=header.width,
        height=header.height,
        frame_rate=header.frame_rate,
        video_range=header.video_range,
    )
