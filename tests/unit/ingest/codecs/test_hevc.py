from __future__ import annotations

from fractions import Fraction

import pytest
from tests.codec_vectors import HVCC_422, HVCC_MAIN, HVCC_MAIN10_PQ

from headwater.ingest.codecs import BadConfig
from headwater.ingest.codecs.headers import TRANSFER_PQ
from headwater.ingest.codecs.hevc import is_irap, pps_id, read_config, read_sps, vps_id


def access_unit(*kinds: int) -> bytes:
    return b"".join(b"\x00\x00\x00\x03" + bytes((kind << 1, 1, 0x80)) for kind in kinds)


@pytest.mark.parametrize(
    ("config", "text", "size", "aspect", "rate"),
    [
        (HVCC_MAIN, "hvc1.1.6.L60.90", (322, 182), Fraction(1), Fraction(30_000, 1_001)),
        (HVCC_MAIN10_PQ, "hvc1.2.4.L30.90", (64, 64), Fraction(1), Fraction(25)),
        (HVCC_422, "hvc1.4.10.L30.9D.8", (64, 64), Fraction(16, 11), Fraction(25)),
    ],
)
def test_real_configurations(config: bytes, text: str, size: tuple[int, int], aspect: Fraction, rate: Fraction) -> None:
    header = read_config(config)
    assert header.codec_string == text
    assert (header.width, header.height) == size
    assert header.sample_aspect == aspect
    assert header.frame_rate == rate


def test_transfer_characteristics() -> None:
    assert read_config(HVCC_MAIN10_PQ).transfer == TRANSFER_PQ
    assert read_config(HVCC_MAIN).transfer == 2


def test_only_array_completeness_changes_in_a_good_configuration() -> None:
    made = read_config(HVCC_MAIN).config
    differing = [(old, new) for old, new in zip(HVCC_MAIN, made, strict=True) if old != new]
    assert differing == [(0x20, 0xA0), (0x21, 0xA1), (0x22, 0xA2)]
    assert read_config(made).config == made


def test_header_bytes_that_contradict_the_sps_are_corrected() -> None:
    wrong = HVCC_MAIN10_PQ[:1] + bytes(12) + HVCC_MAIN10_PQ[13:16] + b"\xfc\xf8\xf8" + HVCC_MAIN10_PQ[19:]
    assert read_config(wrong) == read_config(HVCC_MAIN10_PQ)


def test_high_tier_and_profile_space_in_the_string() -> None:
    at = HVCC_MAIN.index(b"\x42\x01\x01") + 3
    config = HVCC_MAIN[:at] + b"\xa1" + HVCC_MAIN[at + 1 :]
    assert read_config(config).codec_string == "hvc1.B1.6.H60.90"


def test_each_truncation_is_refused() -> None:
    for length in range(len(HVCC_MAIN)):
        with pytest.raises(BadConfig):
            read_config(HVCC_MAIN[:length])


def test_missing_parameter_sets_are_named() -> None:
    for name, first in (("VPS", b"\x20\x00\x01"), ("SPS", b"\x21\x00\x01"), ("PPS", b"\x22\x00\x01")):
        config = HVCC_MAIN.replace(first, b"\x27" + first[1:])
        with pytest.raises(BadConfig, match=f"no {name}"):
            read_config(config)


def test_an_sps_that_is_cut_behind_its_size_costs_only_hints() -> None:
    at = HVCC_MAIN.index(b"\x21\x00\x01") + 3
    size = int.from_bytes(HVCC_MAIN[at : at + 2])
    sps = HVCC_MAIN[at + 2 : at + 2 + size - 12]
    config = HVCC_MAIN[:at] + len(sps).to_bytes(2) + sps + HVCC_MAIN[at + 2 + size :]
    header = read_config(config)
    assert (header.width, header.height, header.frame_rate) == (322, 182, None)


@pytest.mark.parametrize("kind", range(16, 22))
def test_irap_types_behind_other_units(kind: int) -> None:
    assert is_irap(access_unit(35, 32, 33, 34, 39, kind), 4)


@pytest.mark.parametrize("kind", [0, 1, 9, 15, 22, 31])
def test_other_pictures_are_no_random_access(kind: int) -> None:
    assert not is_irap(access_unit(35, 33, kind), 4)
    assert not is_irap(access_unit(kind, 19), 4)


def test_no_slice_is_no_random_access() -> None:
    assert not is_irap(access_unit(35, 39), 4)
    assert not is_irap(b"", 4)


def test_ids_of_parameter_sets() -> None:
    sps = HVCC_MAIN[22 + 1 + 5 + 24 + 5 :][:41]
    assert read_sps(sps).set_id == 0
    assert vps_id(b"\x40\x01\x3c") == 3
    assert pps_id(b"\x44\x01\xc1\x72") == 0
    assert pps_id(b"\x44\x01\x48") == 1
    with pytest.raises(BadConfig):
        pps_id(b"\x44\x01")
    with pytest.raises(BadConfig):
        vps_id(b"\x40\x01")
