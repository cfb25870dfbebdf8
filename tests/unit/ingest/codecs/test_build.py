from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction

import av
import pytest
from av.video.codeccontext import VideoCodecContext
from tests.codec_vectors import AV1C, AV1C_HLG, AVCC_444, AVCC_BASELINE, AVCC_HIGH, AVCC_INTERLACED, HVCC_422, HVCC_MAIN

from headwater.ingest.codecs import BadConfig, annexb, hevc, video_track
from headwater.ingest.codecs.bits import ByteReader
from headwater.ingest.codecs.build import av1c, avcc, from_annexb, hvcc
from headwater.ingest.media import Codec, TrackId

START = b"\x00\x00\x00\x01"
WIDTH, HEIGHT = 192, 108
ENCODERS = [
    ("libx264", Codec.H264, {"preset": "ultrafast", "x264-params": "scenecut=0"}, b"avcC"),
    ("libx264", Codec.H264, {"preset": "veryfast", "profile": "high", "flags": "+ildct+ilme"}, b"avcC"),
    ("libx265", Codec.HEVC, {"preset": "ultrafast", "x265-params": "info=0:log-level=error"}, b"hvcC"),
    ("libsvtav1", Codec.AV1, {"preset": "12", "svtav1-params": "rtc=1"}, b"av1C"),
]  # fmt: skip


def encoded(name: str, options: dict[str, str]) -> tuple[bytes, list[bytes]]:
    """The extradata and the packets of three pictures from a real encoder."""
    context = VideoCodecContext.create(name, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    context.options = options
    context.flags |= av.codec.context.Flags.global_header.value
    context.open()
    packets = []
    for index in range(3):
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        frame.pts = index
        packets += [bytes(packet) for packet in context.encode(frame)]
    packets += [bytes(packet) for packet in context.encode(None)]
    assert context.extradata is not None
    return context.extradata, packets


def muxed_config(name: str, options: dict[str, str], kind: bytes) -> bytes:
    """What FFmpeg's own MP4 muxer writes for the same encoder."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream(name, rate=25, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        if kind == b"hvcC":
            stream.codec_context.codec_tag = "hvc1"
        for index in range(3):
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = out.getvalue()
    at = data.index(kind)
    size = int.from_bytes(data[at - 4 : at])
    return data[at + 4 : at - 4 + size]


@pytest.mark.parametrize(("name", "codec", "options", "box"), ENCODERS)
def test_it_is_what_ffmpeg_muxes(name: str, codec: Codec, options: dict[str, str], box: bytes) -> None:
    extradata, packets = encoded(name, dict(options))
    config = from_annexb(codec, extradata)
    assert config is not None
    assert config == muxed_config(name, dict(options), box)
    track = video_track(TrackId("v0"), codec, config)
    assert (track.width, track.height) == (WIDTH, HEIGHT)
    assert track.config == config
    decoder = av.CodecContext.create({"h264": "h264", "hevc": "hevc", "av1": "libdav1d"}[codec], "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.extradata = config
    frames = [frame for payload in samples(codec, packets) for frame in decode(decoder, payload)]
    assert len(frames + decoder.decode(None)) == 3


def samples(codec: Codec, packets: list[bytes]) -> Iterator[bytes]:
    for packet in packets:
        yield packet if codec is Codec.AV1 else annexb.sample(codec, packet)


def decode(decoder: VideoCodecContext, payload: bytes) -> list[av.VideoFrame]:
    packet = av.Packet(len(payload))
    packet.update(payload)
    return decoder.decode(packet)


@pytest.mark.parametrize("config", [AVCC_HIGH, AVCC_BASELINE, AVCC_444, AVCC_INTERLACED])
def test_avcc_of_vectors(config: bytes) -> None:
    length = int.from_bytes(config[6:8])
    sps = config[8 : 8 + length]
    at = 8 + length + 1
    pps = config[at + 2 : at + 2 + int.from_bytes(config[at : at + 2])]
    assert avcc([sps], [pps]) == config
    assert from_annexb(Codec.H264, START + sps + START + pps + START + b"\x65\x88" + START + sps) == config


@pytest.mark.parametrize("config", [HVCC_MAIN, HVCC_422])
def test_hvcc_of_vectors(config: bytes) -> None:
    record = ByteReader(config[22:])
    arrays = []
    for _ in range(record.number(1)):
        record.take(1)
        arrays.append([record.take(record.number(2)) for _ in range(record.number(2))])
    vps, sps, pps = arrays
    canonical = hevc.read_config(config).config
    assert hvcc(vps, sps, pps) == canonical
    stream = b"".join(START + unit for unit in (*vps, *sps, *pps))
    assert from_annexb(Codec.HEVC, stream) == canonical


@pytest.mark.parametrize("config", [AV1C, AV1C_HLG])
def test_av1c_of_vectors(config: bytes) -> None:
    assert av1c(config[4:]) == config
    assert av1c(b"\x12\x00" + config[4:]) == config
    # An OBU without a size field gets one.
    assert av1c(bytes((config[4] & ~2,)) + config[6:]) == config


@pytest.mark.parametrize("codec", [Codec.H264, Codec.HEVC, Codec.AV1])
def test_without_parameter_sets_there_is_no_configuration(codec: Codec) -> None:
    assert from_annexb(codec, b"") is None
    assert from_annexb(codec, START + b"\x42\x01\x50") is None


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(BadConfig, match="no SPS"):
        from_annexb(Codec.H264, START + b"\x67\x64" + START + b"\x68\x01")
    with pytest.raises(BadConfig, match="SPS"):
        from_annexb(Codec.HEVC, START + b"\x40\x01" + START + b"\x42\x01" + START + b"\x44\x01")
    with pytest.raises(BadConfig, match="no AV1 sequence header"):
        av1c(b"\x12\x00")
    with pytest.raises(BadConfig, match="too long"):
        av1c(b"\x08" + b"\x01" * 20_000)
    with pytest.raises(BadConfig, match="too many"):
        avcc([b"\x67"] * 32, [b"\x68"])
    with pytest.raises(BadConfig, match="too long"):
        avcc([b"\x67" * 70_000], [b"\x68"])
    with pytest.raises(BadConfig, match="no SPS"):
        hvcc([b"\x40\x01"], [], [b"\x44\x01"])
    with pytest.raises(BadConfig, match="no parameter sets"):
        from_annexb(Codec.VP9, b"")
