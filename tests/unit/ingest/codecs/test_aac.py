from __future__ import annotations

import pytest
from tests.codec_vectors import ASC_LC, ASC_LC_8K, ASC_LC_51

from headwater.ingest.codecs import BadConfig
from headwater.ingest.codecs.aac import read_config, specific_bits


def asc(text: str) -> bytes:
    text = text.replace(" ", "")
    return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8))


PROGRAM = "0000 00 0011"  # element_instance_tag, object_type, sampling_frequency_index


@pytest.mark.parametrize(
    ("config", "text", "rate", "channels", "samples"),
    [
        (ASC_LC, "mp4a.40.2", 48_000, 1, 1_024),
        (ASC_LC_8K, "mp4a.40.2", 8_000, 1, 1_024),
        (ASC_LC_51, "mp4a.40.2", 48_000, 6, 1_024),
        (bytes.fromhex("1190"), "mp4a.40.2", 48_000, 2, 1_024),
        (bytes.fromhex("1210"), "mp4a.40.2", 44_100, 2, 1_024),
        # frameLengthFlag: 960 samples
        (asc("00010 0011 0010 1 0 0"), "mp4a.40.2", 48_000, 2, 960),
        # escaped rate
        (asc("00010 1111" + f"{37_800:024b}" + "0010 000"), "mp4a.40.2", 37_800, 2, 1_024),
        # core coder delay, extension flag
        (asc("00010 0011 0001 0 1" + "0" * 14 + "1 0"), "mp4a.40.2", 48_000, 1, 1_024),
        # 7.1
        (asc("00010 0011 0111 000"), "mp4a.40.2", 48_000, 8, 1_024),
        # low delay and enhanced low delay
        (asc("10111 0011 0010 000 00"), "mp4a.40.23", 48_000, 2, 512),
        (asc("11111 000111 0011 0010 1"), "mp4a.40.39", 48_000, 2, 480),
    ],
)
def test_core_configurations(config: bytes, text: str, rate: int, channels: int, samples: int) -> None:
    header = read_config(config)
    assert (header.codec_string, header.sample_rate, header.channels) == (text, rate, channels)
    assert header.frame_samples == samples
    assert header.config == config


@pytest.mark.parametrize(
    ("config", "text", "rate", "channels", "samples"),
    [
        # hierarchical: object type 5, core rate 24 kHz, SBR rate 48 kHz, core LC
        (asc("00101 0110 0010 0011 00010 000"), "mp4a.40.5", 48_000, 2, 2_048),
        # object type 29, mono core
        (asc("11101 0110 0001 0011 00010 000"), "mp4a.40.29", 48_000, 2, 2_048),
        # downsampled SBR keeps the rate
        (asc("00101 0011 0010 0011 00010 000"), "mp4a.40.5", 48_000, 2, 1_024),
        # 960 samples
        (asc("00101 0110 0010 0011 00010 100"), "mp4a.40.5", 48_000, 2, 1_920),
        # backward compatible: LC, then SBR, then PS
        (asc("00010 0110 0010 000 01010110111 00101 1 0011"), "mp4a.40.5", 48_000, 2, 2_048),
        (asc("00010 0110 0001 000 01010110111 00101 1 0011 10101001000 1"), "mp4a.40.29", 48_000, 2, 2_048),
        (asc("00010 0110 0010 000 01010110111 00101 1 0011 10101001000 0"), "mp4a.40.5", 48_000, 2, 2_048),
        # said to be absent, or cut short
        (asc("00010 0110 0010 000 01010110111 00101 0"), "mp4a.40.2", 24_000, 2, 1_024),
        (asc("00010 0110 0010 000 01010110111 00101 1"), "mp4a.40.2", 24_000, 2, 1_024),
    ],
)
def test_explicit_sbr_counts_output_samples(config: bytes, text: str, rate: int, channels: int, samples: int) -> None:
    header = read_config(config)
    assert (header.codec_string, header.sample_rate, header.channels) == (text, rate, channels)
    assert header.frame_samples == samples


def test_program_config_element_counts_channels() -> None:
    # 1 pair and 1 single in front, 1 pair behind, 1 LFE: 6 channels; no mixdown.
    counts = "0010 0000 0001 01 000 0000" + "000"
    elements = "0 0000" + "1 0000" + "1 0000" + "0000"
    config = asc("00010 0011 0000 000" + PROGRAM + counts + elements)
    config += bytes(2)  # alignment and comment length 0
    assert read_config(config).channels == 6


def test_program_config_element_with_mixdowns_and_comment() -> None:
    counts = "0001 0000 0000 00 001 0001" + "1 0000 1 0000 1 000"
    elements = "1 0000" + "0000" + "0 0000"
    text = ("00010 0011 0000 000" + PROGRAM + counts + elements).replace(" ", "")
    config = asc(text) + b"\x02hi"
    assert read_config(config).channels == 2
    with pytest.raises(BadConfig):
        read_config(asc(text) + b"\x09hi")


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (b"", "empty"),
        (b"\x12", "truncated"),
        (asc("00010 1101 0010 000"), "frequency index"),
        (asc("00010 0011 1000 000"), "channel configuration"),
        (asc("11111 001010 0011 0010 000"), "object type 42"),
        (asc("00101 0110 0010 0101 00010 000"), "core rate"),
        (asc("00010 1111" + "1" * 24 + "0010 000"), "out of range"),
    ],
)
def test_what_players_cannot_take_is_refused(config: bytes, why: str) -> None:
    with pytest.raises(BadConfig, match=why):
        read_config(config)


@pytest.mark.parametrize(("config", "bits"), [("1190", 16), ("2b098800", 25), ("119056e500", 16), ("f8e64000", None)])
def test_how_many_bits_a_configuration_takes(config: str, bits: int | None) -> None:
    """LC; hierarchical SBR; LC with the backward compatible signalling, which is not counted; ELD."""
    if bits is None:
        with pytest.raises(BadConfig):
            specific_bits(bytes.fromhex(config))
    else:
        assert specific_bits(bytes.fromhex(config) + b"\xff") == bits
