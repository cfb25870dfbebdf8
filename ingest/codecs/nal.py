"""NAL units with length prefixes (ISO/IEC 14496-15 5.3.3), and the VUI fields that H.264 and HEVC share. Sans-IO."""

from __future__ import annotations

from fractions import Fraction

from .bits import BitReader

_EXTENDED_SAR = 255
_SAMPLE_ASPECTS = (
    Fraction(1),  # 0: unspecified
    Fraction(1),
    Fraction(12, 11),
    Fraction(10, 11),
    Fraction(16, 11),
    Fraction(40, 33),
    Fraction(24, 11),
    Fraction(20, 11),
    Fraction(32, 11),
    Fraction(80, 33),
    Fraction(18, 11),
    Fraction(15, 11),
    Fraction(64, 33),
    Fraction(160, 99),
    Fraction(4, 3),
    Fraction(3, 2),
    Fraction(2),
)
"""aspect_ratio_idc (H.264 table E-1, HEVC table E-1)."""


def tidy(payload: bytes, size: int) -> bytes:
    """The access unit without zero-length NAL units and without a last one that overruns the payload.

    Args:
        payload: NAL units, each behind a big-endian length of `size` bytes.
        size: 1, 2 or 4.

    Returns:
        `payload` itself when it is well-formed.
    """
    length = len(payload)
    at = 0
    while at + size <= length:
        unit = int.from_bytes(payload[at : at + size])
        if unit == 0:
            return _rebuild(payload, size)
        at += size + unit
    return payload if at == length else _rebuild(payload, size)


def _rebuild(payload: bytes, size: int) -> bytes:
    kept: list[bytes] = []
    length = len(payload)
    at = 0
    while at + size < length:
        end = at + size + int.from_bytes(payload[at : at + size])
        if end > length:
            break
        if end > at + size:
            kept.append(payload[at:end])
        at = end
    return b"".join(kept)


def sample_aspect(bits: BitReader) -> Fraction:
    """Read aspect_ratio_info of a VUI (H.264 E.1.1, HEVC E.2.1): width : height of one pixel, 1 when unspecified."""
    if not bits.flag():
        return Fraction(1)
    idc = bits.read(8)
    if idc == _EXTENDED_SAR:
        width, height = bits.read(16), bits.read(16)
        return Fraction(width, height) if width and height else Fraction(1)
    return _SAMPLE_ASPECTS[idc] if idc < len(_SAMPLE_ASPECTS) else Fraction(1)


def signal_type(bits: BitReader) -> int:
    """Read overscan_info, video_signal_type and chroma_loc_info of a VUI: transfer_characteristics, 2 when unset."""
    transfer = 2
    if bits.flag():  # overscan_info_present_flag
        bits.skip(1)
    if bits.flag():  # video_signal_type_present_flag
        bits.skip(4)  # video_format, video_full_range_flag
        if bits.flag():  # colour_description_present_flag
            bits.skip(8)
            transfer = bits.read(8)
            bits.skip(8)
    if bits.flag():  # chroma_loc_info_present_flag
        bits.unsigned()
        bits.unsigned()
    return transfer
