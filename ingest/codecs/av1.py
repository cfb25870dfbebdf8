"""AV1: av1C, sequence headers and OBUs (AV1-ISOBMFF 2.3, AV1 specification 5.3 to 5.5, annex A). Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from .bits import BitReader
from .errors import BadConfig
from .headers import VideoHeader, check_size, frame_rate

_SEQUENCE_HEADER = 1
_TEMPORAL_DELIMITER = 2
_FRAME_HEADER = 3
_FRAME = 6
_TILE_LIST = 8
_PADDING = 15
_DROPPED = frozenset({_TEMPORAL_DELIMITER, _TILE_LIST, _PADDING})
"""OBUs that a sample should not or must not hold (AV1-ISOBMFF 2.4)."""
_MAX_LEB128_BYTES = 8
_BT709, _SRGB, _IDENTITY = 1, 13, 0


@dataclass(slots=True)
class _Sequence:
    """The fields of a sequence header that we read."""

    profile: int = 0
    level: int = 0
    tier: int = 0
    width: int = 0
    height: int = 0
    bit_depth: int = 8
    monochrome: bool = False
    subsampling_x: bool = True
    subsampling_y: bool = True
    sample_position: int = 0
    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    described: bool = False
    full_range: bool = False
    frame_rate: Fraction | None = None


def read_config(config: bytes) -> VideoHeader:
    """Read an av1C body.

    Returns:
        The header; its `config` has profile, level and format as the sequence header says. Without a
        sequence header in the record, the record's own fields are used and the size is 0 x 0.

    Raises:
        BadConfig: not an av1C, or its sequence header is malformed.
    """
    if len(config) < 4 or config[0] != 0x81:
        raise BadConfig("av1C has an unknown marker or version")
    unit = find_sequence_header(config[4:])
    if unit is None:
        return VideoHeader(config, _codec_string(_record_fields(config)), 0, 0)
    sequence = _read_sequence_header(unit)
    check_size(sequence.width, sequence.height)
    return VideoHeader(
        config=_write_head(sequence) + bytes((config[3],)) + config[4:],
        codec_string=_codec_string(sequence),
        width=sequence.width,
        height=sequence.height,
        frame_rate=sequence.frame_rate,
        transfer=sequence.transfer,
    )


def with_sequence(config: bytes, payload: bytes) -> VideoHeader | None:
    """The header of an av1C that lacks the sequence header, completed from a temporal unit that has it.

    None when `payload` has no readable sequence header.
    """
    unit = find_sequence_header(payload)
    if unit is None:
        return None
    try:
        return read_config(config[:4] + sequence_header_obu(unit))
    except BadConfig:
        return None


def sequence_header_obu(unit: bytes) -> bytes:
    """The OBU of type 1 with its size field around a sequence header's payload.

    Raises:
        BadConfig: the payload is longer than any sequence header.
    """
    if len(unit) >= 1 << 14:
        raise BadConfig("AV1 sequence header is too long")
    # Two bytes of leb128() at most.
    size = bytes((len(unit),)) if len(unit) < 0x80 else bytes((len(unit) & 0x7F | 0x80, len(unit) >> 7))
    return bytes((_SEQUENCE_HEADER << 3 | 2,)) + size + unit


def _write_head(sequence: _Sequence) -> bytes:
    high = sequence.bit_depth > 8
    packed = sequence.tier << 7 | high << 6 | (sequence.bit_depth == 12) << 5 | sequence.monochrome << 4
    packed |= sequence.subsampling_x << 3 | sequence.subsampling_y << 2 | sequence.sample_position
    return bytes((0x81, sequence.profile << 5 | sequence.level, packed))


def _record_fields(config: bytes) -> _Sequence:
    """The sequence as the fixed bytes of the av1C describe it."""
    high, twelve = config[2] >> 6 & 1, config[2] >> 5 & 1
    return _Sequence(
        profile=config[1] >> 5,
        level=config[1] & 31,
        tier=config[2] >> 7,
        bit_depth=8 + 2 * high + 2 * (high & twelve),
        monochrome=bool(config[2] & 0x10),
    )


def _codec_string(sequence: _Sequence) -> str:
    """AV1-ISOBMFF 5: `av01.0.08M.08`, with the colour fields only where they differ from their defaults."""
    text = f"av01.{sequence.profile}.{sequence.level:02d}{'H' if sequence.tier else 'M'}.{sequence.bit_depth:02d}"
    colour = (sequence.primaries, sequence.transfer, sequence.matrix)
    if not sequence.described or (colour == (1, 1, 1) and not sequence.full_range):
        return text
    position = sequence.sample_position if sequence.subsampling_x and sequence.subsampling_y else 0
    chroma = f"{sequence.subsampling_x:d}{sequence.subsampling_y:d}{position}"
    values = ".".join(f"{value:02d}" for value in colour)
    return f"{text}.{sequence.monochrome:d}.{chroma}.{values}.{sequence.full_range:d}"


def _read_sequence_header(unit: bytes) -> _Sequence:
    """sequence_header_obu (5.5.1). `unit`: the OBU's payload."""
    sequence = _Sequence()
    bits = BitReader(unit)
    sequence.profile = bits.read(3)
    if sequence.profile > 2:
        raise BadConfig("unknown AV1 profile")
    bits.skip(1)  # still_picture
    reduced = bits.flag()  # reduced_still_picture_header
    if reduced:
        sequence.level = bits.read(5)
    else:
        _read_operating_points(bits, sequence)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    sequence.width = bits.read(width_bits) + 1
    sequence.height = bits.read(height_bits) + 1
    if not reduced and bits.flag():  # frame_id_numbers_present_flag
        bits.skip(7)
    bits.skip(3)
    if not reduced:
        _skip_tools(bits)
    bits.skip(3)  # enable_superres, enable_cdef, enable_restoration
    _read_colour(bits, sequence)
    return sequence


def _read_operating_points(bits: BitReader, sequence: _Sequence) -> None:
    """timing_info_present_flag to the last operating point; level and tier are those of point 0."""
    delay_bits = 0
    if bits.flag():  # timing_info_present_flag
        units, scale = bits.read(32), bits.read(32)
        if bits.flag():  # equal_picture_interval
            sequence.frame_rate = frame_rate(scale, units * (bits.unsigned() + 1))
        if bits.flag():  # decoder_model_info_present_flag
            delay_bits = bits.read(5) + 1
            bits.skip(42)
    display_delay = bits.flag()
    for index in range(bits.read(5) + 1):
        bits.skip(12)  # operating_point_idc
        level = bits.read(5)
        tier = bits.read(1) if level > 7 else 0
        if index == 0:
            sequence.level, sequence.tier = level, tier
        if delay_bits and bits.flag():  # decoder_model_present_for_this_op
            bits.skip(2 * delay_bits + 1)
        if display_delay and bits.flag():
            bits.skip(4)


def _skip_tools(bits: BitReader) -> None:
    """enable_interintra_compound to order_hint_bits_minus_1."""
    bits.skip(4)
    order_hint = bits.flag()
    if order_hint:
        bits.skip(2)
    # seq_choose_screen_content_tools, else seq_force_screen_content_tools
    screen_content = True if bits.flag() else bits.flag()
    if screen_content and not bits.flag():  # seq_choose_integer_mv
        bits.skip(1)
    if order_hint:
        bits.skip(3)


def _read_colour(bits: BitReader, sequence: _Sequence) -> None:
    """color_config (5.5.2)."""
    high = bits.flag()
    if sequence.profile == 2 and high:
        sequence.bit_depth = 12 if bits.flag() else 10
    else:
        sequence.bit_depth = 10 if high else 8
    sequence.monochrome = sequence.profile != 1 and bits.flag()
    sequence.described = bits.flag()
    if sequence.described:
        sequence.primaries, sequence.transfer, sequence.matrix = bits.read(8), bits.read(8), bits.read(8)
    if sequence.monochrome:
        sequence.full_range = bits.flag()
        return
    if (sequence.primaries, sequence.transfer, sequence.matrix) == (_BT709, _SRGB, _IDENTITY):
        sequence.full_range = True
        sequence.subsampling_x = sequence.subsampling_y = False
        return
    sequence.full_range = bits.flag()
    if sequence.profile == 1:
        sequence.subsampling_x = sequence.subsampling_y = False
    elif sequence.profile == 2 and sequence.bit_depth == 12:
        sequence.subsampling_x = bits.flag()
        sequence.subsampling_y = sequence.subsampling_x and bits.flag()
    elif sequence.profile == 2:
        sequence.subsampling_y = False
    if sequence.subsampling_x and sequence.subsampling_y:
        sequence.sample_position = bits.read(2)


def _next_obu(data: bytes, at: int) -> tuple[int, int, int] | None:
    """(type, start of the payload, end) of the OBU at `at` (5.3.1), or None when it is malformed.

    An OBU without a size field goes on to the end of the data.
    """
    header = data[at]
    start = at + (2 if header & 4 else 1)
    if header & 0x80 or start > len(data):
        return None
    kind = header >> 3 & 15
    if not header & 2:
        return kind, start, len(data)
    size = 0
    for index in range(_MAX_LEB128_BYTES):
        if start >= len(data):
            return None
        byte = data[start]
        start += 1
        size |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            end = start + size
            return (kind, start, end) if end <= len(data) else None
    return None


def _obus(data: bytes) -> Iterator[tuple[int, int, int]]:
    """`_next_obu` of each OBU, up to damage or the end."""
    at = 0
    while at < len(data) and (obu := _next_obu(data, at)) is not None:
        yield obu
        at = obu[2]


def find_sequence_header(data: bytes) -> bytes | None:
    """The payload of the first sequence header OBU, or None when there is none before damage or the end."""
    for kind, start, end in _obus(data):
        if kind == _SEQUENCE_HEADER:
            return data[start:end]
    return None


def is_shown_key_frame(payload: bytes) -> bool:
    """Whether the temporal unit has a sequence header, and its first frame is a shown key frame (7.6.1)."""
    sequence = False
    for kind, start, end in _obus(payload):
        if kind == _SEQUENCE_HEADER:
            sequence = True
        elif kind in (_FRAME_HEADER, _FRAME):
            # 5.9.2: show_existing_frame = 0, frame_type = KEY_FRAME, show_frame = 1.
            return sequence and start < end and payload[start] & 0xF0 == 0x10
    return False


def shows(payload: bytes) -> bool:
    """Whether a frame is shown: OBUs with one, and the hidden ones before it, make a temporal unit (7.5)."""
    for kind, start, end in _obus(payload):
        # 5.9.2: show_existing_frame, or show_frame behind frame_type.
        if kind in (_FRAME_HEADER, _FRAME) and start < end and payload[start] & 0x90:
            return True
    return False


def tidy(payload: bytes) -> bytes:
    """The temporal unit without temporal delimiters, tile lists, padding and a damaged end; itself if unchanged."""
    at = 0
    length = len(payload)
    while at < length:
        obu = _next_obu(payload, at)
        if obu is None or obu[0] in _DROPPED:
            return _rebuild(payload)
        at = obu[2]
    return payload


def _rebuild(payload: bytes) -> bytes:
    kept: list[bytes] = []
    at = 0
    for kind, _, end in _obus(payload):
        if kind not in _DROPPED:
            kept.append(payload[at:end])
        at = end
    return b"".join(kept)
