"""HEVC: hvcC and sequence parameter sets (ISO/IEC 14496-15 8.3.3 and annex E, ITU-T H.265 7.3.2.2). Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass

from .bits import BitReader, ByteReader, unescape
from .errors import BadConfig
from .headers import VideoHeader, frame_rate
from .nal import SequenceParameters, cropped, sample_aspect, signal_type

_VPS, _SPS, _PPS = 32, 33, 34
_FIRST_NON_VCL = 32
_FIRST_IRAP, _LAST_IRAP = 16, 21
"""BLA_W_LP to CRA_NUT (H.265 table 7-1)."""
_MAX_REFERENCE_SETS = 64
_MAX_PICTURES = 16
_MAX_LONG_TERM = 32


@dataclass(slots=True)
class _Parameters(SequenceParameters):
    profile: bytes = b""
    """general_profile_space to general_level_idc: 12 bytes, as hvcC holds them."""


def read_config(config: bytes) -> VideoHeader:
    """Read an hvcC body.

    Returns:
        The header; its `config` holds the same NAL units, with profile, level and format as the first SPS
        says and array_completeness set, as `hvc1` demands (14496-15 8.4.1.1).

    Raises:
        BadConfig: not an hvcC, or without VPS, SPS or PPS.
    """
    record = ByteReader(config)
    head = record.take(22)
    if head[0] != 1:
        raise BadConfig("hvcC has an unknown version")
    if head[21] & 3 == 2:
        raise BadConfig("NAL length prefixes of 3 bytes do not exist")
    arrays = _read_arrays(record)
    for kind, name in ((_VPS, "VPS"), (_SPS, "SPS"), (_PPS, "PPS")):
        if not any(units and header & 63 == kind for header, units in arrays):
            raise BadConfig(f"hvcC holds no {name}")
    sps = next(units[0] for header, units in arrays if header & 63 == _SPS and units)
    parameters = read_sps(sps)
    return parameters.header(_write_config(head, arrays, parameters), _codec_string(parameters.profile))


def _read_arrays(record: ByteReader) -> list[tuple[int, list[bytes]]]:
    """Each array's first byte (array_completeness, NAL_unit_type) and its units that are not empty."""
    arrays = []
    for _ in range(record.number(1)):
        header = record.number(1)
        units = [record.take(record.number(2)) for _ in range(record.number(2))]
        arrays.append((header, [unit for unit in units if unit]))
    return arrays


def _write_config(head: bytes, arrays: list[tuple[int, list[bytes]]], parameters: _Parameters) -> bytes:
    out = bytearray(head)
    out[1:13] = parameters.profile
    out[16] = 0xFC | parameters.chroma_format
    out[17] = 0xF8 | (parameters.bit_depth_luma - 8)
    out[18] = 0xF8 | (parameters.bit_depth_chroma - 8)
    arrays = [(header, units) for header, units in arrays if units]
    out.append(len(arrays))
    for header, units in arrays:
        complete = header & 63 in (_VPS, _SPS, _PPS)
        out.append((header & 63) | (0x80 if complete else header & 0x80))
        out += len(units).to_bytes(2)
        for unit in units:
            out += len(unit).to_bytes(2) + unit
    return bytes(out)


def _codec_string(profile: bytes) -> str:
    """RFC 6381 string of 12 profile bytes (14496-15 E.3): `hvc1.1.6.L93.B0`."""
    space = ("", "A", "B", "C")[profile[0] >> 6]
    compatibility = int(f"{int.from_bytes(profile[1:5]):032b}"[::-1], 2)
    tier = "H" if profile[0] & 0x20 else "L"
    constraints = profile[5:11].rstrip(b"\x00")
    parts = [f"hvc1.{space}{profile[0] & 31}", f"{compatibility:X}", f"{tier}{profile[11]}"]
    return ".".join(parts + [f"{byte:X}" for byte in constraints])


def read_sps(unit: bytes) -> _Parameters:
    """seq_parameter_set_rbsp (7.3.2.2.1). `unit`: the NAL unit, with its header. Raises BadConfig."""
    parameters = _Parameters()
    bits = BitReader(unescape(unit)[2:])
    bits.skip(4)
    sub_layers = bits.read(3)
    bits.skip(1)
    parameters.profile = bits.read(96).to_bytes(12)
    _skip_sub_layer_profiles(bits, sub_layers)
    parameters.set_id = bits.unsigned()
    _read_picture_format(bits, parameters)
    order_bits = bits.unsigned() + 4
    if order_bits > 16:
        raise BadConfig("picture order count is too wide")
    for _ in range(sub_layers + 1 if bits.flag() else 1):
        for _ in range(3):
            bits.unsigned()
    try:
        _skip_tools(bits, order_bits)
        if bits.flag():  # vui_parameters_present_flag
            _read_vui(bits, parameters)
    except BadConfig:
        # Size and profile are known here; what follows only adds hints, and vendors cut or extend it.
        return parameters
    return parameters


def _read_picture_format(bits: BitReader, parameters: _Parameters) -> None:
    parameters.chroma_format = bits.unsigned()
    if parameters.chroma_format > 3:
        raise BadConfig("unknown chroma format")
    separate_planes = parameters.chroma_format == 3 and bits.flag()
    width, height = bits.unsigned(), bits.unsigned()
    if bits.flag():  # conformance_window_flag
        columns, rows = cropped(bits, 0 if separate_planes else parameters.chroma_format)
        width -= columns
        height -= rows
    parameters.width, parameters.height = width, height
    parameters.bit_depth_luma = 8 + bits.unsigned()
    parameters.bit_depth_chroma = 8 + bits.unsigned()
    if max(parameters.bit_depth_luma, parameters.bit_depth_chroma) > 15:
        raise BadConfig("unknown bit depth")


def _skip_sub_layer_profiles(bits: BitReader, sub_layers: int) -> None:
    """The sub-layer half of profile_tier_level (7.3.3)."""
    present = [(bits.flag(), bits.flag()) for _ in range(sub_layers)]
    if sub_layers:
        bits.skip(2 * (8 - sub_layers))
    for profile, level in present:
        bits.skip((88 if profile else 0) + (8 if level else 0))


def _skip_tools(bits: BitReader, order_bits: int) -> None:
    """Block sizes to strong_intra_smoothing_enabled_flag."""
    for _ in range(6):
        bits.unsigned()
    if bits.flag() and bits.flag():  # scaling_list_enabled_flag, sps_scaling_list_data_present_flag
        _skip_scaling_lists(bits)
    bits.skip(2)  # amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if bits.flag():  # pcm_enabled_flag
        bits.skip(8)
        bits.unsigned()
        bits.unsigned()
        bits.skip(1)
    count = bits.unsigned()
    if count > _MAX_REFERENCE_SETS:
        raise BadConfig("too many reference picture sets")
    pictures = 0
    for index in range(count):
        pictures = _skip_reference_set(bits, index, pictures)
    if bits.flag():  # long_term_ref_pics_present_flag
        count = bits.unsigned()
        if count > _MAX_LONG_TERM:
            raise BadConfig("too many long-term reference pictures")
        bits.skip(count * (order_bits + 1))
    bits.skip(2)


def _skip_scaling_lists(bits: BitReader) -> None:
    """scaling_list_data (7.3.4)."""
    for size in range(4):
        for _ in range(0, 6, 3 if size == 3 else 1):
            if not bits.flag():  # scaling_list_pred_mode_flag
                bits.unsigned()
                continue
            if size > 1:
                bits.signed()
            for _ in range(min(64, 1 << (4 + (size << 1)))):
                bits.signed()


def _skip_reference_set(bits: BitReader, index: int, previous: int) -> int:
    """st_ref_pic_set (7.3.7) inside an SPS; returns NumDeltaPocs. `previous`: that of the set before."""
    if index and bits.flag():  # inter_ref_pic_set_prediction_flag
        bits.skip(1)
        bits.unsigned()
        kept = 0
        for _ in range(previous + 1):
            # used_by_curr_pic_flag, else use_delta_flag
            if bits.flag() or bits.flag():
                kept += 1
        return kept
    negative, positive = bits.unsigned(), bits.unsigned()
    if negative > _MAX_PICTURES or positive > _MAX_PICTURES:
        raise BadConfig("too many reference pictures")
    for _ in range(negative + positive):
        bits.unsigned()
        bits.skip(1)
    return negative + positive


def _read_vui(bits: BitReader, parameters: _Parameters) -> None:
    """vui_parameters (E.2.1) up to the timing."""
    parameters.sample_aspect = sample_aspect(bits)
    parameters.transfer = signal_type(bits)
    bits.skip(3)  # neutral_chroma_indication_flag, field_seq_flag, frame_field_info_present_flag
    if bits.flag():  # default_display_window_flag
        for _ in range(4):
            bits.unsigned()
    if bits.flag():  # vui_timing_info_present_flag
        units, scale = bits.read(32), bits.read(32)
        parameters.frame_rate = frame_rate(scale, units)


def vps_id(unit: bytes) -> int:
    """vps_video_parameter_set_id of a VPS (7.3.2.1). Raises BadConfig."""
    return BitReader(unit[2:]).read(4)


def pps_id(unit: bytes) -> int:
    """pps_pic_parameter_set_id of a PPS (7.3.2.3). Raises BadConfig."""
    return BitReader(unescape(unit[2:32])).unsigned()


def is_irap(payload: bytes, length_size: int) -> bool:
    """Whether the first slice of the access unit is of an IRAP picture, whatever AUD, SEI or sets precede it."""
    at = 0
    length = len(payload)
    while (start := at + length_size) < length:
        size = int.from_bytes(payload[at:start])
        kind = payload[start] >> 1 & 63
        if size and kind < _FIRST_NON_VCL:
            return _FIRST_IRAP <= kind <= _LAST_IRAP
        at = start + size
    return False
