"""VP9: vpcC and the uncompressed frame header (VP Codec ISO Media File Format Binding 1.0; VP9 7.2). Sans-IO."""

from __future__ import annotations

from .bits import BitReader
from .errors import BadConfig
from .headers import VideoHeader, check_size

_RECORD = 8
_FULL_BOX = 4
_SYNC_CODE = 0x498342
_RGB = 7
_LEVELS = (
    (36_864, 10),
    (73_728, 11),
    (122_880, 20),
    (245_760, 21),
    (552_960, 30),
    (983_040, 31),
    (2_228_224, 40),
    (8_912_896, 50),
    (35_651_584, 60),
)
"""(largest luma picture size, level) of the VP9 levels."""


def read_config(config: bytes) -> VideoHeader:
    """Read a vpcC body, with or without the version and flags of its full box.

    Returns:
        The header, without a size: VP9 writes it into key frames only.

    Raises:
        BadConfig: it is neither, or its fields are impossible.
    """
    if len(config) >= _FULL_BOX + _RECORD and config[:_FULL_BOX] == b"\x01\x00\x00\x00":
        record = config[_FULL_BOX : _FULL_BOX + _RECORD]
    elif len(config) >= _RECORD:
        record = config[:_RECORD]
    else:
        raise BadConfig("vpcC is truncated")
    bit_depth = record[2] >> 4
    if record[0] > 3 or bit_depth not in (8, 10, 12):
        raise BadConfig("vpcC has an unknown profile or bit depth")
    # codecInitializationDataSize must be 0 for VP9.
    record = record[:6] + b"\x00\x00"
    return VideoHeader(b"\x01\x00\x00\x00" + record, _codec_string(record), 0, 0, transfer=record[4])


def _codec_string(record: bytes) -> str:
    """`vp09.PP.LL.DD`, with the colour fields only where they differ from their defaults."""
    text = f"vp09.{record[0]:02d}.{record[1]:02d}.{record[2] >> 4:02d}"
    chroma, full_range = record[2] >> 1 & 7, record[2] & 1
    colour = (chroma, record[3], record[4], record[5], full_range)
    if colour in ((1, 1, 1, 1, 0), (0, 1, 1, 1, 0), (1, 2, 2, 2, 0), (0, 2, 2, 2, 0)):
        return text
    return text + "".join(f".{value:02d}" for value in colour)


def with_size(config: bytes, payload: bytes) -> VideoHeader | None:
    """The header of `config`, completed from a key frame; None when `payload` is no readable key frame.

    A vpcC whose level is unset (0) gets the lowest level that holds the picture.
    """
    try:
        width, height = _frame_size(payload)
        check_size(width, height)
        header = read_config(config)
    except BadConfig:
        return None
    record = header.config[_FULL_BOX:]
    if record[1] == 0:
        level = next((level for size, level in _LEVELS if width * height <= size), 62)
        record = record[:1] + bytes((level,)) + record[2:]
    return VideoHeader(
        header.config[:_FULL_BOX] + record, _codec_string(record), width, height, transfer=header.transfer
    )


def _frame_size(payload: bytes) -> tuple[int, int]:
    """Width and height of a key frame (uncompressed_header, 6.2)."""
    if not is_key_frame(payload):
        raise BadConfig("not a key frame")
    bits = BitReader(payload[:32])
    bits.skip(2)
    profile = bits.read(1) | bits.read(1) << 1
    bits.skip(5 if profile == 3 else 4)
    if bits.read(24) != _SYNC_CODE:
        raise BadConfig("key frame has no sync code")
    if profile >= 2:
        bits.skip(1)
    if bits.read(3) != _RGB:
        bits.skip(4 if profile & 1 else 1)
    elif profile & 1:
        bits.skip(1)
    return bits.read(16) + 1, bits.read(16) + 1


def is_key_frame(payload: bytes) -> bool:
    """Whether the (super)frame starts with a key frame: frame_marker 2, show_existing_frame 0, frame_type 0."""
    if not payload or payload[0] >> 6 != 2:
        return False
    shift = 1 if payload[0] & 0x30 == 0x30 else 0  # profile 3 has a reserved bit more
    return not payload[0] & (0x0C >> shift)
