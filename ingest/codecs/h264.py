"""H.264: avcC and sequence parameter sets (ISO/IEC 14496-15 5.3.3, ITU-T H.264 7.3.2.1, annex E). Sans-IO."""

from __future__ import annotations

from .bits import BitReader, ByteReader, unescape
from .errors import BadConfig
from .headers import VideoHeader, frame_rate
from .nal import SequenceParameters, cropped, sample_aspect, signal_type

_IDR = 5
_LAST_VCL = 5
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
"""profile_idc whose SPS carries chroma_format_idc (7.3.2.1.1)."""
_AVCC_EXTENSION = frozenset({100, 110, 122, 144, 244, 44})
"""profile_idc whose avcC carries chroma format and bit depths (14496-15 5.3.3.1.2)."""


def read_config(config: bytes) -> VideoHeader:
    """Read an avcC body.

    Returns:
        The header; its `config` holds the same parameter sets, with profile, level and the high-profile
        fields as the first SPS says.

    Raises:
        BadConfig: not an avcC, or without SPS or PPS.
    """
    record = ByteReader(config)
    if record.number(1) != 1:
        raise BadConfig("avcC has an unknown version")
    record.take(3)
    length_size = (record.number(1) & 3) + 1
    if length_size == 3:
        raise BadConfig("NAL length prefixes of 3 bytes do not exist")
    sets = [record.take(record.number(2)) for _ in range(record.number(1) & 31)]
    sps = [unit for unit in sets if unit]
    if not sps:
        raise BadConfig("avcC holds no SPS")
    sets = [record.take(record.number(2)) for _ in range(record.number(1) if record.left else 0)]
    pps = [unit for unit in sets if unit]
    if not pps:
        raise BadConfig("avcC holds no PPS")
    if len(sps[0]) < 4 or sps[0][0] & 31 != 7:
        raise BadConfig("the first parameter set of avcC is no SPS")
    parameters = read_sps(sps[0])
    # RFC 6381 3.3: profile_idc, constraint flags, level_idc in hexadecimal.
    return parameters.header(_write_config(length_size, sps, pps, parameters), f"avc1.{sps[0][1:4].hex()}")


def _write_config(length_size: int, sps: list[bytes], pps: list[bytes], parameters: SequenceParameters) -> bytes:
    # An avcC whose header bytes contradict its SPS, or which lacks the high-profile fields, fails in some
    # decoders and passes in others: what goes out follows the SPS.
    out = bytearray((1, *sps[0][1:4], 0xFC | (length_size - 1), 0xE0 | len(sps)))
    for unit in sps:
        out += len(unit).to_bytes(2) + unit
    out.append(len(pps))
    for unit in pps:
        out += len(unit).to_bytes(2) + unit
    if sps[0][1] in _AVCC_EXTENSION:
        out += bytes(
            (
                0xFC | parameters.chroma_format,
                0xF8 | (parameters.bit_depth_luma - 8),
                0xF8 | (parameters.bit_depth_chroma - 8),
                0,
            )
        )
    return bytes(out)


def read_sps(unit: bytes) -> SequenceParameters:
    """seq_parameter_set_data (7.3.2.1.1). `unit`: the NAL unit, with its header. Raises BadConfig."""
    parameters = SequenceParameters()
    bits = BitReader(unescape(unit)[1:])
    profile = bits.read(8)
    bits.skip(16)
    parameters.set_id = bits.unsigned()
    if profile in _HIGH_PROFILES:
        _read_format(bits, parameters)
    parameters.frame_num_bits = 4 + bits.unsigned()
    if parameters.frame_num_bits > 16:
        raise BadConfig("frame_num is too wide")
    _skip_picture_order(bits)
    bits.unsigned()  # max_num_ref_frames
    bits.skip(1)  # gaps_in_frame_num_value_allowed_flag
    width = (bits.unsigned() + 1) * 16
    height = (bits.unsigned() + 1) * 16
    frame_mbs_only = bits.flag()
    if not frame_mbs_only:
        parameters.interlaced = True
        height *= 2
        bits.skip(1)  # mb_adaptive_frame_field_flag
    bits.skip(1)  # direct_8x8_inference_flag
    if bits.flag():  # frame_cropping_flag
        columns, rows = cropped(bits, 0 if parameters.separate_planes else parameters.chroma_format)
        # 7.4.2.1.1: CropUnitX = SubWidthC, CropUnitY = SubHeightC * (2 - frame_mbs_only_flag).
        width -= columns
        height -= rows * (1 if frame_mbs_only else 2)
    parameters.width, parameters.height = width, height
    if bits.left and bits.flag():  # vui_parameters_present_flag
        _read_vui(bits, parameters)
    return parameters


def _read_format(bits: BitReader, parameters: SequenceParameters) -> None:
    """chroma_format_idc to the scaling matrix."""
    parameters.chroma_format = bits.unsigned()
    if parameters.chroma_format > 3:
        raise BadConfig("unknown chroma format")
    parameters.separate_planes = parameters.chroma_format == 3 and bits.flag()
    parameters.bit_depth_luma = 8 + bits.unsigned()
    parameters.bit_depth_chroma = 8 + bits.unsigned()
    if max(parameters.bit_depth_luma, parameters.bit_depth_chroma) > 14:
        raise BadConfig("unknown bit depth")
    bits.skip(1)  # qpprime_y_zero_transform_bypass_flag
    if bits.flag():  # seq_scaling_matrix_present_flag
        for index in range(12 if parameters.chroma_format == 3 else 8):
            if bits.flag():
                _skip_scaling_list(bits, 16 if index < 6 else 64)


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    """scaling_list (7.3.2.1.1.1)."""
    scale = 8
    for _ in range(size):
        scale = (scale + bits.signed()) % 256
        if scale == 0:
            return


def _skip_picture_order(bits: BitReader) -> None:
    order_type = bits.unsigned()
    if order_type == 0:
        bits.unsigned()  # log2_max_pic_order_cnt_lsb_minus4
    elif order_type == 1:
        bits.skip(1)
        bits.signed()
        bits.signed()
        count = bits.unsigned()
        if count > 255:
            raise BadConfig("picture order cycle is too long")
        for _ in range(count):
            bits.signed()


def _read_vui(bits: BitReader, parameters: SequenceParameters) -> None:
    """vui_parameters (E.1.1) up to the timing."""
    try:
        parameters.sample_aspect = sample_aspect(bits)
        parameters.transfer = signal_type(bits)
        if bits.flag():  # timing_info_present_flag
            units, scale = bits.read(32), bits.read(32)
            # E.2.1: a tick is a field's time, also for progressive pictures.
            parameters.frame_rate = frame_rate(scale, 2 * units)
    except BadConfig:
        # Some hardware cuts the VUI short. Nothing in it is needed to decode.
        return


def field_of(unit: bytes, parameters: SequenceParameters) -> tuple[int, bool] | None:
    """(frame_num, bottom_field_flag) of a slice of a field; None when its picture is a frame (7.3.3).

    Raises:
        BadConfig: the slice header is cut short.
    """
    bits = BitReader(unescape(unit[1:32]))
    for _ in range(3):  # first_mb_in_slice, slice_type, pic_parameter_set_id
        bits.unsigned()
    if parameters.separate_planes:
        bits.skip(2)
    frame_num = bits.read(parameters.frame_num_bits)
    if not parameters.interlaced or not bits.flag():
        return None
    return frame_num, bits.flag()


def pps_id(unit: bytes) -> int:
    """pic_parameter_set_id of a PPS (7.3.2.2). Raises BadConfig."""
    return BitReader(unescape(unit[1:32])).unsigned()


def is_idr(payload: bytes, length_size: int) -> bool:
    """Whether the first slice of the access unit is of an IDR picture, whatever AUD, SEI or sets precede it."""
    at = 0
    length = len(payload)
    while (start := at + length_size) < length:
        size = int.from_bytes(payload[at:start])
        kind = payload[start] & 31
        if size and 1 <= kind <= _LAST_VCL:
            return kind == _IDR
        at = start + size
    return False
