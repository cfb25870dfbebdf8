from __future__ import annotations

import io

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.ingest.codecs import BadConfig, audio_samples, audio_track
from headwater.ingest.codecs.mpa import Frame, read_frame
from headwater.ingest.media import Codec, TrackId


def frames(encoder: str, rate: int, layout: str, bit_rate: int) -> list[bytes]:
    """A second of silence from a real encoder."""
    out = io.BytesIO()
    container_format = "mp3" if "mp3" in encoder else "mp2"
    with av.open(out, "w", format=container_format) as container:
        stream = container.add_stream(encoder, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout, stream.format, stream.bit_rate = layout, "s16p" if "mp3" in encoder else "s16", bit_rate
        frame = av.AudioFrame(format=stream.format.name, layout=layout, samples=rate)
        frame.sample_rate = rate
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        resampler = av.AudioResampler(stream.format, stream.layout, rate, stream.codec_context.frame_size or 1_152)
        for piece in resampler.resample(frame):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    with av.open(io.BytesIO(out.getvalue()), "r", format=container_format) as source:
        return [bytes(packet) for packet in source.demux() if packet.size]


@pytest.mark.parametrize(
    ("encoder", "rate", "layout", "bit_rate", "codec", "samples"),
    [
        ("mp2", 48_000, "stereo", 192_000, Codec.MP2, 1_152),
        ("mp2", 44_100, "mono", 64_000, Codec.MP2, 1_152),
        ("mp2", 24_000, "stereo", 64_000, Codec.MP2, 1_152),
        ("libmp3lame", 48_000, "stereo", 128_000, Codec.MP3, 1_152),
        ("libmp3lame", 22_050, "mono", 32_000, Codec.MP3, 576),
    ],
)
def test_real_frames(encoder: str, rate: int, layout: str, bit_rate: int, codec: Codec, samples: int) -> None:
    packets = frames(encoder, rate, layout, bit_rate)
    channels = 1 if layout == "mono" else 2
    assert len(packets) > 10
    for packet in packets:
        assert read_frame(packet) == Frame(codec, len(packet), rate, channels, samples)
    track = audio_track(TrackId("a0"), codec, packets[0])
    assert (track.sample_rate, track.channels, track.config) == (rate, channels, b"")
    assert audio_samples(track, packets[0]) == samples


@pytest.mark.parametrize(
    "header", ["", "fffd", "fefd9400", "ff1d9400", "fffd0400", "fffdf400", "fffd9c00", "ffff9400", "ffed9400"]
)
def test_no_frame(header: str) -> None:
    """Short, no sync, free format, reserved bit rate, reserved rate, layer I, reserved version."""
    assert read_frame(bytes.fromhex(header)) is None
    with pytest.raises(BadConfig):
        audio_track(TrackId("a0"), Codec.MP2, bytes.fromhex(header))


def test_another_layer_is_refused() -> None:
    with pytest.raises(BadConfig, match="mp3"):
        audio_track(TrackId("a0"), Codec.MP3, bytes.fromhex("fffd9400"))


@given(st.binary(max_size=8))
def test_any_bytes(data: bytes) -> None:
    frame = read_frame(data)
    assert frame is None or frame.size > 4
