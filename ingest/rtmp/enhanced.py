"""Enhanced RTMP v2 tag headers: packet types, FourCC, ModEx, multitrack (E-RTMP v2 "ExVideoTagHeader" and
"ExAudioTagHeader"). Sans-IO, without state.

One message becomes pieces: one per track that it carries, each with its track number, codec and body.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

MAX_PIECES = 256
"""Tracks in one message: track numbers are bytes, so more cannot be meant."""
_MAX_MODEX = 32
"""ModEx extensions in one message; one kind is specified."""

_VIDEO_COMMAND = 5  # VideoFrameType
_KEY_FRAMES = (1, 4)
_MODEX = 7  # packet type of both kinds
_NANO_OFFSET = 0  # ModEx type
_VIDEO_METADATA = 4  # VideoPacketType
_VIDEO_MULTITRACK = 6
_AUDIO_MULTITRACK = 5  # AudioPacketType
_ONE_TRACK, _MANY_TRACKS, _MANY_CODECS = 0, 1, 2  # AvMultitrackType
_COMPOSED = frozenset({b"avc1", b"hvc1", b"vvc1"})
"""FourCCs whose CodedFrames carry a composition time."""


class BadTag(ValueError):
    """One audio or video message is malformed. It is dropped whole; the messages after it are unaffected."""


class PieceKind(enum.Enum):
    """What a piece is for."""

    CONFIG = "config"
    FRAME = "frame"
    END = "end"
    IGNORED = "ignored"


@dataclass(slots=True)
class Piece:
    """One track's share of a message."""

    kind: PieceKind
    fourcc: bytes
    track: int
    """Track number; 0 is the track of messages without multitrack."""
    body: bytes
    cts_us: int
    """Presentation minus decode time, microseconds, signed."""
    keyframe: bool


_VIDEO_KINDS = {
    0: PieceKind.CONFIG,
    1: PieceKind.FRAME,
    2: PieceKind.END,
    3: PieceKind.FRAME,
    # 4 Metadata, 5 MPEG2TSSequenceStart: nothing for us.
}
_AUDIO_KINDS = {
    0: PieceKind.CONFIG,
    1: PieceKind.FRAME,
    2: PieceKind.END,
    # 4 MultichannelConfig: nothing for us.
}


def signed24(data: bytes) -> int:
    """SI24 of three bytes."""
    value = int.from_bytes(data)
    return value - (1 << 24) if value & 0x800000 else value


def parse_video(payload: bytes) -> list[Piece]:
    """Split a video message whose first bit (IsExVideoHeader) is set.

    Returns:
        Its pieces; one IGNORED piece when it is a command, metadata or of an unknown packet type.

    Raises:
        BadTag: it is truncated or contradicts itself.
    """
    if not payload:
        raise BadTag("video message is empty")
    frame_type = payload[0] >> 4 & 7
    packet_type, at, nano = _skip_modex(payload)
    # Metadata comes before Command: FFmpeg marks colour metadata with frame type 5.
    if packet_type == _VIDEO_METADATA or frame_type == _VIDEO_COMMAND:
        return [Piece(PieceKind.IGNORED, b"", 0, b"", 0, False)]
    pieces: list[Piece] = []
    multitrack = packet_type == _VIDEO_MULTITRACK
    if multitrack:
        packet_type = _multitrack_packet_type(payload, at)
    kind = _VIDEO_KINDS.get(packet_type, PieceKind.IGNORED)
    keyframe = frame_type in _KEY_FRAMES
    for fourcc, track, start, end in _bodies(payload, at, multitrack):
        cts_us = nano // 1_000
        if packet_type == 1 and fourcc in _COMPOSED:
            if start + 3 > end:
                raise BadTag("composition time is truncated")
            cts_us += signed24(payload[start : start + 3]) * 1_000
            start += 3
        pieces.append(Piece(kind, fourcc, track, payload[start:end], cts_us, keyframe))
    return pieces


def parse_audio(payload: bytes) -> list[Piece]:
    """Split an audio message of SoundFormat 9 (ExHeader). Returns and raises as `parse_video`."""
    if not payload:
        raise BadTag("audio message is empty")
    packet_type, at, nano = _skip_modex(payload)
    multitrack = packet_type == _AUDIO_MULTITRACK
    if multitrack:
        packet_type = _multitrack_packet_type(payload, at)
    kind = _AUDIO_KINDS.get(packet_type)
    if kind is None:
        return [Piece(PieceKind.IGNORED, b"", 0, b"", 0, False)]
    return [
        Piece(kind, fourcc, track, payload[start:end], nano // 1_000, True)
        for fourcc, track, start, end in _bodies(payload, at, multitrack)
    ]


def _skip_modex(payload: bytes) -> tuple[int, int, int]:
    """The ModEx loop: (packet type behind it, where to go on, TimestampOffsetNano in ns)."""
    packet_type = payload[0] & 15
    at = 1
    nano = 0
    for _ in range(_MAX_MODEX):
        if packet_type != _MODEX:
            return packet_type, at, nano
        size = _number(payload, at, 1) + 1
        at += 1
        if size == 256:
            size = _number(payload, at, 2) + 1
            at += 2
        data = payload[at : at + size]
        at += size
        types = _number(payload, at, 1)
        at += 1
        packet_type = types & 15
        if types >> 4 == _NANO_OFFSET:
            if size < 3:
                raise BadTag("TimestampOffsetNano is truncated")
            nano = int.from_bytes(data[:3])
    raise BadTag("too many ModEx extensions")


def _multitrack_packet_type(payload: bytes, at: int) -> int:
    packet_type = _number(payload, at, 1) & 15
    if packet_type == _MODEX:
        raise BadTag("ModEx inside multitrack")
    return packet_type


def _bodies(payload: bytes, at: int, multitrack: bool) -> list[tuple[bytes, int, int, int]]:
    """(FourCC, track number, start, end) of each body; `at`: behind the packet type."""
    length = len(payload)
    if not multitrack:
        return [(_fourcc(payload, at), 0, at + 4, length)]
    layout = _number(payload, at, 1) >> 4
    at += 1
    if layout > _MANY_CODECS:
        raise BadTag("unknown multitrack type")
    fourcc = b""
    if layout != _MANY_CODECS:
        fourcc = _fourcc(payload, at)
        at += 4
    if layout == _ONE_TRACK:
        return [(fourcc, _number(payload, at, 1), at + 1, length)]
    found: list[tuple[bytes, int, int, int]] = []
    while at < length:
        if len(found) == MAX_PIECES:
            raise BadTag("too many tracks in one message")
        if layout == _MANY_CODECS:
            fourcc = _fourcc(payload, at)
            at += 4
        track, size = _number(payload, at, 1), _number(payload, at + 1, 3)
        at += 4
        if at + size > length:
            raise BadTag("a track's body is truncated")
        found.append((fourcc, track, at, at + size))
        at += size
    return found


def _fourcc(payload: bytes, at: int) -> bytes:
    value = payload[at : at + 4]
    if len(value) != 4:
        raise BadTag("FourCC is truncated")
    return value


def _number(payload: bytes, at: int, size: int) -> int:
    field = payload[at : at + size]
    if len(field) != size:
        raise BadTag("header is truncated")
    return int.from_bytes(field)
