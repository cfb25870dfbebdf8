"""Access units of H.264 and HEVC in a row of NAL units, and which pictures belong together. Sans-IO."""

from __future__ import annotations

from headwater.ingest.codecs import BadConfig, h264
from headwater.ingest.codecs.nal import SequenceParameters
from headwater.ingest.media import Codec

AccessUnit = list[bytes]
"""NAL units of one picture, or of two fields of one frame, with what precedes them."""

_H264_SLICES = frozenset((1, 2, 5))
"""Slice, partition A, IDR slice: the NAL units that begin with first_mb_in_slice."""
_H264_BEFORE = frozenset((6, 7, 8, 9, 14, 15, 16, 17, 18))
"""NAL units that begin an access unit when they follow a slice (H.264 7.4.1.2.3)."""
_HEVC_BEFORE = frozenset((32, 33, 34, 35, 39, *range(41, 45), *range(48, 56)))
"""The same for HEVC (H.265 7.4.2.4.4)."""


def split_pictures(codec: Codec, units: list[bytes]) -> list[AccessUnit]:
    """Group NAL units by picture. The first group may continue the picture of before: see `continues`."""
    groups: list[AccessUnit] = []
    current: AccessUnit = []
    sliced = False
    kind_of = _h264_kind if codec is Codec.H264 else _hevc_kind
    for unit in units:
        slice_, first, before = kind_of(unit)
        if sliced and (before or (slice_ and first)):
            groups.append(current)
            current = []
            sliced = False
        current.append(unit)
        sliced = sliced or slice_
    if current:
        groups.append(current)
    return groups


def continues(codec: Codec, units: list[bytes]) -> bool:
    """Whether the units go on with a picture that began before them: a slice that is not its picture's first."""
    kind_of = _h264_kind if codec is Codec.H264 else _hevc_kind
    for unit in units:
        slice_, first, before = kind_of(unit)
        if slice_ or before:
            return slice_ and not first
    return False


def _h264_kind(unit: bytes) -> tuple[bool, bool, bool]:
    """(is it slice data, does it begin a picture, does it begin an access unit behind a slice)."""
    kind = unit[0] & 31
    if kind in _H264_SLICES:
        # first_mb_in_slice is ue(v): 0 is a single one bit.
        return True, len(unit) > 1 and unit[1] >= 0x80, False
    return 3 <= kind <= 4, False, kind in _H264_BEFORE


def _hevc_kind(unit: bytes) -> tuple[bool, bool, bool]:
    """As `_h264_kind`."""
    kind = unit[0] >> 1 & 63
    if kind < 32:
        # first_slice_segment_in_pic_flag
        return True, len(unit) > 2 and unit[2] >= 0x80, False
    return False, False, kind in _HEVC_BEFORE


def is_key(codec: Codec, units: AccessUnit) -> bool:
    """Whether the first slice is of an IDR (H.264) or IRAP (HEVC) picture."""
    for unit in units:
        if codec is Codec.H264:
            kind = unit[0] & 31
            if 1 <= kind <= 5:
                return kind == 5
        elif (kind := unit[0] >> 1 & 63) < 32:
            return 16 <= kind <= 21
    return False


def has_slice(codec: Codec, units: AccessUnit) -> bool:
    """Whether there is picture data."""
    if codec is Codec.H264:
        return any(1 <= unit[0] & 31 <= 5 for unit in units)
    return any(unit[0] >> 1 & 63 < 32 for unit in units)


def first_field(parameters: SequenceParameters, units: AccessUnit) -> tuple[int, bool] | None:
    """(frame_num, bottom) when the access unit is one field of an H.264 frame; None for a frame or what is damaged."""
    if not parameters.interlaced:
        return None
    for unit in units:
        if unit[0] & 31 in _H264_SLICES:
            try:
                return h264.field_of(unit, parameters)
            except BadConfig:
                return None
    return None


def is_pair(one: tuple[int, bool] | None, other: tuple[int, bool] | None) -> bool:
    """Whether two successive fields are one frame (H.264 3.30): equal frame_num, opposite parity."""
    return one is not None and other is not None and one[0] == other[0] and one[1] is not other[1]
