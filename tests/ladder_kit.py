"""Values for tests of the ladder: a source of 25 frames/s with a keyframe every second, and two rungs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from tests.live_feed import AVCC, video_track

from headwater.ingest.encode.model import AudioRung, Plan, VideoRung
from headwater.ingest.media import Codec, Cut, Kind, Rendition, Sample, Track, TrackId, TrackStarted

SOURCE = Rendition("source")
SOUND = Rendition("audio")
HIGH = Rendition("480p")
LOW = Rendition("240p")
START = 1_763_000_000 * 90_000
FRAME = 3_600
SECOND = 90_000

HIGH_RUNG = VideoRung(HIGH, Codec.H264, "libx264", 854, 480, 1_000_000, 1_200_000, 1_000_000, "ultrafast", "high")
LOW_RUNG = replace(HIGH_RUNG, rendition=LOW, width=426, height=240, bitrate=300_000, maxrate=360_000, bufsize=300_000)
AUDIO_RUNG = AudioRung(Rendition("audio-64k"), SOUND, Codec.AAC, "aac", 64_000, 48_000, 2)
PLAN = Plan(Fraction(25), SOURCE, (HIGH_RUNG, LOW_RUNG))


def rung_track(config: bytes = AVCC) -> Track:
    """What an encoder opens with."""
    return replace(video_track(), config=config)


def sound_track() -> Track:
    """AAC of a rung."""
    return Track(
        TrackId("a0"), Kind.AUDIO, Codec.AAC, bytes.fromhex("1190"), "mp4a.40.2", 48_000, sample_rate=48_000,
        channels=2, frame_samples=1024,
    )  # fmt: skip


def begun(rendition: Rendition = SOURCE) -> TrackStarted:
    """The source begins."""
    return TrackStarted(rendition, video_track())


def cut(number: int, *, seconds: float = 2.0, discontinuity: bool = False) -> Cut:
    """The cut that opens segment `number`, of `seconds` each."""
    time = START + round(number * seconds * SECOND)
    return Cut(1_000 + number, time, time * 100 // 9, discontinuity)


def frame(
    number: int, rendition: Rendition = SOURCE, *, key: bool | None = None, gop: int = 25, size: int = 100
) -> Sample:
    """Frame `number` of a rendition."""
    dts = START + number * FRAME
    independent = number % gop == 0 if key is None else key
    return Sample(rendition, dts, dts, FRAME, rendition != SOURCE, independent, bytes(size), number / 25)


def frames(first: int, last: int, rendition: Rendition = SOURCE, *, gop: int = 25) -> Iterator[Sample]:
    """Frames `first` up to before `last`."""
    return (frame(number, rendition, gop=gop) for number in range(first, last))
