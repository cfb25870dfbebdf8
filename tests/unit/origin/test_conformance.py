"""Each rule fires on a publication that breaks it, and none on what the segmenter really makes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest
from tests.live_feed import AUDIO, AVCC, SOURCE, audio_track, picture, video_track

from headwater.ingest.media import Cut, Rendition, Sample, StreamStarted, Track
from headwater.origin.conformance import MOST_SEGMENTS, RULES, RenditionCheck, Together
from headwater.origin.events import (
    Hinted,
    InitChanged,
    PartClosed,
    RenditionEnded,
    SegmentClosed,
    SegmenterEvent,
    SegmentOpened,
)
from headwater.origin.hls.model import MediaPlaylist, Segment
from headwater.origin.segmenter import Segmenter
from headwater.origin.window import Window, WindowSettings

STARTED = StreamStarted(4, 520_000, 0)
FRAME, GOP, FIRST = 3_600, 50, 100

Publication = tuple[list[SegmenterEvent], MediaPlaylist]


class Stage:
    """A rendition whose publications are checked as they are made, or after they were changed.

    `events` may replace each event, `playlist` each version.
    """

    def __init__(self, rendition: Rendition = SOURCE, together: Together | None = None) -> None:
        self.segmenter = Segmenter(rendition, STARTED)
        self.window = Window(rendition, STARTED, WindowSettings())
        self.check = RenditionCheck(rendition, 0.52, 4, together or Together())
        self.events: Callable[[SegmenterEvent], SegmenterEvent | None] = lambda event: event
        self.playlist: Callable[[MediaPlaylist], MediaPlaylist] = lambda playlist: playlist
        self.seen: dict[int, str] = {}
        self.sound = rendition == AUDIO
        self.frame = 0

    def start(self, track: Track | None = None) -> Stage:
        self.segmenter.track_started(track or (audio_track() if self.sound else video_track()), 0.0)
        return self

    def cut(self, msn: int, *, late_us: int = 0, discontinuity: bool = False) -> None:
        time = (msn - FIRST) * GOP * FRAME
        self.segmenter.cut(Cut(msn, time, time * 100 // 9 + late_us, discontinuity), 0.0)

    def sample(self) -> None:
        if self.sound:
            dts = self.frame * 1_024
            self.segmenter.push(Sample(AUDIO, dts, dts, 1_024, True, True, b"sound" * 20, 0.0), 0.0)
        else:
            dts, key = self.frame * FRAME, self.frame % GOP == 0
            if key:
                self.cut(FIRST + self.frame // GOP)
            self.segmenter.push(
                Sample(SOURCE, dts, dts, FRAME, True, key, picture(b"x" * 80, key=key), 0.0), 0.0
            )  # fmt: skip
        self.frame += 1
        self.publish()

    def until(self, seconds: float) -> Stage:
        while self.frame * (1_024 / 48_000 if self.sound else 0.04) < seconds:
            self.sample()
        return self

    def publish(self) -> None:
        events = self.segmenter.events()
        if not events:
            return
        for event in events:
            self.window.apply(event, 0.0)
        told = [changed for event in events if (changed := self.events(event)) is not None]
        for rule, text in self.check.look(told, self.playlist(self.window.playlist())):
            self.seen.setdefault(rule, text)


@pytest.fixture
def live() -> Stage:
    """Five seconds on air, with nothing to say against it."""
    stage = Stage().start().until(5)
    assert not stage.seen
    return stage


def only(event_type: type[SegmenterEvent], **changes: object) -> Callable[[SegmenterEvent], SegmenterEvent]:
    """Every event of a type with other values."""
    return lambda event: replace(event, **changes) if isinstance(event, event_type) else event  # type: ignore[arg-type]


def drop(event_type: type[SegmenterEvent]) -> Callable[[SegmenterEvent], SegmenterEvent | None]:
    return lambda event: None if isinstance(event, event_type) else event


def part(change: Callable[[PartClosed], PartClosed]) -> Callable[[SegmenterEvent], SegmenterEvent]:
    return lambda event: change(event) if isinstance(event, PartClosed) else event


def longer(event: SegmenterEvent) -> SegmenterEvent:
    """Parts of 2.08 s in segments of 8.32 s, whole and true."""
    if isinstance(event, PartClosed):
        return replace(event, duration_ticks=event.duration_ticks * 4)
    if isinstance(event, SegmentClosed):
        return replace(event, duration_ticks=event.duration_ticks * 4)
    return event


def test_hours_of_a_good_stream_say_nothing() -> None:
    together = Together()
    picture_, sound = Stage(together=together).start(), Stage(AUDIO, together).start()
    for second in range(0, 200, 2):
        picture_.until(second + 2)
        sound.cut(FIRST + second // 2)
        sound.until(second + 2)
    for stage in (picture_, sound):
        stage.segmenter.end(0.0)
        stage.publish()
        assert stage.window.playlist().ended
        assert not stage.seen
    assert picture_.window.playlist().media_sequence > FIRST


def test_holes_changes_and_short_parts_that_are_allowed_say_nothing(live: Stage) -> None:
    live.segmenter.hole(live.frame * FRAME + 90_000, 0.0)
    live.publish()
    live.frame = 150
    live.segmenter.track_started(replace(video_track(), config=AVCC[:-1] + b"\x01"), 0.0)
    live.cut(103, discontinuity=True)
    live.segmenter.push(Sample(SOURCE, 540_000, 540_000, FRAME, True, True, picture(b"k", key=True), 0.0), 0.0)
    live.publish()
    live.segmenter.hole(540_000 + 30_000, 0.0)  # the part before it is of one frame
    live.publish()
    assert len(live.window.playlist().segments) == 3
    assert not live.seen


PARTS: list[tuple[int, Callable[[SegmenterEvent], SegmenterEvent | None]]] = [
    (8, longer),
    (42, longer),
    (12, lambda event: replace(event, msn=event.msn + 1) if isinstance(event, SegmentOpened) else event),
    (22, only(SegmentClosed, name="s5.m4s")),
    (23, only(PartClosed, name="part-7.m4s")),
    (23, only(PartClosed, name="p5.m4s")),
    (43, part(lambda p: replace(p, duration_ticks=FRAME * 10) if p.index == 2 else p)),
    (47, only(SegmentClosed, duration_ticks=170_000)),
    (48, part(lambda p: replace(p, index=p.index + 1))),
    (51, part(lambda p: replace(p, independent=False))),
    (52, part(lambda p: replace(p, independent=True))),
    (64, only(Hinted, name="p77.m4s")),
    (115, lambda event: replace(event, date_us=event.date_us + 600_000) if isinstance(event, SegmentOpened) else event),
    (116, only(SegmentOpened, init="init-other.mp4")),
    (200, part(lambda p: replace(p, data=p.data[:-1]))),
    (200, part(lambda p: replace(p, data=b""))),
    (200, part(lambda p: replace(p, data=p.data + p.data))),
    (204, part(lambda p: replace(p, name=f"p{int(p.name[1:-4]) + 9}.m4s"))),
    (204, part(lambda p: replace(p, duration_ticks=p.duration_ticks - 1))),
]


@pytest.mark.parametrize(("rule", "change"), PARTS)
def test_what_a_segmenter_may_not_say(
    live: Stage, rule: int, change: Callable[[SegmenterEvent], SegmenterEvent | None]
) -> None:
    live.events = change
    live.until(7)
    assert rule in live.seen, live.seen


def test_numbers_of_chunks_rise(live: Stage) -> None:
    def again(event: PartClosed) -> PartClosed:
        at = event.data.index(b"mfhd") + 8
        return replace(event, data=event.data[:at] + struct.pack(">I", 1) + event.data[at + 4 :])

    live.events = part(again)
    live.until(7)
    assert set(live.seen) == {204}


def test_a_part_before_its_init_section() -> None:
    stage = Stage()
    stage.events = drop(InitChanged)
    stage.start().until(3)
    assert 129 in stage.seen


def test_a_name_is_not_used_by_the_next_stream_of_the_name(live: Stage) -> None:
    first = live.check._together
    second = Stage(together=Together(first)).start().until(3)
    assert set(second.seen) == {23}
    assert set(Stage(AUDIO, Together(first)).start().until(3).seen) == set()


def test_sound_is_independent() -> None:
    stage = Stage(AUDIO).start()
    stage.cut(FIRST)
    stage.events = only(PartClosed, independent=False)
    assert 51 in stage.until(2).seen


def test_a_promise_of_independent_segments() -> None:
    stage = Stage().start()
    stage.window.promised_independent = True
    assert not stage.until(3).seen
    stage.events = only(PartClosed, independent=False)
    stage.until(5)
    assert {51, 182} <= set(stage.seen)


@pytest.mark.parametrize(("rule", "late_us", "discontinuity"), [(181, 700_000, False), (118, 0, True)])
def test_renditions_that_part(rule: int, late_us: int, discontinuity: bool) -> None:
    together = Together()
    assert not Stage(together=together).start().until(5).seen
    sound = Stage(AUDIO, together).start()
    for msn in (FIRST, FIRST + 1):
        sound.cut(msn, late_us=late_us, discontinuity=discontinuity)
    assert set(sound.until(4).seen) == {rule}


def test_starts_of_segments_are_forgotten() -> None:
    together = Together()
    for msn in range(3 * MOST_SEGMENTS):
        together.opened(SegmentOpened(msn, "", 0, msn, False, ""))
    assert together.opened(SegmentOpened(0, "", 0, 7, True, "")) == (7, True)
    assert together.opened(SegmentOpened(3 * MOST_SEGMENTS - 1, "", 0, 7, True, ""))[1] is False


# -- playlists ---------------------------------------------------------------------------------------------


def segments(change: Callable[[Segment], Segment]) -> Callable[[MediaPlaylist], MediaPlaylist]:
    return lambda playlist: replace(playlist, segments=tuple(map(change, playlist.segments)))


def control(**values: float) -> Callable[[MediaPlaylist], MediaPlaylist]:
    return lambda playlist: replace(playlist, control=replace(playlist.control, **values))  # type: ignore[arg-type]


def hasty(playlist: MediaPlaylist) -> MediaPlaylist:
    """Only one segment is kept."""
    kept = playlist.segments[-1:]
    return replace(playlist, segments=kept, media_sequence=kept[0].msn) if kept else playlist


def stale(playlist: MediaPlaylist) -> MediaPlaylist:
    """Without the newest part."""
    opened = playlist.open
    return replace(playlist, open=replace(opened, parts=opened.parts[:-1]) if opened else None)


PLAYLISTS: list[tuple[int, Callable[[MediaPlaylist], MediaPlaylist]]] = [
    (9, lambda playlist: replace(playlist, target_duration=5)),
    (10, lambda playlist: replace(playlist, part_target=0.6)),
    (10, control(part_hold_back=1.7)),
    (12, lambda playlist: replace(playlist, media_sequence=playlist.media_sequence - 50)),
    (12, lambda playlist: replace(playlist, segments=())),
    (16, hasty),
    (22, segments(lambda segment: replace(segment, uri="segment.m4s"))),
    (24, lambda playlist: replace(playlist, ended=True)),
    (28, control(part_hold_back=1.0)),
    (29, control(part_hold_back=1.5)),
    (30, control(hold_back=11.0)),
    (31, control(can_skip_until=20.0)),
    (46, stale),
    (46, lambda playlist: replace(playlist, segments=playlist.segments[:-1])),
    (47, segments(lambda segment: replace(segment, duration=segment.duration + 0.1))),
    (58, segments(lambda segment: replace(segment, parts=()))),
    (61, lambda playlist: replace(playlist, hints=())),
    (113, segments(lambda segment: replace(segment, date_us=None))),
    (117, lambda playlist: replace(hasty(playlist), discontinuity_sequence=3)),
    (129, segments(lambda segment: replace(segment, map=None))),
]


@pytest.mark.parametrize(("rule", "change"), PLAYLISTS)
def test_what_a_playlist_may_not_be(live: Stage, rule: int, change: Callable[[MediaPlaylist], MediaPlaylist]) -> None:
    live.playlist = change
    live.until(8.1)
    assert rule in live.seen, live.seen


def test_part_tags_that_stay() -> None:
    stage = Stage().start()
    parts: dict[int, Segment] = {}

    def keep(playlist: MediaPlaylist) -> MediaPlaylist:
        for segment in playlist.segments:
            if segment.parts:
                parts[segment.msn] = segment
        return replace(playlist, segments=tuple(parts[segment.msn] for segment in playlist.segments))

    stage.playlist = keep
    assert not stage.until(12).seen
    assert set(stage.until(18).seen) == {57}


def test_a_new_init_section_without_its_hint(live: Stage) -> None:
    live.playlist = lambda playlist: replace(playlist, hints=playlist.hints[-1:])
    live.segmenter.track_started(replace(video_track(), config=AVCC[:-1] + b"\x01"), 0.0)
    live.cut(103, discontinuity=True)
    live.frame = 150
    live.segmenter.hole(150 * FRAME, 0.0)
    live.publish()
    assert set(live.seen) == {62}


def fired() -> Iterator[int]:
    """Rules that a test above makes fire."""
    yield from (rule for rule, _ in PARTS)
    yield from (rule for rule, _ in PLAYLISTS)
    yield from (57, 62, 118, 181, 182)


def test_every_rule_is_seen_to_fire() -> None:
    assert set(RULES) == set(fired())


def test_garbage_raises_nothing() -> None:
    events: Iterable[SegmenterEvent] = (
        PartClosed(1, 7, "x", b"\0" * 40, 1, True, False, 0.0),
        SegmentClosed(5, "", 0, False),
        RenditionEnded(),
        Hinted(""),
    )
    check = RenditionCheck("source", 0.52, 4, Together())
    rules = {rule for rule, _ in check.look(list(events), MediaPlaylist(0, 0))}
    assert {9, 10, 22, 23, 28, 46, 48, 200} <= rules
    assert rules <= set(RULES)
