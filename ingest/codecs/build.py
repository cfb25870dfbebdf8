"""Configurations built from what encoders and elementary streams send: avcC, hvcC, av1C. Sans-IO.

What comes out is the canonical form that `read_config` of each codec gives: equal parameter sets, equal bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

from headwater.ingest.media import Codec

from . import av1, h264, hevc
from .annexb import split
from .errors import BadConfig

_MAX_UNIT = 0xFFFF
"""Bytes of one parameter set: its length is a 16-bit field in avcC and hvcC."""
_H264_SPS, _H264_PPS = 7, 8
_HEVC_VPS, _HEVC_SPS, _HEVC_PPS = 32, 33, 34


def avcc(sps: Sequence[bytes], pps: Sequence[bytes]) -> bytes:
    """An avcC body (ISO/IEC 14496-15 5.3.3.1) with 4-byte NAL lengths.

    Args:
        sps: sequence parameter sets, each a NAL unit with its header; at most 31.
        pps: picture parameter sets, at most 255.

    Raises:
        BadConfig: there is no SPS or PPS, there are too many, or the first SPS cannot be read.
    """
    if len(sps) > 31 or len(pps) > 255:
        raise BadConfig("too many parameter sets")
    record = b"\x01\x00\x00\x00\xff" + bytes((0xE0 | len(sps),)) + _sized(sps) + bytes((len(pps),)) + _sized(pps)
    return h264.read_config(record).config


def hvcc(vps: Sequence[bytes], sps: Sequence[bytes], pps: Sequence[bytes]) -> bytes:
    """An hvcC body (ISO/IEC 14496-15 8.3.3.1) with 4-byte NAL lengths, arrays complete, in the order of the arguments.

    Segmentation, parallelism and average frame rate are left "unknown": no decoder needs them.

    Raises:
        BadConfig: VPS, SPS or PPS are missing, or the first SPS cannot be read.
    """
    if not sps or len(sps[0]) < 3:
        raise BadConfig("there is no SPS")
    layers, nested = (sps[0][2] >> 1 & 7) + 1, sps[0][2] & 1
    head = bytearray(22)
    head[0] = 1
    # Reserved bits are ones: before min_spatial_segmentation_idc and parallelismType.
    head[13], head[15] = 0xF0, 0xFC
    head[21] = layers << 3 | nested << 2 | 3
    out = bytes(head) + b"\x03"
    for kind, units in ((_HEVC_VPS, vps), (_HEVC_SPS, sps), (_HEVC_PPS, pps)):
        out += bytes((0x80 | kind,)) + len(units).to_bytes(2) + _sized(units)
    return hevc.read_config(out).config


def av1c(sequence_header: bytes) -> bytes:
    """An av1C body (AV1-ISOBMFF 2.3) that holds one sequence header.

    Args:
        sequence_header: OBUs of which one is the sequence header, such as an encoder's extradata.

    Raises:
        BadConfig: there is none, or it cannot be read.
    """
    unit = av1.find_sequence_header(sequence_header)
    if unit is None:
        raise BadConfig("there is no AV1 sequence header")
    return av1.read_config(b"\x81\x00\x00\x00" + av1.sequence_header_obu(unit)).config


def from_annexb(codec: Codec, data: bytes) -> bytes | None:
    """The configuration that an encoder's extradata, or an access unit with parameter sets, holds.

    Args:
        codec: H.264 or HEVC, whose `data` is an Annex B byte stream, or AV1, whose `data` is OBUs.
        data: see `codec`. Equal parameter sets count once.

    Returns:
        The body of avcC, hvcC or av1C; None when parameter sets are missing.

    Raises:
        BadConfig: the parameter sets are there and cannot be read, or the codec is another one.
    """
    if codec is Codec.AV1:
        return av1c(data) if av1.find_sequence_header(data) is not None else None
    units = list(dict.fromkeys(split(data)))
    if codec is Codec.H264:
        sps, pps = (_of(units, 31, 0, kind) for kind in (_H264_SPS, _H264_PPS))
        return avcc(sps, pps) if sps and pps else None
    if codec is Codec.HEVC:
        vps, sps, pps = (_of(units, 63, 1, kind) for kind in (_HEVC_VPS, _HEVC_SPS, _HEVC_PPS))
        return hvcc(vps, sps, pps) if vps and sps and pps else None
    raise BadConfig(f"{codec} has no parameter sets")


def _of(units: list[bytes], mask: int, shift: int, kind: int) -> list[bytes]:
    """The units whose NAL unit type is `kind`."""
    return [unit for unit in units if unit[0] >> shift & mask == kind]


def _sized(units: Sequence[bytes]) -> bytes:
    if any(len(unit) > _MAX_UNIT for unit in units):
        raise BadConfig("a parameter set is too long")
    return b"".join(len(unit).to_bytes(2) + unit for unit in units)
