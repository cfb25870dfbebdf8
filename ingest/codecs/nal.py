"""NAL units with length prefixes (ISO/IEC 14496-15 5.3.3), and what the SPS of H.264 and HEVC share. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .bits import BitReader
from .headers import VideoHeader, check_size

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


@dataclass(slots=True)
class SequenceParameters:
    """The fields of an SPS that we read."""

    set_id: int = 0
    """seq_parameter_set_id."""
    chroma_format: int = 1
    bit_depth_luma: int = 8
    bit_depth_chroma: int = 8
    width: int = 0
    height: int = 0
    sample_aspect: Fraction = Fraction(1)
    frame_rate: Fraction | None = None
    transfer: int = 2
    interlaced: bool = False
    """H.264: pictures may be fields (frame_mbs_only_flag = 0)."""
    frame_num_bits: int = 4
    """H.264: bits of frame_num."""
    separate_planes: bool = False
    """H.264: separate_colour_plane_flag."""

    def header(self, config: bytes, codec_string: str) -> VideoHeader:
        """The header of a configuration with this SPS.

        Raises:
            BadConfig: the size is none that a decoder takes.
        """
        check_size(self.width, self.height)
        return VideoHeader(
            config,
            codec_string,
            self.width,
            self.height,
            sample_aspect=self.sample_aspect,
            frame_rate=self.frame_rate,
            transfer=self.transfer,
        )


def cropped(bits: BitReader, chroma: int) -> tuple[int, int]:
    """Read the offsets of a cropping window (H.264 7.4.2.1.1, HEVC 7.4.3.2.1): luma columns and rows to leave out.

    `chroma`: ChromaArrayType. Rows count in fields where an H.264 picture may be interlaced.
    """
    left, right, top, bottom = (bits.unsigned() for _ in range(4))
    # Table 6-1 of both: SubWidthC and SubHeightC.
    return (left + right) * (2 if chroma in (1, 2) else 1), (top + bottom) * (2 if chroma == 1 else 1)


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
