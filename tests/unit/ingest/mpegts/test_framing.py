from __future__ import annotations

import pytest
from tests.codec_vectors import AC3_FRAME, EAC3_FRAME

from headwater.ingest.codecs import BadConfig, audio_track
from headwater.ingest.media import Codec, TrackId
from headwater.ingest.mpegts.framing import MORE, Ac3Framing, MpaFraming

MP2 = bytes.fromhex("fffda400") + bytes(572)
"""192 kbit/s at 48 kHz, stereo: 576 bytes."""


def test_mpeg_audio() -> None:
    framing = MpaFraming()
    assert framing.size(b"x" + MP2, 1) == 576
    assert framing.size(MP2[:3], 0) == MORE
    assert framing.size(b"\xff\x00\x00\x00", 0) == 0
    (unit,) = framing.read(MP2)
    assert (unit.codec, unit.payload) == (Codec.MP2, MP2)
    assert audio_track(TrackId("a0"), unit.codec, unit.config()).sample_rate == 48_000
    # Another bit rate is no other configuration.
    assert framing.read(MP2[:2] + b"\x84" + MP2[3:])[0].mark == unit.mark
    assert framing.read(MP2[:3] + b"\xc0" + MP2[4:])[0].mark != unit.mark
    with pytest.raises(BadConfig):
        framing.read(b"\xff\x00\x00\x00")


def test_ac3() -> None:
    framing = Ac3Framing()
    size = framing.size(AC3_FRAME.ljust(4_000, b"\0"), 0)
    frame = AC3_FRAME.ljust(size, b"\0")[:size]
    assert framing.size(frame, 0) == size
    (unit,) = framing.read(frame)
    assert unit.codec is Codec.AC3
    assert audio_track(TrackId("a0"), unit.codec, unit.config()).codec_string == "ac-3"


def test_eac3() -> None:
    framing = Ac3Framing()
    frame = EAC3_FRAME.ljust(2 * (0x37F + 1), b"\x00")
    assert framing.size(frame, 0) == framing.size(frame + frame, 0) == len(frame)
    (unit,) = framing.read(frame)
    assert unit.codec is Codec.EAC3
    assert audio_track(TrackId("a0"), unit.codec, unit.config()).codec_string == "ec-3"


def test_what_is_no_frame_or_not_whole() -> None:
    framing = Ac3Framing()
    assert framing.size(b"\x0b\x77" + bytes(5), 0) == MORE
    assert framing.size(bytes(40), 0) == 0
    assert framing.size(EAC3_FRAME[:-1], 0) == MORE
    assert framing.size(b"\x0b\x77\x00\x00\xc0" + bytes(40), 0) == 0
