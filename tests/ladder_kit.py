"""Values for tests of the ladder: a source of 25 frames/s with a keyframe every second, and two rungs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TypeVar

from tests.live_feed import AVCC, video_track
from tests.worker_kit import Clip

from headwater.ingest.encode.host import Ladder
from headwater.ingest.encode.model import AudioRung, Plan, VideoRung
from headwater.ingest.encode.spares import Spares
from headwater.ingest.media import (
    Codec,
    Cut,
    Hole,
    Kind,
    Rendition,
    Sample,
    StreamEvent,
    StreamStarted,
    Track,
    TrackId,
    TrackStarted,
)

Event = TypeVar("Event")

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


class Judge:
    """A sink that keeps what a ladder says, and holds it to what a sink may expect."""

    def __init__(self) -> None:
        self.events: list[StreamEvent] = []
        self.times: list[float] = []
        self._ends: dict[Rendition, int] = {}
        self._fresh: set[Rendition] = set()
        self._cuts: dict[Rendition, list[int]] = {}
        self._began: list[int] = []

    def write(self, event: StreamEvent, now: float) -> None:
        self.events.append(event)
        self.times.append(now)
        if isinstance(event, TrackStarted):
            self._fresh.add(event.rendition)
            self._cuts.setdefault(event.rendition, list(self._began))
        elif isinstance(event, Cut):
            self._began.append(event.time)
            for cuts in self._cuts.values():
                cuts.append(event.time)
        elif isinstance(event, Hole):
            assert event.until > self._ends.get(event.rendition, 0)
            self._ends[event.rendition] = event.until
            self._fresh.add(event.rendition)
            self._pass(event.rendition, event.until)
        elif isinstance(event, Sample) and event.rendition != SOURCE:
            self._sample(event)

    def _sample(self, sample: Sample) -> None:
        name = sample.rendition
        end = self._ends.get(name)
        if name in self._fresh:
            assert sample.independent, sample
            assert end is None or sample.dts >= end
        else:
            assert sample.dts == end or (sample.independent and end is not None and sample.dts > end), sample
        assert self._pass(name, sample.pts) <= sample.independent, sample
        self._fresh.discard(name)
        self._ends[name] = sample.dts + sample.duration

    def _pass(self, name: Rendition, time: int) -> bool:
        cuts = self._cuts[name]
        reached = [at for at in cuts if at <= time]
        del cuts[: len(reached)]
        return bool(reached)

    def of(self, kind: type[Event]) -> list[Event]:
        """Events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def samples(self, rendition: Rendition) -> list[Sample]:
        return [sample for sample in self.of(Sample) if sample.rendition == rendition]

    def count(self, rendition: Rendition) -> int:
        return len(self.samples(rendition))

    def end(self, rendition: Rendition) -> int:
        """Up to which a rung has come."""
        return self._ends.get(rendition, 0)


class Show:
    """A clip that is played into a ladder in real time, again and again, with a cut every two seconds."""

    def __init__(self, ladder: Ladder, sink: Judge, clip: Clip, spares: Spares, *, speed: float = 1.0) -> None:
        self.ladder, self.sink, self.clip, self.speed = ladder, sink, clip, speed
        self.spares = spares
        self.began = time.monotonic()
        self.frames = self.msn = 0
        self._task: asyncio.Task[None] | None = None
        self._muted = self._announce = False
        self._length = len(clip.samples) * clip.samples[0].duration
        self.start = clip.samples[0].pts

    def say(self, event: StreamEvent) -> None:
        now = time.monotonic()
        self.sink.write(event, now)
        self.ladder.feed(event, now)

    def __enter__(self) -> Show:
        self.say(StreamStarted(4, 520_000, 0))
        self.say(TrackStarted(SOURCE, self.clip.track))
        self._task = asyncio.get_running_loop().create_task(self._play())
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def mute(self, event: StreamEvent) -> None:
        """The video ends; cuts go on."""
        self.say(event)
        self._muted = True

    def unmute(self) -> None:
        """It is back with the next cut."""
        self._announce = True

    def stop(self) -> None:
        """The source says nothing more."""
        assert self._task is not None
        self._task.cancel()

    @property
    def end(self) -> int:
        """Stream time up to which it was played."""
        return self.start + self.frames * self.clip.samples[0].duration

    async def _play(self) -> None:
        while True:
            now = time.monotonic()
            while (self.end - self.start) / SECOND <= (now - self.began) * self.speed:
                self._frame(now)
            self.ladder.flushed(now)
            await asyncio.sleep(0.01)

    def _frame(self, now: float) -> None:
        sample = self.clip.samples[self.frames % len(self.clip.samples)]
        shift = self.frames // len(self.clip.samples) * self._length
        if self.end - self.start >= self.msn * 2 * SECOND:
            if self._announce:
                self.say(TrackStarted(SOURCE, self.clip.track))
                self._muted = self._announce = False
            self.say(Cut(self.msn, self.end, 0))
            self.msn += 1
        if not self._muted:
            self.say(replace(sample, dts=sample.dts + shift, pts=sample.pts + shift, arrived=now))
        self.frames += 1


class Cutter:
    """What a ladder asks of its timeline."""

    def __init__(self) -> None:
        self.allowed: list[bool] = []
        self.discontinued = 0

    def use_regular_cuts(self, allowed: bool) -> None:
        self.allowed.append(allowed)

    def discontinue(self) -> None:
        self.discontinued += 1


async def until(true: Callable[[], object], seconds: float = 20.0) -> float:
    """Wait for something to become true; the seconds that it took."""
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return time.monotonic() - began
