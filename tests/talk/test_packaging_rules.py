"""Any stream through segmenter and window: the rules of the checklist hold, whatever the frame rate, GOP, jitter
and holes."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import mp4

from headwater.ingest.media import VIDEO_TIMESCALE, Codec, Cut, Kind, Rendition, Sample, StreamStarted, Track, TrackId
from headwater.origin.events import Hinted, InitChanged, PartClosed, SegmentClosed, SegmenterEvent, SegmentOpened
from headwater.origin.segmenter import Segmenter
from headwater.origin.window import Found, Gone, HintedName, Window, WindowSettings

T0 = 1_700_000_000
NAME = Rendition("source")
TD = 4


@dataclass
class Shape:
    """What a publisher does."""

    seed: int
    rate: Fraction = Fraction(30)
    gop: int = 60
    jitter_ms: int = 0
    """Of the source's timestamps."""
    network_ms: int = 0
    """Of arrivals."""
    reorder: bool = False
    exact: bool = False
    hole_every: int = 0
    """Frames between holes; 0: none."""
    hole_s: float = 1.0
    told: bool = True
    """Holes are told (Hole) or only seen."""
    part_target_us: int = 520_000
    frames: int = 300


@dataclass
class Run:
    """What came out."""

    events: list[SegmenterEvent] = field(default_factory=list)
    pushed: list[Sample] = field(default_factory=list)
    window: Window = field(init=False)
    now: float = 1_000.0

    def parts(self) -> list[PartClosed]:
        return [event for event in self.events if isinstance(event, PartClosed)]

    def segments(self) -> list[SegmentClosed]:
        return [event for event in self.events if isinstance(event, SegmentClosed)]


class Driver:
    """A small timeline: cuts at keyframes after 1.9 s, or in front of the target duration."""

    def __init__(self, started: StreamStarted, track: Track) -> None:
        self.run = Run()
        self.run.window = Window(NAME, started, WindowSettings(window_s=1e6, stream_bytes=1 << 40))
        self.segmenter = Segmenter(NAME, started)
        self.segmenter.track_started(track, 0)
        self.msn = 100
        self.cut_at: int | None = None

    def tick(self, now: float) -> None:
        self.run.now = max(self.run.now, now)
        due = self.segmenter.next_timeout()
        if due is not None and due <= now:
            self.segmenter.handle_timeout(now)
        self.collect()

    def collect(self) -> None:
        for event in self.segmenter.events():
            self.run.events.append(event)
            self.run.window.apply(event, self.run.now)

    def cut(self, time: int) -> None:
        self.cut_at = time
        self.segmenter.cut(Cut(self.msn, time, time * 100 // 9), self.run.now)
        self.msn += 1

    def push(self, sample: Sample) -> None:
        self.tick(sample.arrived)
        while self.cut_at is not None and sample.pts - self.cut_at > 3.6 * VIDEO_TIMESCALE:
            self.cut(self.cut_at + 2 * VIDEO_TIMESCALE)
        since = None if self.cut_at is None else sample.pts - self.cut_at
        frame = sample.duration
        keyframe = since is not None and sample.independent and since >= 1.8 * VIDEO_TIMESCALE
        if since is None or keyframe or since + 2 * frame > TD * VIDEO_TIMESCALE:
            self.cut(sample.pts)
        self.segmenter.push(sample, self.run.now)
        self.run.pushed.append(sample)
        self.collect()

    def hole(self, until: int) -> None:
        assert self.cut_at is not None
        while until - self.cut_at >= 2 * VIDEO_TIMESCALE:
            self.cut(self.cut_at + 2 * VIDEO_TIMESCALE)
        self.segmenter.hole(until, self.run.now)
        self.collect()

    def end(self) -> Run:
        self.segmenter.end(self.run.now)
        self.collect()
        return self.run


TRACK = Track(TrackId("v0"), Kind.VIDEO, Codec.H264, b"\x01config", "avc1.64001f", VIDEO_TIMESCALE, width=64, height=64)


def publish(shape: Shape) -> Run:
    """Drive a whole stream of that shape."""
    dice = random.Random(shape.seed)
    driver = Driver(StreamStarted(TD, shape.part_target_us, 0), TRACK)
    step = VIDEO_TIMESCALE / shape.rate
    last = None
    time = Fraction(T0 * VIDEO_TIMESCALE)
    arrival = 0.0
    for index in range(shape.frames):
        if shape.hole_every and index and index % shape.hole_every == 0:
            time += round(shape.hole_s * VIDEO_TIMESCALE)
            if shape.told:
                driver.hole(int(time) - shape.jitter_ms * 90)
        exact_dts = int(time)
        jitter = dice.randint(-shape.jitter_ms, shape.jitter_ms) * 90
        dts = exact_dts if shape.exact else round((exact_dts + jitter) / 90) * 90
        if last is not None:
            dts = max(dts, last + 1)
        time += step
        duration = max(
            1, int(time) - exact_dts if shape.exact or last is None else min(dts - last, 9 * VIDEO_TIMESCALE)
        )
        key = index % shape.gop == 0
        offset = 0 if key or not shape.reorder or shape.rate < 20 else dice.choice([-1, 0, 1, 2]) * int(step)
        arrival = max(arrival, dts / VIDEO_TIMESCALE - T0 + dice.randint(0, shape.network_ms) / 1000)
        pts = dts + offset
        if driver.cut_at is not None and not key:
            pts = max(pts, driver.cut_at)
        last = dts
        driver.push(Sample(NAME, dts, pts, duration, shape.exact, key, b"%d;" % index, arrival))
    return driver.end()


def check(run: Run, part_target_us: int) -> None:
    """Every rule that must hold for any stream."""
    check_parts(run, part_target_us)
    check_times(run)
    check_bytes(run)
    check_samples(run)
    check_playlist(run)


def check_parts(run: Run, part_target_us: int) -> None:
    target = Decimal(part_target_us) / 1_000_000
    closings = {(event.msn, event.name): event for event in run.segments()}
    assert len(closings) == len(run.segments())
    parts = run.parts()
    for part, after in zip(parts, [*parts[1:], None], strict=True):
        for decimals in (3, 5, 6):
            printed = Decimal(f"{part.duration_ticks / VIDEO_TIMESCALE:.{decimals}f}")
            assert printed <= target  # rule 42
            final = after is None or after.msn != part.msn
            before_gap = after is not None and after.gap
            if not (part.independent or part.gap or final or before_gap):
                assert printed >= target * Decimal("0.85")  # rule 43


def check_times(run: Run) -> None:
    parts = run.parts()
    starts = [int(part.name[1:-4]) for part in parts]
    for (start, part), following in zip(zip(starts, parts, strict=True), starts[1:], strict=False):
        assert following == start + part.duration_ticks  # rule 204, and GAP in between is declared time
    for start, part in zip(starts, parts, strict=True):
        if not part.gap:
            (fragment,) = mp4.fragments(part.data)
            assert fragment.tfdt == start
            assert fragment.duration == part.duration_ticks
            assert part.independent == fragment.samples[0].sync  # rules 51, 52
    sequences = [mp4.fragments(part.data)[0].sequence for part in parts if not part.gap]
    assert all(first < second for first, second in pairwise(sequences))


def check_bytes(run: Run) -> None:
    by_segment: dict[int, list[PartClosed]] = {}
    for part in run.parts():
        by_segment.setdefault(part.msn, []).append(part)
    for closed in run.segments():
        parts = by_segment[closed.msn]
        assert [part.index for part in parts] == list(range(len(parts)))  # rule 48
        assert closed.duration_ticks == sum(part.duration_ticks for part in parts)  # rule 47
        assert closed.gap == all(part.gap for part in parts)
        found = run.window.find(closed.name)
        if closed.gap:
            assert found == Gone()
        else:
            assert isinstance(found, Found)
            assert b"".join(found.data) == b"".join(part.data for part in parts)  # rule 46
            assert found.size == sum(map(len, found.data))


def check_samples(run: Run) -> None:
    out = [sample for part in run.parts() if not part.gap for sample in mp4.samples(part.data)]
    assert [sample.payload for sample in out] == [sample.payload for sample in run.pushed]
    assert [sample.pts for sample in out] == [sample.pts for sample in run.pushed]
    assert [sample.sync for sample in out] == [sample.independent for sample in run.pushed]
    assert all(first.dts < second.dts for first, second in pairwise(out))


def check_playlist(run: Run) -> None:
    hinted: str | None = None
    for event in run.events:
        if isinstance(event, Hinted):
            hinted = event.name
        elif isinstance(event, PartClosed):
            assert event.name == hinted  # rule 64: also a hint that died has its name, as GAP
    opened = [event for event in run.events if isinstance(event, SegmentOpened)]
    assert [event.msn for event in opened] == list(range(100, 100 + len(opened)))
    playlist = run.window.playlist()
    assert [segment.msn for segment in playlist.segments] == [event.msn for event in opened]
    assert all(round(segment.duration) <= TD for segment in playlist.segments)  # rule 8
    for first, second in pairwise(playlist.segments):
        assert first.date_us is not None and second.date_us is not None
        # Rule 115: dates and durations tell the same story, but for decode times that were moved at the borders
        assert abs((second.date_us - first.date_us) / 1e6 - first.duration) < 0.6


RATES = [Fraction(24_000, 1001), *map(Fraction, (24, 25)), Fraction(30_000, 1001), *map(Fraction, (30, 50))]
RATES += [Fraction(60_000, 1001), Fraction(60)]


@pytest.mark.parametrize("rate", RATES, ids=lambda rate: f"{float(rate):.2f}")
@pytest.mark.parametrize("exact", [True, False])
def test_standard_rates_need_no_runt(rate: Fraction, exact: bool) -> None:
    run = publish(Shape(1, rate=rate, gop=round(rate * 2), exact=exact, frames=round(rate * 10)))
    check(run, 520_000)
    assert {segment.duration_ticks // 9_000 for segment in run.segments()} <= {19, 20}
    by_msn = [sum(part.msn == msn for part in run.parts()) for msn in range(100, 105)]
    assert by_msn == [4] * 5


@settings(max_examples=100, deadline=None)
@given(
    st.builds(
        Shape,
        seed=st.integers(0, 1 << 30),
        rate=st.one_of(st.sampled_from(RATES), st.fractions(min_value=1, max_value=120, max_denominator=100)),
        gop=st.integers(1, 400),
        jitter_ms=st.integers(0, 40),
        network_ms=st.integers(0, 300),
        reorder=st.booleans(),
        exact=st.booleans(),
        hole_every=st.one_of(st.just(0), st.integers(20, 200)),
        hole_s=st.floats(0.001, 9),
        told=st.booleans(),
        part_target_us=st.sampled_from([200_000, 333_000, 520_000, 1_000_000]),
        frames=st.integers(1, 250),
    )
)
def test_the_rules_hold_for_any_stream(shape: Shape) -> None:
    check(publish(shape), shape.part_target_us)


def test_every_state_on_the_way_has_the_next_part_hinted() -> None:
    driver = Driver(StreamStarted(TD, 520_000, 0), TRACK)
    start = T0 * VIDEO_TIMESCALE
    for index in range(100):
        dts = start + index * 3_000
        driver.push(Sample(NAME, dts, dts, 3_000, False, index % 60 == 0, b"x", index / 30))
        playlist = driver.run.window.playlist()
        (hint,) = playlist.hints if playlist.segments or playlist.open else playlist.hints[-1:]
        assert driver.run.window.find(hint.uri) == HintedName()
    assert isinstance(driver.run.events[0], InitChanged)
    assert math.isclose(driver.run.window.duration_s, 3.0)
