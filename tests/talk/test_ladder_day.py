"""A day of a source whose clock is 100 ppm off and whose sound card runs at a speed of its own, on a virtual clock.

Timeline and grid, as the ladder uses them: what a day does to the distance between picture and sound, to the dates, and
to what is held. Frames are few and long, so that a day passes in seconds; what accumulates does so per second, not per
frame.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from tests.profile import DEEP
from tests.timeline_kit import IDR, SLICE, START, UNIX, audio, video

from headwater.ingest.encode.grid import Grid, Place, RungGrid
from headwater.ingest.media import Cut, Hole, Packet, Sample, StreamEvent, TrackId
from headwater.ingest.timeline import Timeline, TimelineSettings

# Why four: they show what a day would, in a sixth of the time. The deep profile runs the whole day.
HOURS = 24 if DEEP else 4
SPEED = 1.0001
"""Of the source's clock against ours."""
CARD = Fraction(999_960, 1_000_000)
"""Of the sound card's crystal against the source's clock."""
FPS = Fraction(30_000, 1_001) / 12
"""2.4975 frames per second: 400.4 ms, which RTMP's milliseconds cannot say."""
GOP = 5
RATE = 8_000
FRAME = 2_048
"""Samples of an audio packet (HE-AAC): 256 ms."""
LOOK = 500
"""Packets between two looks at what is held."""
RUNGS = {"720p": 1, "360p": 2}
"""Divisor of each rung."""


def arrivals() -> Iterator[Packet]:
    """What the encoder sends, in its order, in whole milliseconds of its clock, with the time at which it comes."""
    frames, sounds = 0, 0
    frame_s, sound_s = float(1 / FPS), FRAME / RATE / float(CARD)
    end = HOURS * 3_600
    while (at := min(frames * frame_s, sounds * sound_s)) < end:
        arrived = START + at / SPEED
        if frames * frame_s <= sounds * sound_s:
            key = frames % GOP == 0
            yield Packet(TrackId("v0"), round(frames * frame_s * 1000), 0, key, IDR if key else SLICE, arrived)
            frames += 1
        else:
            yield Packet(TrackId("a0"), round(sounds * sound_s * 1000), 0, True, b"\x21" * 20, arrived)
            sounds += 1


@dataclass
class Lip:
    """How far what a track says is from when it was taken, seconds: smallest and largest."""

    count: int = 0
    last: float = 0.0

    def see(self, position_s: float, taken_s: float) -> float:
        self.count += 1
        self.last = position_s - taken_s
        return self.last


@dataclass
class Rung:
    """One video rung: its places, and what is checked of each."""

    grid: RungGrid
    end: int | None = None
    cuts: list[int] = field(default_factory=list)
    frames: int = 0
    longest: int = 0
    shortest: int = 1 << 60

    def show(self, place: Place, period: Fraction) -> None:
        """One place; `period`: of the rung's frames, ticks."""
        took = self.grid.take(place)
        if took is None:
            return
        assert self.end is None or took.dts == self.end, "a gap or an overlap between frames of a rung"
        self.end = took.dts + took.duration
        self.frames += 1
        self.longest = max(self.longest, took.duration)
        self.shortest = min(self.shortest, took.duration)
        if took.idr:
            assert self.cuts and 0 <= took.pts - self.cuts.pop(0) < period, "a boundary is a frame or more off"


class Day:
    """Feeds a timeline and the grids behind it, and judges what comes out, keeping none of it."""

    def __init__(self) -> None:
        self.timeline = Timeline(TimelineSettings(), None)
        self.picture, self.sound = Lip(), Lip()
        self.worst_lip = self.worst_date = self.worst_step = self.worst_ahead = 0.0
        self.most_held = 0
        self.grid: Grid | None = None
        self.rungs = {name: Rung(RungGrid(divisor)) for name, divisor in RUNGS.items()}
        self.cuts = 0
        self.dated = 0
        """Cuts whose frame was seen."""
        self.moved = 0.0
        """The largest distance from a frame to its place, seconds."""
        self._last: Cut | None = None
        self._sound_end: int | None = None

    def run(self) -> None:
        timeline, now = self.timeline, START
        timeline.publisher_joined(now, UNIX)
        sound = dataclasses.replace(audio(rate=RATE), frame_samples=FRAME)
        timeline.configure(video(), now, UNIX)
        timeline.configure(sound, now, UNIX)
        for number, packet in enumerate(arrivals()):
            while (due := timeline.next_timeout()) is not None and due <= packet.arrived:
                now = max(now, due)
                timeline.handle_timeout(now, UNIX + now - START)
                self.take(timeline.events())
            now = packet.arrived
            timeline.packet(packet, now, UNIX + now - START)
            self.take(timeline.events())
            if number % LOOK == 0:
                self.most_held = max(self.most_held, timeline.held)
                self.worst_ahead = max(self.worst_ahead, timeline.ahead_s(now))

    def take(self, events: list[StreamEvent]) -> None:
        for event in events:
            assert not isinstance(event, Hole), event
            if isinstance(event, Cut):
                self.cut(event)
            elif isinstance(event, Sample):
                self.source(event) if event.rendition == "source" else self.heard(event)

    def cut(self, cut: Cut) -> None:
        assert not cut.discontinuity
        if self._last is not None:
            self.worst_step = max(
                self.worst_step, abs(cut.date_us - self._last.date_us - (cut.time - self._last.time) * 100 / 9)
            )
        self._last = cut
        self.cuts += 1
        for rung in self.rungs.values():
            rung.cuts.append(cut.time)
            rung.grid.cut(cut.time)
        if self.grid is None:
            self.grid = Grid(FPS, cut.time)

    def source(self, sample: Sample) -> None:
        assert self.grid is not None
        if self._last is not None and sample.pts == self._last.time:
            # Its date is the wall clock's, whatever the source's clock says.
            self.dated += 1
            self.worst_date = max(self.worst_date, abs(self._last.date_us / 1e6 - UNIX - (sample.arrived - START)))
        taken = self.picture.count / float(FPS)
        self.picture.see(sample.pts / 90_000 - UNIX, taken)
        self.lips()
        for place in self.grid.frame(sample.pts):
            self.moved = max(self.moved, abs(place.time - place.shown) / 90_000)
            for name, rung in self.rungs.items():
                rung.show(place, 90_000 / FPS * RUNGS[name])

    def heard(self, sample: Sample) -> None:
        assert self._sound_end is None or abs(sample.dts - self._sound_end) <= FRAME
        self._sound_end = sample.dts + sample.duration
        self.sound.see(sample.pts / RATE - UNIX, self.sound.count * FRAME / RATE / float(CARD))
        self.lips()

    def lips(self) -> None:
        if self.picture.count and self.sound.count:
            self.worst_lip = max(self.worst_lip, abs(self.picture.last - self.sound.last))


def test_a_day_of_a_clock_that_is_off() -> None:
    day = Day()
    day.run()
    seconds = HOURS * 3_600
    print(vars(day))
    assert day.picture.count > seconds * FPS * 0.999
    assert day.cuts > seconds / 2.1
    # Nobody sees 40 ms between picture and sound (ITU-R BT.1359); four hours of 40 ppm would be 0.6 s.
    assert day.worst_lip < 0.04
    # Four hours of 100 ppm would be 1.4 s.
    assert day.dated > day.cuts * 0.99
    assert day.worst_date < 0.05
    assert day.worst_step <= 1_001
    assert day.worst_ahead < 1 / FPS + 0.05
    assert day.most_held < 60
    assert day.grid is not None
    assert day.grid.duplicated == day.grid.dropped == 0
    assert day.moved < 0.5 / FPS
    for name, rung in day.rungs.items():
        period = 90_000 / FPS * RUNGS[name]
        assert abs(rung.frames - day.picture.count / RUNGS[name]) <= 1
        assert period * 0.99 < rung.shortest <= rung.longest < period * 1.01
        assert len(rung.cuts) <= 1
