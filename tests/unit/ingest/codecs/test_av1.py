from __future__ import annotations

import pytest
from tests.codec_vectors import AV1_KEY_FRAME, AV1_SHOW_EXISTING, AV1C, AV1C_HLG

from headwater.ingest.codecs import BadConfig
from headwater.ingest.codecs.av1 import (
    find_sequence_header,
    is_shown_key_frame,
    read_config,
    shows,
    tidy,
    with_sequence,
)
from headwater.ingest.codecs.headers import TRANSFER_HLG

DELIMITER = b"\x12\x00"
SEQUENCE = AV1_KEY_FRAME[2:17]
FRAME = AV1_KEY_FRAME[17:]


def test_real_configurations() -> None:
    header = read_config(AV1C)
    assert (header.codec_string, header.width, header.height) == ("av01.0.00M.08", 322, 182)
    assert header.config == AV1C
    header = read_config(AV1C_HLG)
    assert header.codec_string == "av01.0.00M.10.0.110.09.18.09.0"
    assert (header.width, header.height, header.transfer) == (64, 64, TRANSFER_HLG)
    assert header.config == AV1C_HLG


def test_fixed_bytes_that_contradict_the_sequence_header_are_corrected() -> None:
    assert read_config(b"\x81\x00\x0c\x00" + AV1C_HLG[4:]).config == AV1C_HLG


def test_without_a_sequence_header_the_record_speaks_and_a_frame_completes_it() -> None:
    bare = AV1C_HLG[:4]
    header = read_config(bare)
    assert (header.codec_string, header.width, header.height) == ("av01.0.00M.10", 0, 0)
    assert read_config(b"\x81\x2d\xc0\x00").codec_string == "av01.1.13H.10"
    assert read_config(b"\x81\x4d\x60\x00").codec_string == "av01.2.13M.12"
    assert with_sequence(bare, AV1_KEY_FRAME) == read_config(AV1C_HLG)
    assert with_sequence(bare, AV1_SHOW_EXISTING) is None
    assert with_sequence(bare, b"\x0a\x01\xff") is None


def test_a_long_sequence_header_gets_a_long_size() -> None:
    padded = SEQUENCE[2:] + bytes(300)
    header = with_sequence(AV1C_HLG[:4], b"\x0a\xb9\x02" + padded)
    assert header is not None
    assert header.config[4:] == b"\x0a\xb9\x02" + padded


@pytest.mark.parametrize("config", [b"", b"\x81\x00\x0c", b"\x01\x00\x0c\x00", AV1C[:4] + b"\x0a\x03\x02\x00\x00"])
def test_what_is_no_av1c_is_refused(config: bytes) -> None:
    with pytest.raises(BadConfig):
        read_config(config)


def test_timing_and_operating_points_are_read() -> None:
    # profile 0; timing 1001/30000 with equal intervals, a decoder model; two operating points, the first 9H.
    text = "000" + "0" + "0" + "1" + f"{1_001:032b}{30_000:032b}" + "1" + "1"
    text += "1" + "01000" + f"{0:032b}" + "00000" + "00000"
    text += "1" + "00001"
    text += "0" * 12 + "01001" + "1" + "1" + "0" * 19 + "1" + "0000"
    text += "0" * 12 + "00001" + "0" + "0"
    text += "0101" + "0101" + f"{63:06b}{31:06b}" + "0" + "000" + "0000" + "0" + "1" + "1" + "000"
    text += "0" + "0" + "0" + "0" + "00" + "0" + "1"
    text = text.ljust(-(-len(text) // 8) * 8, "0")
    unit = int(text, 2).to_bytes(len(text) // 8)
    header = read_config(b"\x81\x00\x0c\x00\x0a" + bytes((len(unit),)) + unit)
    assert header.codec_string == "av01.0.09H.08"
    assert (header.width, header.height) == (64, 32)
    assert str(header.frame_rate) == "30000/1001"


def test_a_key_frame_needs_its_sequence_header_and_must_be_shown() -> None:
    assert is_shown_key_frame(AV1_KEY_FRAME)
    assert is_shown_key_frame(AV1_KEY_FRAME[2:])
    assert not is_shown_key_frame(DELIMITER + FRAME)
    assert not is_shown_key_frame(AV1_SHOW_EXISTING)
    assert not is_shown_key_frame(SEQUENCE + b"\x32\x01\x00")
    assert not is_shown_key_frame(SEQUENCE + b"\x32\x01\x30")
    assert not is_shown_key_frame(SEQUENCE + b"\x32\x00")
    assert not is_shown_key_frame(SEQUENCE)
    assert not is_shown_key_frame(b"")
    assert not is_shown_key_frame(b"\x92\x00")


def test_extension_headers_and_missing_sizes() -> None:
    extended = b"\x0e\x00\x0d" + SEQUENCE[2:]
    assert find_sequence_header(extended) == SEQUENCE[2:]
    assert find_sequence_header(b"\x08" + SEQUENCE[2:]) == SEQUENCE[2:]
    assert find_sequence_header(DELIMITER) is None
    assert find_sequence_header(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x01") is None
    assert find_sequence_header(b"\x0a\xff") is None
    assert find_sequence_header(b"\x0e") is None


def test_delimiters_padding_and_damage_are_dropped() -> None:
    clean = SEQUENCE + FRAME
    assert tidy(clean) is clean
    assert tidy(AV1_KEY_FRAME) == clean
    assert tidy(SEQUENCE + b"\x7a\x02\x00\x80" + FRAME + DELIMITER) == clean
    assert tidy(clean + b"\x32\x7f\x10") == clean
    assert tidy(DELIMITER) == b""
    assert tidy(b"") == b""


def test_shown_frames() -> None:
    assert shows(AV1_KEY_FRAME)
    assert shows(AV1_SHOW_EXISTING)
    assert not shows(b"\x32\x02\x20\x55")
    assert shows(b"\x32\x02\x20\x55\x1a\x01\x90")
    assert not shows(b"\x32\x00" + AV1C_HLG[4:])
    assert not shows(b"")
