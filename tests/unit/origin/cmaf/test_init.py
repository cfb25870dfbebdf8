"""The init section: its boxes (rules 199 to 201), and its name."""

from __future__ import annotations

import dataclasses
import struct
from fractions import Fraction

import pytest
from tests import mp4

from headwater.ingest.media import Codec, Kind, Track, TrackId
from headwater.origin.cmaf import init_name, init_segment

VIDEO = Track(TrackId("v0"), Kind.VIDEO, Codec.H264, b"config", "avc1.64001f", 90_000, width=720, height=576)
AUDIO = Track(TrackId("a0"), Kind.AUDIO, Codec.AAC, b"\x11\x90", "mp4a.40.2", 44_100, sample_rate=44_100, channels=2)


@pytest.mark.parametrize("track", [VIDEO, AUDIO])
def test_the_boxes_are_those_of_a_cmaf_header(track: Track) -> None:
    init = init_segment(track)
    assert mp4.kinds(init) == ["ftyp", "moov"]
    assert mp4.find(init, "ftyp") == b"iso6\0\0\0\0iso6cmfccmf2"
    assert mp4.kinds(mp4.find(init, "moov")) == ["mvhd", "trak", "mvex"]
    assert mp4.kinds(mp4.find(init, "moov/trak")) == ["tkhd", "mdia"]
    assert mp4.kinds(mp4.find(init, "moov/trak/mdia/minf/stbl")) == ["stsd", "stts", "stsc", "stsz", "stco"]
    assert not any(mp4.find(init, "moov/trak/mdia/minf/stbl/stts")[4:])
    assert mp4.timescale(init) == track.timescale
    assert struct.unpack_from(">I", mp4.find(init, "moov/mvhd"), 16) == (0,)
    assert struct.unpack_from(">I", mp4.find(init, "moov/trak/tkhd"), 20) == (0,)


def test_sizes_are_in_square_pixels() -> None:
    header = mp4.find(init_segment(dataclasses.replace(VIDEO, sample_aspect=Fraction(16, 11))), "moov/trak/tkhd")
    assert len(header) == 84
    assert struct.unpack_from(">II", header, 76) == (1047 << 16, 576 << 16)


def test_handlers() -> None:
    assert mp4.find(init_segment(VIDEO), "moov/trak/mdia/hdlr")[8:12] == b"vide"
    assert mp4.find(init_segment(AUDIO), "moov/trak/mdia/hdlr")[8:12] == b"soun"


@pytest.mark.parametrize(
    ("tag", "packed", "extended"), [("und", 0x55C4, False), ("deu", 0x10B5, False), ("pt-BR", 0x55C4, True)]
)
def test_language(tag: str, packed: int, extended: bool) -> None:
    media = mp4.find(init_segment(dataclasses.replace(AUDIO, language=tag)), "moov/trak/mdia")
    assert struct.unpack_from(">H", mp4.find(media, "mdhd"), 20) == (packed,)
    assert ("elng" in mp4.kinds(media)) is extended
    if extended:
        assert mp4.find(media, "elng")[4:] == tag.encode() + b"\0"


def test_the_name_is_the_same_exactly_when_the_bytes_are() -> None:
    name = init_name(init_segment(VIDEO))
    assert name == init_name(init_segment(dataclasses.replace(VIDEO, id=TrackId("v1"))))
    assert name != init_name(init_segment(dataclasses.replace(VIDEO, config=b"other")))
    assert len(name) == len("init-.mp4") + 16
