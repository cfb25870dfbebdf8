"""Simulated publishers on a stepped clock, and a judge of what a timeline says."""

from __future__ import annotations

import heapq
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from headwater.ingest.media import (
    RTMP_CLOCK,
    VIDEO_TIMESCALE,
    Codec,
    Cut,
    Hole,
    Kind,
    Packet,
    Sample,
    StreamEnded,
    StreamEvent,
    StreamStarted,
    Track,
    TrackEnded,
    TrackId,
    TrackStarted,
)
from headwater.ingest.timeline import Advice, Epoch, Timeline, TimelineSettings
from headwater.ingest.timeline.advice import Adviser
from headwater.ingest.timeline.drift import Drift
from headwater.ingest.timeline.lane import lane_for
from headwater.ingest.timeline.output import Output
from headwater.ingest.timeline.stage import Stage

UNIX = 1_800_000_000.25
"""Unix seconds at monotonic 1000.0 of every conversation."""
START = 1_000.0

AVCC = bytes.fromhex("0142c01effe1000e6742c01ed9005005bb0110000003000100000468ce3c80")


def nal(kind: int, size: int = 40) -> bytes:
    """One access unit of one NAL unit with a 4-byte length."""
    body = bytes([kind]) + b"\x80" * size
    return struct.pack(">I", len(body)) + body


IDR = nal(0x65, 400)
SLICE = nal(0x41)


def video(name: str = "v0", config: bytes = AVCC, frame_rate: Fraction | None = None) -> Track:
    """An H.264 track."""
    return Track(
        TrackId(name),
        Kind.VIDEO,
        Codec.H264,
        config,
        "avc1.42c01e",
        VIDEO_TIMESCALE,
        RTMP_CLOCK,
        640,
        360,
        frame_rate=frame_rate,
    )


def audio(name: str = "a0", rate: int = 48_000, config: bytes = b"\x11\x90") -> Track:
    """An AAC track."""
    return Track(
        TrackId(name),
        Kind.AUDIO,
        Codec.AAC,
        config,
        "mp4a.40.2",
        rate,
        RTMP_CLOCK,
        sample_rate=rate,
        channels=2,
        frame_samples=1024,
    )


@dataclass(order=True)
class Arrival:
    """Something that reaches the server at `at`, monotonic seconds."""

    at: float
    order: int
    what: Packet | Track = field(compare=False)


def frames(
    *,
    fps: Fraction | int = 30,
    gop: int | list[int] = 60,
    seconds: float = 20.0,
    base_ms: int = 0,
    start: float = START,
    track: str = "v0",
    bframes: bool = False,
    speed: float = 1.0,
    delay: float = 0.0,
    wrap: int = 32,
    skip: tuple[float, float] = (0, 0),
) -> Iterator[Arrival]:
    """Video packets with times rounded to milliseconds, as encoders send them.

    `speed`: of the encoder's clock against ours. `skip`: media seconds that are not sent.
    """
    gops = gop if isinstance(gop, list) else [gop]
    keys: set[int] = set()
    at = 0
    index = 0
    count = int(seconds * fps)
    while at < count:
        keys.add(at)
        at += gops[index % len(gops)]
        index += 1
    since = 0
    for n in range(count):
        since = 0 if n in keys else since + 1
        media = Fraction(n) / fps
        cts = 0
        if bframes:
            # I P B B P B B ...: decode order; presentation is one frame later than decoding.
            step = 1 if since == 0 else (3 if since % 3 == 1 else 0)
            cts = round(1000 * step / Fraction(fps))
        if skip[0] <= media < skip[1]:
            continue
        dts = (base_ms + round(media * 1000)) % (1 << wrap)
        arrived = start + delay + float(media) / speed
        yield Arrival(
            arrived, n, Packet(TrackId(track), dts, cts * 1000, n in keys, IDR if n in keys else SLICE, arrived)
        )


def sound(
    *,
    rate: int = 48_000,
    seconds: float = 20.0,
    base_ms: int = 0,
    start: float = START,
    track: str = "a0",
    speed: float = 1.0,
    delay: float = 0.0,
    since: float = 0.0,
    wrap: int = 32,
    skip: tuple[float, float] = (0, 0),
) -> Iterator[Arrival]:
    """AAC packets; `since`: media seconds of the first one."""
    for n in range(int(since * rate / 1024), int(seconds * rate / 1024)):
        media = n * 1024 / rate
        if skip[0] <= media < skip[1]:
            continue
        arrived = start + delay + media / speed
        dts = (base_ms + round(media * 1000)) % (1 << wrap)
        yield Arrival(arrived, n, Packet(TrackId(track), dts, 0, True, b"\x21" * 20, arrived))


def config(track: Track, at: float = START) -> list[Arrival]:
    """A sequence header."""
    return [Arrival(at, -1, track)]


class Judge:
    """Checks everything that holds for every stream, and keeps the events by kind."""

    def __init__(self, tolerance_s: float = 0.06) -> None:
        self.events: list[StreamEvent] = []
        self.cuts: list[Cut] = []
        self.samples: dict[str, list[Sample]] = {}
        self.holes: dict[str, list[Hole]] = {}
        self.started: StreamStarted | None = None
        self.tracks: dict[str, Track] = {}
        self.ended: list[str] = []
        self._at: dict[str, int] = {}
        self._dts: dict[str, int] = {}
        self._over = False
        self._tolerance = tolerance_s

    def take(self, events: Iterable[StreamEvent]) -> None:
        """Check the next events."""
        for event in events:
            assert not self._over, "something follows StreamEnded"
            self.events.append(event)
            if isinstance(event, StreamStarted):
                assert self.started is None
                self.started = event
            elif isinstance(event, StreamEnded):
                self._over = True
            else:
                assert self.started is not None
                self._one(event)

    def _one(self, event: StreamEvent) -> None:
        if isinstance(event, TrackStarted):
            before = self.tracks.get(event.rendition)
            if before is not None and before.config != event.track.config:
                # What is left of the old grid is behind it; what waited for the cut left a gap.
                self._at.pop(event.rendition, None)
                if event.rendition in self._dts:
                    dts = self._dts[event.rendition]
                    self._dts[event.rendition] = dts * event.track.timescale // before.timescale
            self.tracks[event.rendition] = event.track
        elif isinstance(event, TrackEnded):
            del self.tracks[event.rendition]
            self.ended.append(event.rendition)
        elif isinstance(event, Cut):
            self._cut(event)
        elif isinstance(event, Sample):
            self._sample(event)
        elif isinstance(event, Hole):
            assert event.until > self._at.get(event.rendition, 0)
            self._at[event.rendition] = event.until
            self.holes.setdefault(event.rendition, []).append(event)

    def _cut(self, cut: Cut) -> None:
        assert self.started is not None
        if self.cuts:
            last = self.cuts[-1]
            assert cut.msn == last.msn + 1
            assert cut.time > last.time
            assert cut.date_us > last.date_us
            if not cut.discontinuity:
                assert (cut.time - last.time) / 90_000 < self.started.target_duration_s + 0.5
        self.cuts.append(cut)

    def _sample(self, sample: Sample) -> None:
        assert self.cuts, "a sample before the first cut"
        track = self.tracks[sample.rendition]
        assert sample.duration >= 1
        if sample.rendition in self._dts:
            assert sample.dts > self._dts[sample.rendition]
        self._dts[sample.rendition] = sample.dts
        before = self._at.get(sample.rendition)
        if track.kind is Kind.AUDIO:
            assert sample.exact and sample.pts == sample.dts
            if before is not None:
                assert 0 <= sample.dts - before <= max(self._tolerance * track.timescale, 2 * track.frame_samples)
            self._at[sample.rendition] = sample.dts + sample.duration
        else:
            assert not sample.exact
            holes = self.holes.get(sample.rendition)
            assert not holes or sample.pts >= holes[-1].until
        self.samples.setdefault(sample.rendition, []).append(sample)

    # -- questions

    def lengths(self) -> list[float]:
        """Seconds of every closed segment."""
        return [(b.time - a.time) / 90_000 for a, b in zip(self.cuts, self.cuts[1:], strict=False)]

    def starts(self) -> list[Sample | None]:
        """The sample of `source` that follows each cut directly, or None."""
        found: list[Sample | None] = []
        for index, event in enumerate(self.events):
            if isinstance(event, Cut):
                later = (e for e in self.events[index + 1 :] if isinstance(e, Sample | Cut))
                following = next((e for e in later if isinstance(e, Cut) or e.rendition == "source"), None)
                found.append(following if isinstance(following, Sample) else None)
        return found

    def discontinuities(self) -> int:
        return sum(cut.discontinuity for cut in self.cuts)


class Talk:
    """One timeline, its clock, and its judge.

    `saved` is the epoch as a shell would have saved it: whenever a batch of events holds a cut, before the
    batch is judged.
    """

    def __init__(
        self, settings: TimelineSettings | None = None, epoch: Epoch | None = None, now: float = START
    ) -> None:
        self.timeline = Timeline(settings or TimelineSettings(), epoch)
        self.judge = Judge()
        self.now = now
        self.unix_rate = 1.0
        self.advice: list[Advice] = []
        self.saved = epoch
        self.batches: list[tuple[Epoch | None, list[StreamEvent]]] = []
        self.most_held = 0

    @property
    def unix(self) -> float:
        return UNIX + (self.now - START) * self.unix_rate

    def join(self, late_s: float = 0.0) -> None:
        self.timeline.publisher_joined(self.now, self.unix, late_s)
        self._collect()

    def leave(self) -> None:
        self.timeline.publisher_left(self.now, self.unix)
        self._collect()

    def end(self) -> None:
        self.timeline.end(self.now, self.unix)
        self._collect()

    def until(self, at: float) -> None:
        """Let time pass."""
        while (due := self.timeline.next_timeout()) is not None and due <= at:
            self.now = max(self.now, due)
            self.timeline.handle_timeout(self.now, self.unix)
            self._collect()
        self.now = max(self.now, at)

    def play(self, *arrivals: Iterable[Arrival]) -> None:
        """Feed merged arrivals at their times."""
        for arrival in heapq.merge(*arrivals):
            self.until(arrival.at)
            if isinstance(arrival.what, Track):
                self.timeline.configure(arrival.what, self.now, self.unix)
            else:
                self.timeline.packet(arrival.what, self.now, self.unix)
            self._collect()

    def _collect(self) -> None:
        events = self.timeline.events()
        if any(isinstance(event, Cut | StreamEnded) for event in events):
            self.saved = self.timeline.epoch
        if events:
            self.batches.append((self.saved, events))
        self.judge.take(events)
        self.advice += self.timeline.advice()
        self.most_held = max(self.most_held, self.timeline.held)

    def kinds(self) -> set[str]:
        return {advice.kind.value for advice in self.advice}


class Scene:
    """A stage with a video and an audio lane, begun at 10 s."""

    def __init__(self) -> None:
        self.output = Output(None)
        self.stage = Stage(TimelineSettings(), self.output, Adviser())
        self.video, self.audio = lane_for(video()), lane_for(audio())
        for lane in (self.video, self.audio):
            lane.attach(lane.track, 0)
            lane.hear(10.0)
            self.stage.lanes[lane.track.id] = lane
        self.stage.primary = self.video
        self.stage.present = True
        self.output.start(1, 0, 4, 520_000, 0)
        self.stage.drift = Drift(10.0, 10.0, 10 * VIDEO_TIMESCALE, 0)
        self.stage.cut(10 * VIDEO_TIMESCALE, 10.0, 10.0, at_keyframe=True)

    def events(self) -> list[StreamEvent]:
        return self.output.take()
