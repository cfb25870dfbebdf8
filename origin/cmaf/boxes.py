"""Framing of ISO-BMFF boxes (ISO/IEC 14496-12, section 4.2), and the one error of this folder. Sans-IO."""

from __future__ import annotations

import struct

_UINT32 = struct.Struct(">I")

UNITY_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
"""No rotation, no scaling (14496-12, 6.2.2)."""


class UnsupportedTrack(ValueError):
    """The track cannot be carried in MP4 or HLS; the text is the reason that `supported` gives."""


def box(kind: bytes, *payload: bytes) -> bytes:
    """One box: 32-bit size, four-character `kind`, payload. Used for headers only, far below 4 GiB."""
    body = b"".join(payload)
    return _UINT32.pack(8 + len(body)) + kind + body


def full_box(kind: bytes, version: int, flags: int, *payload: bytes) -> bytes:
    """A box with a version (8 bits) and flags (24 bits)."""
    return box(kind, _UINT32.pack(version << 24 | flags), *payload)
