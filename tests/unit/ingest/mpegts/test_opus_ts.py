from __future__ import annotations

import pytest

from headwater.ingest.codecs import BadConfig, audio_track
from headwater.ingest.media import Codec, TrackId
from headwater.ingest.mpegts.framing import MORE
from headwater.ingest.mpegts.opus_ts import OpusFraming, dops

PACKET = b"\xfc" + bytes(range(1, 41))


def control(size: int, flags: int = 0, extra: bytes = b"") -> bytes:
    return bytes((0x7F, 0xE0 | flags)) + b"\xff" * (size // 255) + bytes((size % 255,)) + extra


@pytest.mark.parametrize(
    "header",
    [
        control(41),
        control(41, 0x10, b"\x00\x10"),
        control(41, 0x18, b"\x00\x10\x00\x20"),
        control(41, 0x04, b"\x02ab"),
        control(41, 0x1C, b"\x00\x10\x00\x20\x01a"),
    ],
)
def test_control_headers(header: bytes) -> None:
    framing = OpusFraming(2)
    frame = header + PACKET
    assert framing.size(b"xy" + frame + b"rest", 2) == len(frame)
    assert [unit.payload for unit in framing.read(frame)] == [PACKET]


def test_long_packets() -> None:
    framing = OpusFraming(2)
    payload = b"\xfc" + bytes(999)
    frame = control(1_000) + payload
    assert framing.size(frame, 0) == len(frame)
    assert framing.read(frame)[0].payload == payload
    assert framing.read(control(0)) == []


def test_what_is_not_there_yet_and_what_is_none() -> None:
    framing = OpusFraming(2)
    assert framing.size(b"\x7f", 0) == MORE
    assert framing.size(b"\x7f\xe0\xff", 0) == MORE
    assert framing.size(control(4, 0x04), 0) == MORE
    assert framing.size(b"\x7f\xe0" + b"\xff" * 300, 0) == 0
    assert framing.size(b"\x00\xe0\x00", 0) == framing.size(b"\x7f\x00\x00", 0) == 0


@pytest.mark.parametrize("code", range(9))
def test_configurations(code: int) -> None:
    track = audio_track(TrackId("a0"), Codec.OPUS, dops(code))
    assert track.channels == (code or 2)
    assert track.config == dops(code)


def test_surround_is_what_ffmpeg_writes() -> None:
    """Family 1, 4 streams of which 2 are coupled, in Vorbis' order (RFC 7845 5.1.1.2)."""
    assert dops(6)[10:] == bytes((1, 4, 2, 0, 4, 1, 2, 3, 5))


@pytest.mark.parametrize("code", [9, 0x81, 255])
def test_other_layouts_are_refused(code: int) -> None:
    with pytest.raises(BadConfig, match="channel configuration"):
        OpusFraming(code).read(control(41) + PACKET)[0].config()
