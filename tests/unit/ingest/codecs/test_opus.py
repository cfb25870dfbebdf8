from __future__ import annotations

import pytest
from tests.codec_vectors import OPUS_20MS, OPUS_60MS, OPUS_HEAD

from headwater.ingest.codecs import BadConfig
from headwater.ingest.codecs.opus import packet_samples, read_config

DOPS = bytes.fromhex("0001 0138 0000bb80 0000 00")


def test_an_opus_head_becomes_a_dops() -> None:
    header = read_config(OPUS_HEAD)
    assert header.config == DOPS
    assert (header.codec_string, header.sample_rate, header.channels) == ("opus", 48_000, 1)
    assert header.frame_samples == 0
    assert read_config(DOPS) == header


def test_a_channel_mapping_is_kept() -> None:
    head = b"OpusHead\x01\x06\x38\x01\x80\xbb\x00\x00\x00\x00\x01\x04\x02\x00\x04\x01\x02\x03\x05"
    header = read_config(head)
    assert header.channels == 6
    assert header.config == bytes.fromhex("0006 0138 0000bb80 0000 01 0402 000401020305")


@pytest.mark.parametrize(
    "config",
    [
        b"",
        b"OpusHead",
        OPUS_HEAD[:-1],
        b"OpusHead\x10" + OPUS_HEAD[9:],
        b"\x01" + DOPS[1:],
        b"\x00\x00" + DOPS[2:],
        b"\x00\x03" + DOPS[2:],
        b"\x00\x06" + DOPS[2:-1] + b"\x01\x04\x02",
    ],
)
def test_what_is_no_opus_header_is_refused(config: bytes) -> None:
    with pytest.raises(BadConfig):
        read_config(config)


@pytest.mark.parametrize(
    ("payload", "samples"),
    [
        (OPUS_20MS, 960),
        (OPUS_60MS, 2_880),
        (b"\x00", 480),  # SILK 10 ms
        (b"\x18", 2_880),  # SILK 60 ms
        (b"\x19", 5_760),
        (b"\x60", 480),  # hybrid 10 ms
        (b"\x80", 120),  # CELT 2.5 ms
        (b"\xfa", 1_920),
        (b"\x83\x30", 48 * 120),
        (b"\xfb\x07", 0),  # longer than 120 ms
        (b"\x83\x00", 0),
        (b"\x83", 0),
        (b"", 0),
    ],
)
def test_packet_durations(payload: bytes, samples: int) -> None:
    assert packet_samples(payload) == samples
