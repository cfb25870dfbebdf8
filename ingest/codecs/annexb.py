"""Annex B byte streams (ITU-T H.264 and H.265 annex B): NAL units between start codes. Sans-IO.

Encoders and MPEG-TS speak Annex B; MP4 samples hold the same NAL units behind their lengths, without those that the
configuration or the container says already.
"""

from __future__ import annotations

from collections.abc import Iterable

from headwater.ingest.media import Codec

START_CODE = b"\x00\x00\x01"

H264_OUT_OF_BAND = frozenset({7, 8, 9, 11, 12, 13})
"""SPS, PPS, access unit delimiter, end of stream, filler data, SPS extension (H.264 table 7-1)."""
HEVC_OUT_OF_BAND = frozenset({32, 33, 34, 35, 37, 38})
"""VPS, SPS, PPS, access unit delimiter, end of bitstream, filler data (H.265 table 7-1)."""


def split(data: bytes) -> list[bytes]:
    """The NAL units of a byte stream, without start codes, zero bytes around them, and what precedes the first.

    Units that are empty are left out. A unit never ends with a zero byte nor holds a start code (7.4.1), so one split
    in C finds them all.
    """
    pieces = data.split(START_CODE)
    del pieces[0]
    return [unit for piece in pieces if (unit := piece.rstrip(b"\x00"))]


def length_prefixed(units: Iterable[bytes]) -> bytes:
    """The units as an MP4 sample holds them: each behind its length in 4 bytes."""
    out: list[bytes] = []
    for unit in units:
        out.append(len(unit).to_bytes(4))
        out.append(unit)
    return b"".join(out)


def media_units(codec: Codec, units: Iterable[bytes]) -> list[bytes]:
    """The units that a sample keeps: without parameter sets, delimiters, fillers and ends of the stream."""
    if codec is Codec.H264:
        return [unit for unit in units if unit[0] & 31 not in H264_OUT_OF_BAND]
    return [unit for unit in units if unit[0] >> 1 & 63 not in HEVC_OUT_OF_BAND]


def sample(codec: Codec, access_unit: bytes) -> bytes:
    """An access unit of H.264 or HEVC in Annex B as the payload of a `Packet`; `b""` when it has no picture data."""
    return length_prefixed(media_units(codec, split(access_unit)))
