"""What packaging produces is decoded by libav: every frame, in order, at its time, without a warning."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import av.logging
import pytest

from headwater.ingest.codecs import audio_samples, audio_track, video_track
from headwater.ingest.media import (
    VIDEO_TIMESCALE,
    Codec,
    Cut,
    Kind,
    Rendition,
    Sample,
    StreamStarted,
    Track,
    TrackId,
)
from headwater.origin.segmenter import Segmenter
from headwater.origin.window import Found, Window, WindowSettings

T0 = 1_700_000_000
NAME = Rendition("r")
SECONDS = 5
VP9_RECORD = bytes((0, 10, 0x82, 2, 2, 2, 0, 0))
"""Profile 0, level 1, 8-bit 4:2:0: libav's demuxer does not hand the box out."""


@dataclass
class Source:
    """An encoded elementary stream: its track, and (dts, pts, duration, keyframe, payload) in its ticks from 0."""

    track: Track
    packets: list[tuple[int, int, int, bool, bytes]]


def encode_video(codec: Codec, encoder: str, options: dict[str, str], *, fps: Fraction = Fraction(25)) -> Source:
    """A small moving picture with a keyframe each two seconds."""
    memory = io.BytesIO()
    with av.open(memory, "w", format="mp4") as container:
        stream: Any = container.add_stream(encoder, rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.gop_size = round(fps * 2)
        for index in range(int(fps * SECONDS)):
            frame = av.VideoFrame(64, 64, "yuv420p")
            for number, plane in enumerate(frame.planes):
                plane.update(bytes(((index * 3 + number) % 256,)) * plane.buffer_size)
            frame.pts, frame.time_base = index, 1 / fps
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    packets, extradata = demux(memory)
    track = video_track(TrackId("v0"), codec, extradata or VP9_RECORD)
    first = packets[0]
    shift = first[1] - first[0]
    return Source(track, [(dts + shift - first[1], pts - first[1], *rest) for dts, pts, *rest in packets])


def encode_audio(codec: Codec, encoder: str, rate: int, sample_format: str) -> Source:
    """Silence with a click: content does not matter, times do."""
    memory = io.BytesIO()
    with av.open(memory, "w", format="mp4") as container:
        stream: Any = container.add_stream(encoder, rate=rate, layout="stereo", format=sample_format)
        size = stream.codec_context.frame_size or 1_024
        for index in range(rate * SECONDS // size):
            frame = av.AudioFrame(sample_format, "stereo", size)
            for plane in frame.planes:
                plane.update(bytes((index % 7,)) * plane.buffer_size)
            frame.sample_rate, frame.pts, frame.time_base = rate, index * size, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    packets, extradata = demux(memory)
    track = audio_track(TrackId("a0"), codec, extradata or packets[0][4])
    position, counted = 0, []
    for *_, payload in packets:
        duration = audio_samples(track, payload)
        counted.append((position, position, duration, True, payload))
        position += duration
    return Source(track, counted)


def demux(memory: io.BytesIO) -> tuple[list[Any], bytes]:
    memory.seek(0)
    with av.open(memory, "r") as container:
        stream: Any = container.streams[0]
        ticks = stream.time_base * (VIDEO_TIMESCALE if stream.type == "video" else stream.rate)
        packets = [
            (int(p.dts * ticks), int(p.pts * ticks), int(p.duration * ticks), p.is_keyframe, bytes(p))
            for p in container.demux(stream)
            if p.size
        ]
        return packets, stream.codec_context.extradata or b""


def package(source: Source, *, exact: bool) -> Window:
    """Through segmenter and window, cut at keyframes each 2 s."""
    started = StreamStarted(4, 520_000, 0)
    segmenter = Segmenter(NAME, started)
    window = Window(NAME, started, WindowSettings())
    segmenter.track_started(source.track, 0)
    msn = 1
    scale = source.track.timescale
    for dts, pts, duration, key, payload in source.packets:
        if key and pts * VIDEO_TIMESCALE >= (msn - 1) * 2 * VIDEO_TIMESCALE * scale:
            at = (
                -(-pts * VIDEO_TIMESCALE // scale)
                if source.track.kind is Kind.VIDEO
                else (msn - 1) * 2 * VIDEO_TIMESCALE
            )
            segmenter.cut(Cut(msn, T0 * VIDEO_TIMESCALE + at, T0 * 1_000_000 + at * 100 // 9), 0)
            msn += 1
        start = T0 * scale
        segmenter.push(Sample(NAME, start + dts, start + pts, duration, exact, key, payload, 0.0), 0)
    segmenter.end(0)
    for event in segmenter.events():
        window.apply(event, 0)
    return window


def fetch(window: Window, uri: str) -> bytes:
    found = window.find(uri)
    assert isinstance(found, Found)
    return b"".join(found.data)


def whole(window: Window) -> bytes:
    """Init section and all segments, by what the playlist names."""
    segments = window.playlist().segments
    assert len(segments) == 3
    init = segments[0].map
    assert init is not None
    return b"".join([fetch(window, init.uri), *[fetch(window, segment.uri or "") for segment in segments]])


def check(source: Source, *, exact: bool) -> None:
    data = whole(package(source, exact=exact))
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture() as said:
            with av.open(io.BytesIO(data), "r") as container:
                stream: Any = container.streams[0]
                assert stream.time_base == Fraction(1, source.track.timescale)
                packets = [packet for packet in container.demux(stream) if packet.size]
            with av.open(io.BytesIO(data), "r") as container:
                frames: list[Any] = list(container.decode(container.streams[0]))
    finally:
        av.logging.set_level(None)
    assert said == []
    start = T0 * source.track.timescale
    assert [bytes(packet) for packet in packets] == [payload for *_, payload in source.packets]
    assert [packet.dts - start for packet in packets] == [dts for dts, *_ in source.packets]
    # libav shows signed composition offsets with all presentation times later by the most negative one
    shift = -min(0, *[pts - dts for dts, pts, *_ in source.packets])
    assert [packet.pts - start - shift for packet in packets] == [pts for _, pts, *_ in source.packets]
    if source.track.kind is Kind.VIDEO:
        assert [frame.pts - start - shift for frame in frames] == sorted(pts for _, pts, *_ in source.packets)
    else:
        assert sum(frame.samples for frame in frames) > 0.95 * SECONDS * source.track.timescale


@pytest.mark.parametrize(
    ("codec", "encoder", "options"),
    [
        (Codec.H264, "libx264", {"preset": "ultrafast", "tune": "zerolatency"}),
        (Codec.H264, "libx264", {"preset": "veryfast", "bf": "3", "b-pyramid": "normal", "sc_threshold": "0"}),
        (
            Codec.HEVC,
            "libx265",
            {"preset": "ultrafast", "x265-params": "log-level=none:bframes=2:no-open-gop=1:scenecut=0"},
        ),
        (Codec.AV1, "libsvtav1", {"preset": "12", "svtav1-params": "pred-struct=1"}),
        (Codec.VP9, "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    ],
    ids=["h264", "h264-b-frames", "hevc-b-frames", "av1", "vp9"],
)
@pytest.mark.parametrize("exact", [True, False], ids=["exact", "estimated"])
def test_video(codec: Codec, encoder: str, options: dict[str, str], exact: bool) -> None:
    check(encode_video(codec, encoder, options), exact=exact)


@pytest.mark.parametrize(
    ("codec", "encoder", "rate", "sample_format"),
    [
        (Codec.AAC, "aac", 48_000, "fltp"),
        (Codec.AAC, "aac", 8_000, "fltp"),
        (Codec.AAC, "aac", 44_100, "fltp"),
        (Codec.OPUS, "libopus", 48_000, "s16"),
        (Codec.AC3, "ac3", 48_000, "fltp"),
        (Codec.EAC3, "eac3", 48_000, "fltp"),
        (Codec.FLAC, "flac", 96_000, "s16"),
    ],
)
def test_audio(codec: Codec, encoder: str, rate: int, sample_format: str) -> None:
    check(encode_audio(codec, encoder, rate, sample_format), exact=True)


def test_every_part_can_be_decoded_from_an_independent_one_on() -> None:
    source = encode_video(Codec.H264, "libx264", {"preset": "ultrafast", "tune": "zerolatency"})
    window = package(source, exact=True)
    playlist = window.playlist()
    init = playlist.segments[1].map
    assert init is not None
    parts = [part for segment in playlist.segments[1:] for part in segment.parts]
    assert parts[0].independent
    data = b"".join([fetch(window, init.uri), *[fetch(window, part.uri) for part in parts]])
    with av.open(io.BytesIO(data), "r") as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 25 * 3
