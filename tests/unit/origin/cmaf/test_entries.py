"""Sample entries: the right box around each codec's configuration."""

from __future__ import annotations

import dataclasses
import struct
from fractions import Fraction

import pytest
from tests import mp4

from headwater.ingest.media import Codec, Kind, Track, TrackId
from headwater.origin.cmaf import UnsupportedTrack, supported
from headwater.origin.cmaf.entries import sample_entry

VIDEO = Track(
    TrackId("v0"),
    Kind.VIDEO,
    Codec.H264,
    b"config",
    "avc1.64001f",
    90_000,
    width=720,
    height=576,
    sample_aspect=Fraction(16, 11),
)
AUDIO = Track(TrackId("a0"), Kind.AUDIO, Codec.AAC, b"\x11\x90", "mp4a.40.2", 48_000, sample_rate=48_000, channels=2)
VP9 = bytes((0, 31, 0x80 | 1, 9, 16, 9, 0, 0))


@pytest.mark.parametrize(
    ("codec", "entry", "configuration"),
    [(Codec.H264, "avc1", "avcC"), (Codec.HEVC, "hvc1", "hvcC"), (Codec.AV1, "av01", "av1C")],
)
def test_video_entries(codec: Codec, entry: str, configuration: str) -> None:
    (found,) = mp4.boxes(sample_entry(dataclasses.replace(VIDEO, codec=codec)))
    assert found.kind == entry
    assert struct.unpack_from(">HH", found.body, 24) == (720, 576)
    assert mp4.find(found.body[78:], configuration) == b"config"
    assert mp4.find(found.body[78:], "pasp") == struct.pack(">II", 16, 11)


@pytest.mark.parametrize("config", [VP9, b"\x01\0\0\0" + VP9])
def test_vp9_has_one_full_box_header_and_its_colours(config: bytes) -> None:
    (found,) = mp4.boxes(sample_entry(dataclasses.replace(VIDEO, codec=Codec.VP9, config=config)))
    assert mp4.find(found.body[78:], "vpcC") == b"\x01\0\0\0" + VP9
    assert mp4.find(found.body[78:], "colr") == b"nclx" + struct.pack(">HHHB", 9, 16, 9, 0x80)


@pytest.mark.parametrize(
    ("codec", "entry", "configuration"),
    [(Codec.OPUS, "Opus", "dOps"), (Codec.AC3, "ac-3", "dac3"), (Codec.EAC3, "ec-3", "dec3")],
)
def test_audio_entries(codec: Codec, entry: str, configuration: str) -> None:
    (found,) = mp4.boxes(sample_entry(dataclasses.replace(AUDIO, codec=codec, channels=6)))
    assert found.kind == entry
    assert struct.unpack_from(">HH4xI", found.body, 16) == (6, 16, 48_000 << 16)
    assert mp4.find(found.body[28:], configuration) == AUDIO.config


@pytest.mark.parametrize("config", [b"\x80\0\0\x22" + bytes(34), bytes(4) + b"\x80\0\0\x22" + bytes(34)])
def test_flac_has_one_full_box_header(config: bytes) -> None:
    track = dataclasses.replace(AUDIO, codec=Codec.FLAC, config=config, sample_rate=96_000)
    (found,) = mp4.boxes(sample_entry(track))
    assert found.kind == "fLaC"
    assert struct.unpack_from(">I", found.body, 24) == (0,)  # does not fit 16 bits
    assert mp4.find(found.body[28:], "dfLa") == bytes(4) + b"\x80\0\0\x22" + bytes(34)


def test_aac_has_its_configuration_in_an_es_descriptor() -> None:
    (found,) = mp4.boxes(sample_entry(AUDIO))
    assert found.kind == "mp4a"
    esds = mp4.find(found.body[28:], "esds")
    assert esds.endswith(b"\x05\x02\x11\x90\x06\x01\x02")
    assert esds[4:6] == bytes((0x03, len(esds) - 6))


def test_a_long_configuration_has_a_long_descriptor_length() -> None:
    esds = mp4.find(mp4.boxes(sample_entry(dataclasses.replace(AUDIO, config=bytes(200))))[0].body[28:], "esds")
    assert b"\x05\x81\x48" + bytes(200) in esds


@pytest.mark.parametrize(
    ("track", "reason"),
    [
        (dataclasses.replace(AUDIO, codec=Codec.MP3, config=b""), "MP3"),
        (dataclasses.replace(VIDEO, config=b""), "without its configuration"),
        (dataclasses.replace(AUDIO, channels=0), "0 channels"),
        (dataclasses.replace(VIDEO, timescale=0), "no timescale"),
    ],
)
def test_what_cannot_be_carried_has_a_reason(track: Track, reason: str) -> None:
    assert reason in (supported(track) or "")
    with pytest.raises(UnsupportedTrack, match=reason):
        sample_entry(track)


def test_what_can_be_carried_has_none() -> None:
    assert supported(VIDEO) is None
    assert supported(AUDIO) is None
