"""A stream of H.264 and AAC as ingest would hand it on: 25 fps, a keyframe and a cut every 2 s, 48 kHz audio.

Payloads are counters behind the header of a slice, not pictures: nothing here is decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from headwater.ingest.media import (
    Codec,
    Cut,
    Kind,
    Rendition,
    Sample,
    StreamEnded,
    StreamSink,
    StreamStarted,
    Track,
    TrackId,
    TrackStarted,
)

SOURCE = Rendition("source")
AUDIO = Rendition("audio")
EPOCH_S = 1_763_000_000
FPS = 25
GOP = 50
AVCC = bytes.fromhex("0164001fffe1001a6764001facd9405005bb0110000003001000000303c0f183196001000668ebe3cb22c0fdf8f800")


def video_track(codec_string: str = "avc1.64001f", track: str = "v0") -> Track:
    return Track(
        TrackId(track), Kind.VIDEO, Codec.H264, AVCC, codec_string, 90_000, width=1280, height=720,
        frame_rate=Fraction(FPS),
    )  # fmt: skip


def audio_track(track: str = "a0", language: str = "en", name: str = "") -> Track:
    return Track(
        TrackId(track), Kind.AUDIO, Codec.AAC, bytes.fromhex("1190"), "mp4a.40.2", 48_000, sample_rate=48_000,
        channels=2, frame_samples=1024, language=language, name=name,
    )  # fmt: skip


def picture(data: bytes, *, key: bool) -> bytes:
    """An access unit of one slice that holds anything."""
    unit = bytes((0x65 if key else 0x41,)) + data
    return len(unit).to_bytes(4, "big") + unit


class Feed:
    """Writes a stream into a sink, as far as it is told. `clock`: the `now` of each event."""

    def __init__(
        self, sink: StreamSink, clock: Callable[[], float], *, first_msn: int = 1_000, exact: bool = True
    ) -> None:
        self.gop = GOP
        self.sink = sink
        self.clock = clock
        self.exact = exact
        self.msn = first_msn - 1
        self.frames = 0
        self.packets = 0
        self.audio = False
        self.audio_from = 0.0

    def start(self, *, audio: bool = True, video: bool = True, target_duration_s: int = 4) -> None:
        now = self.clock()
        self.sink.write(StreamStarted(target_duration_s, 520_000, 0), now)
        if video:
            self.sink.write(TrackStarted(SOURCE, video_track()), now)
        if audio:
            self.start_audio()

    def start_audio(self) -> None:
        self.audio = True
        while self.packets * 1024 / 48_000 < self.frames / FPS:
            self.packets += 1
        self.sink.write(TrackStarted(AUDIO, audio_track()), self.clock())

    def until(self, seconds: float) -> None:
        """Write all samples that start before `seconds` of stream time."""
        while True:
            video_at, audio_at = self.frames / FPS, self.packets * 1024 / 48_000
            if self.audio and audio_at < min(video_at, seconds):
                self._audio()
            elif video_at < seconds:
                self._video()
            else:
                return

    def end(self) -> None:
        self.sink.write(StreamEnded(), self.clock())

    def _video(self) -> None:
        now = self.clock()
        dts = EPOCH_S * 90_000 + self.frames * 3_600
        changed = self._change(now)
        key = self.frames % self.gop == 0
        if key:
            self.msn += 1
            self.sink.write(Cut(self.msn, dts, EPOCH_S * 1_000_000 + self.frames * 40_000, changed), now)
        payload = picture(self.frames.to_bytes(4, "big") * 248, key=key)
        self.sink.write(Sample(SOURCE, dts, dts, 3_600, self.exact, key, payload, now), now)
        self.frames += 1

    def _change(self, now: float) -> bool:
        """Change the picture before this frame, if it is time: whether it was."""
        return False

    def _audio(self) -> None:
        now = self.clock()
        dts = EPOCH_S * 48_000 + self.packets * 1024
        self.sink.write(Sample(AUDIO, dts, dts, 1024, True, True, self.packets.to_bytes(4, "big") * 75, now), now)
        self.packets += 1
