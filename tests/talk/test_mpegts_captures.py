"""Transport streams of FFmpeg 9, read whole and in pieces, beside what libavformat reads of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from headwater.ingest.codecs import annexb
from headwater.ingest.media import MPEGTS_CLOCK, Codec, Kind, Packet, Track
from headwater.ingest.mpegts import Counters, Demuxer, TsEvent
from headwater.ingest.tracks import TrackConfigured, TrackRefused
from headwater.origin.cmaf import supported

CAPTURES = Path(__file__).parents[1] / "captures"
WRAP = 1 << MPEGTS_CLOCK.bits

TRACKS = {
    "h264-aac": [("v0", "avc1.64000b"), ("a0", "mp4a.40.2")],
    "hevc-aac": [("v0", "hvc1.1.6.L30.90"), ("a0", "mp4a.40.2")],
    "av1-opus": [("v0", "av01.0.00M.08"), ("a0", "opus")],
    "interlaced-latm": [("v0", "avc1.640015"), ("a0", "mp4a.40.2")],
    "mp2": [("a0", "mp4a.40.33")],
    "mp3": [("a0", "mp4a.40.34")],
    "ac3": [("a0", "ac-3")],
    "eac3": [("a0", "ec-3")],
    "eac3-dvb": [("a0", "ec-3")],
    "opus-surround": [("a0", "opus")],
    "languages": [("v0", "avc1.64000b"), ("a0", "mp4a.40.2"), ("a1", "mp4a.40.2"), ("a2", "mp4a.40.2")],
    "wrap": [("v0", "avc1.64000b"), ("a0", "mp4a.40.2")],
    "bluray": [("v0", "avc1.64000b"), ("a0", "ac-3")],
    "programs": [("v0", "avc1.64000b"), ("a0", "mp4a.40.2")],
}


def read(name: str) -> bytes:
    return (CAPTURES / f"{name}.ts").read_bytes()


def demux(data: bytes, pieces: Iterator[int]) -> tuple[list[TsEvent], Counters]:
    """The events of a stream that comes in pieces of these sizes."""
    demuxer = Demuxer()
    events: list[TsEvent] = []
    at = 0
    while at < len(data):
        size = next(pieces)
        demuxer.receive_data(data[at : at + size], 1.0)
        events += demuxer.events_received()
        at += size
    demuxer.receive_eof(1.0)
    return events + demuxer.events_received(), demuxer.counters


def whole(name: str) -> list[TsEvent]:
    data = read(name)
    return demux(data, iter((len(data),)))[0]


def tracks(events: list[TsEvent]) -> list[Track]:
    return [event.track for event in events if isinstance(event, TrackConfigured)]


def packets(events: list[TsEvent], track: str) -> list[Packet]:
    return [event for event in events if isinstance(event, Packet) and event.track == track]


def test_every_capture_is_read() -> None:
    assert {path.stem for path in CAPTURES.glob("*.ts")} == set(TRACKS)


@pytest.mark.parametrize("name", TRACKS)
def test_tracks(name: str) -> None:
    found = sorted(tracks(whole(name)), key=lambda track: track.id, reverse=True)
    assert sorted((str(track.id), track.codec_string) for track in found) == sorted(TRACKS[name])
    for track in found:
        assert track.clock == MPEGTS_CLOCK
        refusal = supported(track)
        assert (refusal is not None) is (track.codec in (Codec.MP2, Codec.MP3))


@pytest.mark.parametrize("name", TRACKS)
def test_pieces_do_not_matter(name: str) -> None:
    data = read(name)
    expected, counters = demux(data, iter((len(data),)))
    assert (counters.malformed, counters.damaged, counters.discontinuities, counters.duplicates) == (0, 0, 0, 0)
    assert demux(data, iter(lambda: 1, 0)) == (expected, counters)
    assert demux(data, iter(lambda: 1_316, 0)) == (expected, counters)
    dice = random.Random(name)
    assert demux(data, iter(lambda: dice.randint(1, 700), 0)) == (expected, counters)


@pytest.mark.parametrize("name", [name for name in TRACKS if name != "av1-opus"])
def test_it_is_what_libavformat_reads(name: str) -> None:
    events = whole(name)
    with av.open(str(CAPTURES / f"{name}.ts")) as container:
        kinds = {Kind.VIDEO: container.streams.video, Kind.AUDIO: container.streams.audio}
        streams = {f"{kind[0]}{index}": stream for kind, found in kinds.items() for index, stream in enumerate(found)}
        # "programs": libavformat takes all of them.
        wanted = {streams[track].index: track for track, _ in TRACKS[name]}
        theirs: dict[str, list[tuple[bytes, int, int]]] = {track: [] for track in wanted.values()}
        codecs = {str(track.id): track.codec for track in tracks(events)}
        for packet in container.demux():
            track = wanted.get(packet.stream_index)
            if track is None or not packet.size:
                continue
            assert packet.pts is not None and packet.dts is not None and packet.time_base == Fraction(1, 90_000)
            payload = bytes(packet)
            if codecs[track] in (Codec.H264, Codec.HEVC):
                payload = annexb.sample(codecs[track], payload)
            elif codecs[track] is Codec.AAC and name != "interlaced-latm":
                payload = payload[7:]  # ADTS header
            theirs[track].append((payload, packet.dts % WRAP, packet.pts - packet.dts))
    for track, expected in theirs.items():
        ours = packets(events, track)
        assert len(ours) == len(expected)
        for got, (payload, dts, offset) in zip(ours, expected, strict=True):
            if name != "interlaced-latm" or track == "v0":
                assert got.payload == payload
            # libavformat rounds the durations of audio frames one by one: up to 10 in a PES packet.
            assert abs(got.dts - dts) < 10
            assert got.cts_us * 9 // 100 == offset


def test_latm_holds_the_frames_of_adts() -> None:
    """The same encoder, the same sound: LATM and ADTS carry equal frames."""
    assert [packet.payload for packet in packets(whole("interlaced-latm"), "a0")] == [
        packet.payload for packet in packets(whole("h264-aac"), "a0")
    ]


def test_av1_that_ffmpeg_sends_as_private_data_is_found() -> None:
    events = whole("av1-opus")
    video = packets(events, "v0")
    assert len(video) == 25
    assert [packet.keyframe for packet in video].count(True) == 3
    decoder = av.CodecContext.create("libdav1d", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.extradata = tracks(events)[0].config
    pictures = []
    for packet in video:
        piece = av.Packet(len(packet.payload))
        piece.update(packet.payload)
        pictures += decoder.decode(piece)
    assert len(pictures + decoder.decode(None)) == 25


def test_languages_and_names() -> None:
    found = {track.id: (track.language, track.name) for track in tracks(whole("languages"))}
    assert found == {
        "v0": ("und", ""),
        "a0": ("en", ""),
        "a1": ("de", ""),
        "a2": ("fr", "Audio description (fr)"),
    }


def test_frames_are_reordered_and_interlaced_ones_stay_whole() -> None:
    assert any(packet.cts_us > 0 for packet in packets(whole("h264-aac"), "v0"))
    assert len(packets(whole("interlaced-latm"), "v0")) == 25


def test_time_stamps_wrap() -> None:
    times = [packet.dts for packet in packets(whole("wrap"), "v0")]
    steps = {(later - earlier) % WRAP for earlier, later in pairwise(times)}
    assert steps == {3_600}
    assert times[0] > times[-1]


def test_one_program_is_taken_and_the_other_said() -> None:
    refusals = [event for event in whole("programs") if isinstance(event, TrackRefused)]
    assert [(event.track, event.codec) for event in refusals] == [("program-2", "mpegts")]
