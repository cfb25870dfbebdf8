"""Can decoding start here? Read from NAL units and OBUs, never from a container's flag. Sans-IO.

Sources: ITU-T H.264 table 7-1 and D.1; H.265 table 7-1; AV1 specification 5.3, 5.9.2. Never raises.
"""

from __future__ import annotations

from collections.abc import Iterator

from .looks import Access

MAX_UNITS = 512
"""Units read of one sample. Why: slices of a picture; more decide nothing."""

_RECOVERY_POINT = 6
"""SEI payload type (H.264 D.1.8, H.265 D.2.8)."""


def access(entry: str, sample: bytes, nal_length: int) -> Access:
    """Of one sample of a track with sample entry `entry`."""
    match entry:
        case "avc1" | "avc3":
            return _h264(sample, nal_length)
        case "hvc1" | "hev1":
            return _hevc(sample, nal_length)
        case "av01":
            return _av1(sample)
        case "mp4a" | "Opus" | "ac-3" | "ec-3" | "fLaC":
            return Access.KEY  # every audio frame
    return Access.UNKNOWN


def units(sample: bytes, nal_length: int) -> Iterator[bytes]:
    """The NAL units of a length-prefixed sample, as far as they fit."""
    at = 0
    for _ in range(MAX_UNITS):
        if at + nal_length > len(sample):
            return
        size = int.from_bytes(sample[at : at + nal_length], "big")
        at += nal_length
        if size and at + size <= len(sample):
            yield sample[at : at + min(size, 64)]
        at += size


def _h264(sample: bytes, nal_length: int) -> Access:
    recovery = False
    for unit in units(sample, nal_length):
        kind = unit[0] & 0x1F
        if kind == 5:
            return Access.KEY
        if kind == 6 and _sei_type(unit[1:]) == _RECOVERY_POINT:
            recovery = True
        elif 1 <= kind <= 4:
            return Access.RECOVERY if recovery else Access.NONE
    return Access.UNKNOWN


def _hevc(sample: bytes, nal_length: int) -> Access:
    recovery = False
    for unit in units(sample, nal_length):
        kind = unit[0] >> 1 & 0x3F
        if 16 <= kind <= 23:  # IRAP: BLA, IDR, CRA
            return Access.KEY
        if kind == 39 and _sei_type(unit[2:]) == _RECOVERY_POINT:
            recovery = True
        elif kind < 16:
            return Access.RECOVERY if recovery else Access.NONE
    return Access.UNKNOWN


def _sei_type(payload: bytes) -> int:
    total = 0
    for byte in payload:
        total += byte
        if byte != 0xFF:
            break
    return total


def _av1(sample: bytes) -> Access:
    at = 0
    for _ in range(MAX_UNITS):
        if at >= len(sample):
            break
        header = sample[at]
        at += 1 + (header >> 2 & 1)
        size = len(sample) - at
        if header & 2:
            size, at = _leb128(sample, at)
        kind = header >> 3 & 0xF
        # OBU_FRAME_HEADER and OBU_FRAME: show_existing_frame, then frame_type with KEY_FRAME = 0 (5.9.2)
        if kind in (3, 6) and at < len(sample):
            return Access.KEY if sample[at] >> 5 == 0 else Access.NONE
        at += size
    return Access.UNKNOWN


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        if at >= len(data):
            break
        byte = data[at]
        value |= (byte & 0x7F) << 7 * index
        at += 1
        if not byte & 0x80:
            break
    return value, at
