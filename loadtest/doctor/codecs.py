"""Decoder configuration -> RFC 6381 codec string. Sans-IO.

Raises IndexError or struct.error for bytes that are cut off.

Sources: RFC 6381 3.3; ISO/IEC 14496-15 annex E; AV1 in ISOBMFF section 5; ISO/IEC 14496-1 7.2.6.
"""

from __future__ import annotations

import struct


def avc(entry: str, avcc: bytes) -> str:
    """`avc1.PPCCLL` from AVCDecoderConfigurationRecord."""
    return f"{entry}.{avcc[1:4].hex()}" if len(avcc) >= 4 else ""


def hevc(entry: str, hvcc: bytes) -> str:
    """`hvc1.A4.B.C.D…` from HEVCDecoderConfigurationRecord."""
    profile = hvcc[1]
    space = ("", "A", "B", "C")[profile >> 6]
    (compatible,) = struct.unpack_from(">I", hvcc, 2)
    flipped = int(f"{compatible:032b}"[::-1], 2)
    tier = "H" if profile & 0x20 else "L"
    constraints = hvcc[6:12].rstrip(b"\0")
    tail = "".join(f".{byte:X}" for byte in constraints)
    return f"{entry}.{space}{profile & 0x1F}.{flipped:X}.{tier}{hvcc[12]}{tail}"


def av1(av1c: bytes) -> str:
    """`av01.P.LLT.DD` from AV1CodecConfigurationRecord."""
    profile, level = av1c[1] >> 5, av1c[1] & 0x1F
    tier = "H" if av1c[2] & 0x80 else "M"
    high, twelve = av1c[2] & 0x40, av1c[2] & 0x20
    depth = (12 if twelve and profile == 2 else 10) if high else 8
    return f"av01.{profile}.{level:02d}{tier}.{depth:02d}"


def vp9(entry: str, vpcc: bytes) -> str:
    """`vp09.PP.LL.DD` from VPCodecConfigurationRecord, after version and flags."""
    return f"{entry}.{vpcc[4]:02d}.{vpcc[5]:02d}.{vpcc[6] >> 4:02d}"


def mp4a(esds: bytes) -> str:
    """`mp4a.40.N` from an ES_Descriptor (the body of `esds` after version and flags)."""
    at = 0
    object_type = 0
    while at < len(esds):
        tag = esds[at]
        size, at = _size(esds, at + 1)
        if tag == 3:  # ES_Descriptor: id, flags, then what the flags say
            flags = esds[at + 2]
            at += (
                3 + (2 if flags & 0x80 else 0) + (1 + esds[at + 3] if flags & 0x40 else 0) + (2 if flags & 0x20 else 0)
            )
        elif tag == 4:  # DecoderConfigDescriptor
            object_type = esds[at]
            if object_type != 0x40:
                return f"mp4a.{object_type:x}"
            at += 13
        elif tag == 5:  # DecoderSpecificInfo: AudioSpecificConfig
            kind = esds[at] >> 3
            if kind == 31:
                kind = 32 + ((esds[at] & 7) << 3 | esds[at + 1] >> 5)
            return f"mp4a.40.{kind}"
        else:
            at += size
    return "mp4a.40" if object_type else ""


def _size(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for _ in range(4):
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            break
    return value, at


def family(codec: str) -> str:
    """What decides which decoder a player takes: the part of a codec string that names the format."""
    name = codec.strip().split(".")[0].lower()
    same = {"avc3": "avc1", "hev1": "hvc1", "dvhe": "dvh1", "fl-ac": "flac"}
    return same.get(name, name)
