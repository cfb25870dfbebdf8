"""Sources for the encoder worker, made by ffmpeg, on stream time; and judges of what comes out of it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from tests.codec_vectors import VPCC
from tests.encoded import encoded

from headwater.ingest.codecs import audio_track, is_random_access, video_track
from headwater.ingest.encode.model import (
    AudioRung,
    Configure,
    FromWorker,
    Opened,
    Plan,
    Thumbnails,
    ToWorker,
    VideoRung,
)
from headwater.ingest.encode.worker.decode import AudioDecoder, packet_of
from headwater.ingest.encode.worker.loop import Worker
from headwater.ingest.media import VIDEO_TIMESCALE, Codec, Cut, Kind, Rendition, Sample, Track, TrackId, TrackStarted

START = 1_700_000_000 * VIDEO_TIMESCALE
"""Stream time of the first sample of every source, ticks at `VIDEO_TIMESCALE`."""

SOURCE = Rendition("source")
AUDIO = Rendition("audio")

X264 = "-c:v libx264 -preset ultrafast -g 30 -bf 0"

_CODECS = {"mp2float": Codec.MP2, "mp2": Codec.MP2, "mp3float": Codec.MP3, "mp3": Codec.MP3, "libdav1d": Codec.AV1}


@dataclass(frozen=True)
class Clip:
    """One track: its description, and its samples from `START` on."""

    track: Track
    samples: tuple[Sample, ...]

    def at(self, shift: int) -> Clip:
        """It, `shift` ticks of the track's timescale later."""
        moved = [dataclasses.replace(s, dts=s.dts + shift, pts=s.pts + shift) for s in self.samples]
        return Clip(self.track, tuple(moved))


@functools.cache
def video(picture: str = "testsrc2=size=320x180:rate=30", options: str = X264, seconds: float = 1.0) -> Clip:
    """A clip of video, from a source filter of ffmpeg."""
    return _made(["-f", "lavfi", "-i", picture, "-t", str(seconds), *options.split(), "-an"], Kind.VIDEO)


@functools.cache
def audio(sound: str = "sine=frequency=997:sample_rate=48000", options: str = "-c:a aac", seconds: float = 1.0) -> Clip:
    """A clip of sound, from a source filter of ffmpeg."""
    return _made(["-f", "lavfi", "-i", sound, "-t", str(seconds), *options.split(), "-vn"], Kind.AUDIO)


def _made(arguments: list[str], kind: Kind) -> Clip:
    path = encoded(arguments, ".mkv" if "mp2" in " ".join(arguments) else ".mp4")
    with av.open(str(path)) as container:
        stream = container.streams[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        return _clip(stream, packets, kind)


def _clip(stream: Stream, packets: Sequence[Packet[Any]], kind: Kind) -> Clip:
    name = stream.codec_context.name
    codec = _CODECS.get(name) or Codec(name)
    extradata = stream.codec_context.extradata or b""
    if kind is Kind.VIDEO:
        config = VPCC if codec is Codec.VP9 else extradata
        track, rendition = video_track(TrackId("v0"), codec, config), SOURCE
    else:
        config = extradata if codec in (Codec.AAC, Codec.OPUS, Codec.FLAC) else bytes(packets[0])
        track, rendition = audio_track(TrackId("a0"), codec, config), AUDIO
    assert packets[0].time_base is not None and packets[0].pts is not None
    first = min(packet.pts for packet in packets if packet.pts is not None)

    def ticks(value: int | None) -> int:
        assert value is not None and packets[0].time_base is not None
        base = START * track.timescale // VIDEO_TIMESCALE
        return base + round((value - first) * packets[0].time_base * track.timescale)

    samples = []
    for number, packet in enumerate(packets):
        payload = bytes(packet)
        independent = is_random_access(track, payload)
        after = packets[number + 1].dts if number + 1 < len(packets) else None
        duration = ticks(after) - ticks(packet.dts) if after is not None else 1
        samples.append(
            Sample(rendition, ticks(packet.dts), ticks(packet.pts), duration, False, independent, payload, number / 100)
        )
    return Clip(track, tuple(samples))


def rung(height: int = 90, width: int = 160, **changes: Any) -> VideoRung:
    """A small rung of H.264."""
    made = VideoRung(
        Rendition(f"{height}p"), Codec.H264, "libx264", width, height, 200_000, 230_000, 200_000, "veryfast", "high"
    )
    return dataclasses.replace(made, **changes)


def audio_rung(**changes: Any) -> AudioRung:
    """Stereo AAC at 48 kHz."""
    made = AudioRung(Rendition("audio-96k"), AUDIO, Codec.AAC, "aac", 96_000, 48_000, 2)
    return dataclasses.replace(made, **changes)


def plan(
    *rungs: VideoRung,
    audio: Sequence[AudioRung] = (),
    grid: Fraction = Fraction(30),
    thumbnails: Thumbnails | None = None,
) -> Plan:
    return Plan(grid, SOURCE, rungs, tuple(audio), thumbnails)


def cuts_at_keyframes(clip: Clip, msn: int = 0) -> list[ToWorker]:
    """The samples of a clip with a cut before each keyframe."""
    out: list[ToWorker] = []
    for sample in clip.samples:
        if sample.independent:
            out.append(Cut(msn, sample.pts, 0))
            msn += 1
        out.append(sample)
    return out


class Bench:
    """A worker in this process, and what it said."""

    def __init__(self, plan: Plan, cores: int = 2) -> None:
        self.said: list[FromWorker] = []
        self.worker = Worker(self.said.append, cores, clock=self._clock)
        self.now = 0.0
        self.give(Configure(plan))

    def _clock(self) -> float:
        return getattr(self, "now", 0.0)

    def give(self, *messages: ToWorker) -> Bench:
        for message in messages:
            self.worker.handle(message)
        return self

    def play(self, clip: Clip, rendition: Rendition = SOURCE) -> Bench:
        """A whole clip of video, with its cuts."""
        return self.give(TrackStarted(rendition, clip.track), *cuts_at_keyframes(clip))

    def samples(self, rendition: str) -> list[Sample]:
        return [said for said in self.said if isinstance(said, Sample) and said.rendition == rendition]

    def of(self, kind: type[Any]) -> list[Any]:
        return [said for said in self.said if isinstance(said, kind)]

    def track(self, rendition: str) -> Track:
        """What the rung delivers: said once, before its first sample."""
        opened = [said for said in self.said if isinstance(said, Opened) and said.rendition == rendition]
        assert len(opened) == 1, self.said
        return opened[0].track


def decoded(track: Track, samples: Iterable[Sample]) -> list[VideoFrame]:
    """What a decoder makes of video samples; errors are errors."""
    name = {Codec.AV1: "libdav1d"}.get(track.codec, str(track.codec))
    context = av.CodecContext.create(name, "r")
    assert isinstance(context, VideoCodecContext)
    context.extradata = track.config
    context.options = {"err_detect": "explode"} if name != "libdav1d" else {"max_frame_delay": "1"}
    frames: list[VideoFrame] = []
    for sample in samples:
        frames += context.decode(packet_of(sample, Fraction(1, VIDEO_TIMESCALE)))
    return frames + context.decode(None)


def heard(track: Track, samples: Iterable[Sample]) -> list[AudioFrame]:
    """What a decoder makes of audio samples."""
    decoder = AudioDecoder(track)
    frames = [frame for sample in samples for frame in decoder.decode(sample)]
    decoder.close()
    assert decoder.errors == 0
    return frames


def check_samples(samples: Sequence[Sample]) -> None:
    """No gap, no overlap, final durations."""
    assert samples
    for before, sample in pairwise(samples):
        assert sample.dts == before.dts + before.duration
        assert sample.pts > before.pts
    assert all(sample.exact for sample in samples)
