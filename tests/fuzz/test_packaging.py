"""Events in any order with any times: packaging never raises, and what it publishes is still well formed."""

from __future__ import annotations

import dataclasses
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests import mp4
from tests.profile import DEEP

from headwater.ingest.media import VIDEO_TIMESCALE, Codec, Cut, Kind, Rendition, Sample, StreamStarted, Track, TrackId
from headwater.origin.events import InitChanged, PartClosed, RenditionEnded, SegmentClosed, SegmentOpened
from headwater.origin.segmenter import Segmenter
from headwater.origin.window import Window, WindowSettings

EXAMPLES = 5_000 if DEEP else 60
"""A case is up to 120 events."""

NAME = Rendition("audio")
TRACK = Track(TrackId("a0"), Kind.AUDIO, Codec.AAC, b"c", "mp4a.40.2", 48_000, sample_rate=48_000, channels=2)
STARTED = StreamStarted(4, 520_000, 0)
STEPS = ("push", "push", "push", "push", "jump", "cut", "cut", "hole", "time", "track", "rate")


class Chaos:
    """A source that keeps to the types and to nothing else."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.segmenter = Segmenter(NAME, STARTED)
        self.window = Window(NAME, STARTED, WindowSettings(window_s=36, stream_bytes=100_000))
        self.track = TRACK
        self.seconds = 1_700_000_000.0
        self.msn = 1
        self.now = 0.0
        self.published: list[object] = []

    def step(self) -> None:
        dice = self.dice
        self.now += dice.random() * dice.choice((0.01, 0.1, 5))
        match dice.choice(STEPS):
            case "push":
                self.push(dice.choice((0.02, 0.02, 0.04, 0.2, 3)))
            case "jump":
                self.seconds += dice.choice((-4_000, -5, -0.5, 0.3, 2, 15, 4_000))
                self.push(0.02)
            case "cut":
                at = self.seconds + dice.choice((-5, -0.1, 0, 0, 0, 0.1, 3))
                self.segmenter.cut(Cut(self.msn, round(at * VIDEO_TIMESCALE), round(at * 1e6)), self.now)
                self.msn += 1
            case "hole":
                until = self.seconds + dice.choice((-1, 0, 0.001, 0.1, 1, 9, 2_500))
                self.segmenter.hole(round(until * self.track.timescale), self.now)
                self.seconds = max(self.seconds, until)
            case "time":
                self.segmenter.handle_timeout(self.now)
            case "track":
                self.track = dataclasses.replace(self.track, config=bytes((dice.randint(1, 3),)))
                self.segmenter.track_started(self.track, self.now)
            case "rate":
                rate = dice.choice((8_000, 44_100, 48_000))
                self.track = dataclasses.replace(self.track, timescale=rate, sample_rate=rate)
                self.segmenter.track_started(self.track, self.now)
        self.collect()

    def push(self, duration_s: float) -> None:
        dice, scale = self.dice, self.track.timescale
        dts = round(self.seconds * scale)
        pts = dts + dice.choice((0, 0, 0, 1, -1, 7_000 * scale)) * dice.randint(1, scale)
        duration = max(1, round(duration_s * dice.choice((0.5, 1, 1, 2)) * scale))
        exact, independent = dice.random() < 0.5, dice.random() < 0.3
        self.segmenter.push(Sample(NAME, dts, pts, duration, exact, independent, b"x" * 50, self.now), self.now)
        self.seconds += duration_s

    def collect(self) -> None:
        for event in self.segmenter.events():
            self.window.apply(event, self.now)
            self.published.append(event)
        self.window.playlist()
        due = self.segmenter.next_timeout()
        assert due is None or due < self.now + 2


@settings(max_examples=EXAMPLES)
@given(st.integers(0, 1 << 40), st.integers(1, 120))
def test_any_events(seed: int, steps: int) -> None:
    chaos = Chaos(seed)
    chaos.segmenter.track_started(TRACK, 0)
    for _ in range(steps):
        chaos.step()
    chaos.segmenter.end(chaos.now)
    chaos.collect()
    assert isinstance(chaos.published[-1], RenditionEnded)
    check(chaos)


def check(chaos: Chaos) -> None:
    scale, index, ticks = 0, 0, 0
    msn: int | None = None
    opened: SegmentOpened | None = None
    for event in chaos.published:
        match event:
            case InitChanged():
                assert opened is None
                scale = event.track.timescale
            case SegmentOpened():
                assert opened is None and (msn is None or event.msn == msn + 1)
                opened, msn, index, ticks = event, event.msn, 0, 0
            case PartClosed():
                assert opened is not None and (event.msn, event.index) == (opened.msn, index)
                assert 0 < event.duration_ticks * 1_000 <= 520 * scale
                assert index > 0 or event.name[1:] == opened.name[1:] or event.gap
                if event.data:
                    (fragment,) = mp4.fragments(event.data)
                    assert (f"p{fragment.tfdt}.m4s", fragment.duration) == (event.name, event.duration_ticks)
                index += 1
                ticks += event.duration_ticks
            case SegmentClosed():
                assert opened is not None and index > 0
                assert (event.msn, event.duration_ticks) == (opened.msn, ticks)
                opened = None
    names = [event.name for event in chaos.published if isinstance(event, PartClosed)]
    assert len(names) == len(set(names))
    playlist = chaos.window.playlist()
    assert [segment.msn for segment in playlist.segments] == list(
        range(playlist.media_sequence, playlist.media_sequence + len(playlist.segments))
    )
