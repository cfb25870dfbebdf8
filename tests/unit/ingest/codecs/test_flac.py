from __future__ import annotations

import pytest
from tests.codec_vectors import FLAC_FRAME, FLAC_LAST_FRAME, STREAMINFO, STREAMINFO_FINAL

from headwater.ingest.codecs import BadConfig
from headwater.ingest.codecs.flac import packet_samples, read_config

BLOCK = b"\x80\x00\x00\x22" + STREAMINFO


def test_every_wrapping_gives_the_same_dfla() -> None:
    header = read_config(STREAMINFO)
    assert (header.codec_string, header.sample_rate, header.channels) == ("fLaC", 48_000, 1)
    assert header.frame_samples == 0
    assert header.config[:8] == bytes.fromhex("0000000080000022")
    assert len(header.config) == 8 + 34
    for config in (
        BLOCK,
        b"fLaC" + BLOCK,
        b"fLaC\x00" + BLOCK[1:] + b"\x84\x00\x00\x00",
        bytes(4) + BLOCK,
        header.config,
    ):
        assert read_config(config) == header


def test_what_an_encoder_fills_in_at_its_end_is_no_change() -> None:
    assert read_config(STREAMINFO_FINAL) == read_config(STREAMINFO)


@pytest.mark.parametrize(
    "config",
    [
        b"",
        STREAMINFO[:-1],
        b"fLaC",
        b"\x84\x00\x00\x22" + STREAMINFO,
        b"\x80\x00\x00\x21" + STREAMINFO,
        b"\x00\x01" + STREAMINFO[2:],
        STREAMINFO[:2] + b"\x03\xff" + STREAMINFO[4:],
        STREAMINFO[:10] + bytes(3) + STREAMINFO[13:],
    ],
)
def test_what_is_no_streaminfo_is_refused(config: bytes) -> None:
    with pytest.raises(BadConfig):
        read_config(config)


@pytest.mark.parametrize(
    ("payload", "samples"),
    [
        (FLAC_FRAME, 1_024),
        (FLAC_LAST_FRAME, 448),
        (b"\xff\xf8\x18\x08\x00\x00", 192),
        (b"\xff\xf8\x58\x08\x00\x00", 4_608),
        (b"\xff\xf9\xf8\x08\x00\x00", 32_768),
        (b"\xff\xf8\x68\x08\x00\x0f\x00", 16),
        (b"\xff\xf8\x78\x08\xc2\x80\x0f\xff\x00", 4_096),
        (b"\xff\xf8\x08\x08\x00\x00", 0),
        (b"\xff\xf8\x78\x08\xc2\x80\x0f", 0),
        (b"\xff\xf8", 0),
        (b"\x00" * 8, 0),
    ],
)
def test_packet_durations(payload: bytes, samples: int) -> None:
    assert packet_samples(payload) == samples
