"""Messages between host and worker: what goes in comes out, whole and byte by byte; broken bytes are an error."""

from __future__ import annotations

from fractions import Fraction

import pytest

from headwater.ingest.encode import wire
from headwater.ingest.encode.model import (
    Adjust,
    AudioRung,
    Configure,
    Drain,
    Drained,
    Failed,
    Note,
    Opened,
    Picture,
    Plan,
    Progress,
    Resume,
    Thumbnails,
    VideoRung,
)
from headwater.ingest.media import (
    Codec,
    Cut,
    Hole,
    Kind,
    Rendition,
    Sample,
    Track,
    TrackEnded,
    TrackId,
    TrackStarted,
    VideoRange,
)

RUNG = Rendition("720p")
TRACK = Track(
    TrackId("v0"),
    Kind.VIDEO,
    Codec.H264,
    b"\x01\x64\x00\x1f\xff",
    "avc1.64001f",
    90_000,
    width=1280,
    height=720,
    sample_aspect=Fraction(4, 3),
    frame_rate=Fraction(30_000, 1_001),
    video_range=VideoRange.HLG,
)
PLAN = Plan(
    Fraction(30_000, 1_001),
    Rendition("source"),
    (VideoRung(RUNG, Codec.H264, "libx264", 1280, 720, 3_000_000, 3_300_000, 1_650_000, "veryfast", "high"),),
    (AudioRung(Rendition("audio-aac"), Rendition("audio"), Codec.AAC, "aac", 96_000, 48_000, 2, "de", "Ton"),),
    Thumbnails(4.0, 320),
    list_source=False,
)
MESSAGES: list[wire.Message] = [
    Configure(PLAN),
    Configure(Plan(Fraction(25), None)),
    Resume(1 << 40),
    Adjust(2),
    TrackStarted(Rendition("source"), TRACK),
    TrackEnded(Rendition("source")),
    Cut(7, 12_345, 1_700_000_000_000_000, discontinuity=True),
    Sample(RUNG, 1 << 45, (1 << 45) - 9, 3_003, True, False, b"\x00payload\xff" * 99, 12.75),
    Sample(RUNG, 1, 2, 3, False, True, b"", 0.0),
    Hole(RUNG, 99),
    Drain(3),
    Opened(RUNG, TRACK),
    Picture("image/jpeg", 5, b"\xff\xd8\xff"),
    Progress(1, 0.5, 0.25, 9.5, 1 << 30, 4, 1, 2, 3, 0),
    Drained(3),
    Failed(None, "no such encoder"),
    Failed(RUNG, "x"),
    Note(RUNG, "x"),
]
BYTES = b"".join(buffer for message in MESSAGES for buffer in wire.encode(message))


def test_whole() -> None:
    assert wire.Decoder().receive_data(BYTES) == MESSAGES


def test_byte_by_byte() -> None:
    decoder = wire.Decoder()
    assert [m for value in BYTES for m in decoder.receive_data(bytes([value]))] == MESSAGES


def test_a_payload_is_not_copied() -> None:
    sample = Sample(RUNG, 0, 0, 1, True, True, b"payload", 0.0)
    assert wire.encode(sample)[-1] is sample.payload


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x00\x00",
        b"\xff\xff\xff\xff\x00",
        b"\x00\x00\x00\x03\x02{}",
        b"\x00\x00\x00\x02\x63x",
        b"\x00\x00\x00\x02\x00x",
        b"\x00\x00\x00\x02\x01x",
        b"\x00\x00\x00\x03\x02\xff\xff",
    ],
)
def test_broken_bytes(data: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.Decoder().receive_data(data)
