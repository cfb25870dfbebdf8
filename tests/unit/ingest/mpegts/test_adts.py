from __future__ import annotations

import io

import av
import pytest
from tests.ts_kit import adts

from headwater.ingest.codecs import BadConfig, audio_track
from headwater.ingest.media import Codec, TrackId
from headwater.ingest.mpegts.adts import AdtsFraming, specific_config
from headwater.ingest.mpegts.framing import MORE

RAW = b"\x21\x10\x04\x60\x8c\x1c"


@pytest.mark.parametrize("crc", [False, True])
def test_frames(crc: bool) -> None:
    framing = AdtsFraming()
    frame = adts(RAW, crc=crc)
    assert framing.size(b"x" + frame + b"y", 1) == len(frame)
    (unit,) = framing.read(frame)
    assert (unit.codec, unit.payload) == (Codec.AAC, RAW)
    assert unit.config() == bytes.fromhex("1190")


@pytest.mark.parametrize(
    ("rate", "channels", "object_type", "text", "hertz"),
    [
        (3, 2, 2, "mp4a.40.2", 48_000),
        (4, 1, 2, "mp4a.40.2", 44_100),
        (11, 7, 1, "mp4a.40.1", 8_000),
        (0, 6, 4, "mp4a.40.4", 96_000),
    ],
)
def test_configurations(rate: int, channels: int, object_type: int, text: str, hertz: int) -> None:
    (unit,) = AdtsFraming().read(adts(RAW, rate=rate, channels=channels, object_type=object_type))
    track = audio_track(TrackId("a0"), Codec.AAC, unit.config())
    assert (track.codec_string, track.sample_rate, track.channels) == (text, hertz, channels if channels < 7 else 8)


def test_what_is_no_frame() -> None:
    framing = AdtsFraming()
    frame = adts(RAW)
    assert framing.size(frame[:6], 0) == MORE
    assert framing.size(b"\x00" + frame[1:], 0) == 0
    assert framing.size(b"\xff\xff" + frame[2:], 0) == 0
    assert framing.size(adts(RAW, rate=14), 0) == 0
    assert framing.size(frame[:3] + bytes(10), 0) == 0
    assert framing.read(adts(b"")) == []


def test_several_raw_data_blocks_are_refused() -> None:
    frame = bytearray(adts(RAW))
    frame[6] |= 1
    with pytest.raises(BadConfig, match="several raw data blocks"):
        AdtsFraming().read(bytes(frame))


def quad() -> tuple[bytes, bytes]:
    """ADTS of a layout that has no number, and FFmpeg's own configuration of it."""
    out = io.BytesIO()
    with av.open(out, "w", format="adts") as container:
        stream = container.add_stream("aac", rate=48_000, layout="quad")
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame("fltp", "quad", 1_024)
        frame.sample_rate = 48_000
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        for index in range(4):
            frame.pts = index * 1_024
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        extradata = stream.codec_context.extradata
    assert extradata is not None
    return out.getvalue(), extradata


def test_channels_in_a_program_config_element() -> None:
    """FFmpeg writes the element at the head of the raw data block."""
    data, extradata = quad()
    framing = AdtsFraming()
    (unit,) = framing.read(data[: framing.size(data, 0)])
    config = unit.config()
    assert extradata.startswith(config)
    assert config[1] >> 3 & 15 == 0
    track = audio_track(TrackId("a0"), Codec.AAC, config)
    assert (track.channels, track.sample_rate) == (4, 48_000)


def test_channels_that_are_said_nowhere_are_refused() -> None:
    with pytest.raises(BadConfig, match="says no channels"):
        specific_config(bytes((0x4C, 0)), RAW)
