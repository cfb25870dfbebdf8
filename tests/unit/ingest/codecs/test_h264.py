from __future__ import annotations

from fractions import Fraction

import pytest
from tests.codec_vectors import AVCC_444, AVCC_BASELINE, AVCC_HIGH, AVCC_INTERLACED

from headwater.ingest.codecs import BadConfig
from headwater.ingest.codecs.h264 import field_of, is_idr, pps_id, read_config, read_sps

AUD, SEI, SPS, PPS, IDR, SLICE = b"\x09\xf0", b"\x06\x05\x01\x00\x80", b"\x67", b"\x68", b"\x65\x88", b"\x41\x9a"


def access_unit(*units: bytes, size: int = 4) -> bytes:
    return b"".join(len(unit).to_bytes(size) + unit for unit in units)


@pytest.mark.parametrize(
    ("config", "text", "size", "aspect", "rate"),
    [
        (AVCC_HIGH, "avc1.64000d", (322, 182), Fraction(4, 3), Fraction(30_000, 1_001)),
        (AVCC_BASELINE, "avc1.42c00a", (64, 64), Fraction(1), Fraction(25)),
        (AVCC_444, "avc1.f4000d", (322, 182), Fraction(1), Fraction(30_000, 1_001)),
        (AVCC_INTERLACED, "avc1.640015", (320, 184), Fraction(1), Fraction(25)),
    ],
)
def test_real_configurations(config: bytes, text: str, size: tuple[int, int], aspect: Fraction, rate: Fraction) -> None:
    header = read_config(config)
    assert header.codec_string == text
    assert (header.width, header.height) == size
    assert header.sample_aspect == aspect
    assert header.frame_rate == rate
    assert header.config == config


def test_each_truncation_is_refused_or_complete() -> None:
    for length in range(len(AVCC_HIGH) - 4):
        with pytest.raises(BadConfig):
            read_config(AVCC_HIGH[:length])


def test_missing_high_profile_fields_are_added() -> None:
    assert read_config(AVCC_HIGH[:-4]).config == AVCC_HIGH


def test_header_bytes_that_contradict_the_sps_are_corrected() -> None:
    wrong = AVCC_HIGH[:1] + bytes(3) + AVCC_HIGH[4:]
    assert read_config(wrong).config == AVCC_HIGH
    assert read_config(wrong).codec_string == "avc1.64000d"


def test_empty_parameter_sets_are_left_out() -> None:
    sps_end = 8 + 25
    odd = AVCC_HIGH[:5] + b"\xe2\x00\x00" + AVCC_HIGH[6:sps_end] + b"\x02\x00\x00" + AVCC_HIGH[sps_end + 1 :]
    assert read_config(odd).config == AVCC_HIGH


def test_without_sps_or_pps_it_is_refused() -> None:
    with pytest.raises(BadConfig, match="no SPS"):
        read_config(AVCC_HIGH[:5] + b"\xe0\x00")
    with pytest.raises(BadConfig, match="no PPS"):
        read_config(AVCC_HIGH[: 8 + 25] + b"\x00")
    with pytest.raises(BadConfig, match="no SPS"):
        read_config(AVCC_HIGH[:5] + b"\xe1\x00\x05\x68abcd\x01\x00\x01\x68")


def test_a_length_size_of_3_is_refused() -> None:
    with pytest.raises(BadConfig, match="3 bytes"):
        read_config(AVCC_HIGH[:4] + b"\xfe" + AVCC_HIGH[5:])


def test_a_vui_that_is_cut_short_costs_only_its_hints() -> None:
    sps = AVCC_HIGH[8 : 8 + 25]
    cut = sps[:14]
    header = read_config(AVCC_HIGH[:6] + len(cut).to_bytes(2) + cut + AVCC_HIGH[8 + 25 :])
    assert (header.width, header.height) == (322, 182)
    assert header.frame_rate is None


def test_scaling_lists_are_passed_over() -> None:
    # 100 00 10, ids 0, chroma 1, depths 8; scaling matrix: list 0 flat at once (delta -8), list 6 with 64 deltas of 0,
    # then counts, 2 x 2 macroblocks, no cropping, no VUI.
    text = "1" + "010" + "1" + "1" + "0" + "1"
    text += "1" + "000010001" + "00000" + "1" + "1" * 64 + "0"
    text += "1" + "1" + "1" + "1" + "0" + "010" + "010" + "1" + "1" + "0" + "0" + "1"
    text = text.ljust(-(-len(text) // 8) * 8, "0")
    sps = b"\x67\x64\x00\x0a" + int(text, 2).to_bytes(len(text) // 8)
    config = b"\x01\x64\x00\x0a\xff\xe1" + len(sps).to_bytes(2) + sps + b"\x01\x00\x01\x68"
    header = read_config(config)
    assert (header.width, header.height) == (32, 32)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_idr_is_found_behind_other_units(size: int) -> None:
    assert is_idr(access_unit(IDR, size=size), size)
    assert is_idr(access_unit(AUD, SEI, SPS, PPS, IDR, size=size), size)
    assert is_idr(access_unit(b"", AUD, IDR, IDR, size=size), size)


def test_the_first_slice_decides() -> None:
    assert not is_idr(access_unit(AUD, SLICE), 4)
    assert not is_idr(access_unit(AUD, SPS, PPS, SLICE), 4)
    assert not is_idr(access_unit(SLICE, IDR), 4)
    assert not is_idr(access_unit(AUD, SEI), 4)
    assert not is_idr(b"", 4)
    assert not is_idr(b"\xff\xff\xff\xff\x09", 4)


def test_ids_and_what_slices_of_fields_need() -> None:
    sps = AVCC_INTERLACED[8:32]
    parameters = read_sps(sps)
    assert (parameters.set_id, parameters.interlaced, parameters.separate_planes) == (0, True, False)
    assert 4 <= parameters.frame_num_bits <= 16
    assert not read_sps(AVCC_HIGH[8:33]).interlaced
    assert pps_id(b"\x68\xeb\xe3\xcb") == 0
    assert pps_id(b"\x68\x60") == 2
    with pytest.raises(BadConfig):
        pps_id(b"\x68")
    with pytest.raises(BadConfig):
        field_of(b"\x41\x80", parameters)
    # first_mb 0, slice type 7, PPS 0, frame_num 0, then field_pic_flag and bottom_field_flag.
    for flags, expected in (("00", None), ("10", (0, False)), ("11", (0, True))):
        bits = "1" + "0001000" + "1" + "0" * parameters.frame_num_bits + flags + "1" * 8
        data = int(bits.ljust(40, "0"), 2).to_bytes(5)
        assert field_of(b"\x41" + data, parameters) == expected
