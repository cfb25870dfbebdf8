"""Parts and segments of one rendition: when they close, how long they are, what they are called."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

from tests import mp4

from headwater.ingest.media import (
    Codec,
    Cut,
    Kind,
    Rendition,
    Sample,
    StreamStarted,
    Track,
    TrackId,
)
from headwater.origin.events import (
    Hinted,
    InitChanged,
    PartClosed,
    RenditionEnded,
    SegmentClosed,
    SegmenterEvent,
    SegmentOpened,
)
from headwater.origin.segmenter import MAX_CUTS, TIMER_ALLOWANCE_S, Segmenter

SOURCE = Rendition("source")
AUDIO = Rendition("audio")
STARTED = StreamStarted(target_duration_s=4, part_target_us=520_000, discontinuity_sequence=0)
T0 = 1_700_000_000 * 90_000
"""Stream time of the first cut, 90 kHz."""
DATE0 = 1_700_000_000_000_000
PART_MAX = 46_800
FRAME = 3_000

VIDEO_TRACK = Track(
    TrackId("v0"), Kind.VIDEO, Codec.H264, b"\x01\x64\x00\x1f\xff\xe0\x00", "avc1.64001f", 90_000, width=320, height=180
)


def audio_track(rate: int = 48_000) -> Track:
    return Track(
        TrackId("a0"),
        Kind.AUDIO,
        Codec.AAC,
        b"\x11\x90",
        "mp4a.40.2",
        rate,
        sample_rate=rate,
        channels=2,
        frame_samples=1024,
    )


def frame(
    dts: int,
    *,
    duration: int = FRAME,
    key: bool = False,
    exact: bool = False,
    offset: int = 0,
    rendition: Rendition = SOURCE,
) -> Sample:
    """A sample `dts` ticks after T0 that arrives when it should."""
    return Sample(rendition, T0 + dts, T0 + dts + offset, duration, exact, key, b"%d" % dts, 100 + dts / 90_000)


def cut(msn: int, time: int, *, discontinuity: bool = False) -> Cut:
    """A cut `time` 90 kHz ticks after T0."""
    return Cut(msn, T0 + time, DATE0 + time * 100 // 9, discontinuity)


def video(*, part_target_us: int = 520_000) -> Segmenter:
    segmenter = Segmenter(SOURCE, dataclasses.replace(STARTED, part_target_us=part_target_us))
    segmenter.track_started(VIDEO_TRACK, 0)
    segmenter.cut(cut(7, 0), 0)
    segmenter.events()
    return segmenter


def parts(events: list[SegmenterEvent]) -> list[PartClosed]:
    return [event for event in events if isinstance(event, PartClosed)]


def kinds(events: list[SegmenterEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_first_track_gives_the_init_section_at_once() -> None:
    segmenter = Segmenter(SOURCE, STARTED)
    segmenter.track_started(VIDEO_TRACK, 0)
    (event,) = segmenter.events()
    assert isinstance(event, InitChanged)
    assert event.track is VIDEO_TRACK
    assert event.name.startswith("init-") and event.name.endswith(".mp4")


def test_what_comes_before_the_first_cut_is_dropped_and_counted() -> None:
    segmenter = Segmenter(SOURCE, STARTED)
    segmenter.push(frame(0, key=True), 0)
    segmenter.track_started(VIDEO_TRACK, 0)
    segmenter.push(frame(0, key=True), 0)
    segmenter.cut(cut(7, FRAME), 0)
    segmenter.push(frame(0, key=True), 0)
    assert segmenter.dropped == 3
    assert kinds(segmenter.events()) == ["InitChanged"]


def test_the_segment_opens_and_hints_with_its_first_sample() -> None:
    segmenter = video()
    segmenter.push(frame(0, key=True), 0)
    opened, hinted = segmenter.events()
    assert opened == SegmentOpened(7, f"s{T0}.m4s", T0, DATE0, False, opened.init)  # type: ignore[union-attr]
    assert hinted == Hinted(f"p{T0}.m4s")


def test_exact_samples_close_a_part_on_its_last_frame() -> None:
    segmenter = video()
    for index in range(15):
        segmenter.push(frame(index * FRAME, key=index == 0, exact=True), 0)
        assert bool(parts(segmenter.events())) == (index == 14)
    assert segmenter.next_timeout() is None


def test_inexact_samples_close_a_part_when_the_next_one_comes() -> None:
    segmenter = video()
    for index in range(15):
        segmenter.push(frame(index * FRAME, key=index == 0), 0)
    assert not parts(segmenter.events())
    segmenter.push(frame(15 * FRAME), 0)
    (part,) = parts(segmenter.events())
    assert (part.msn, part.index, part.name) == (7, 0, f"p{T0}.m4s")
    assert (part.duration_ticks, part.independent, part.gap) == (15 * FRAME, True, False)
    assert part.arrived == 100 + 14 * FRAME / 90_000


def test_a_full_part_closes_on_the_timer_and_its_declared_end_is_final() -> None:
    segmenter = video()
    for index in range(15):
        segmenter.push(frame(index * FRAME, key=index == 0), 0)
    deadline = segmenter.next_timeout()
    assert deadline is not None
    assert abs(deadline - (100 + 15 * FRAME / 90_000 + TIMER_ALLOWANCE_S)) < 1e-6
    segmenter.handle_timeout(deadline - 0.001)
    assert not parts(segmenter.events())
    segmenter.handle_timeout(deadline)
    events = segmenter.events()
    assert parts(events)[0].duration_ticks == 15 * FRAME
    assert events[-1] == Hinted(f"p{T0 + 15 * FRAME}.m4s")
    assert segmenter.next_timeout() is None
    # 2 ms later than declared: the decode time moves, the presentation time stays
    segmenter.push(frame(15 * FRAME + 180), 0)
    segmenter.push(frame(16 * FRAME), 0)
    segmenter.end(0)
    (part,) = parts(segmenter.events())
    first, second = mp4.samples(part.data)
    assert (first.dts, first.pts, first.duration) == (T0 + 15 * FRAME, T0 + 15 * FRAME + 180, FRAME)
    assert (second.dts, second.pts) == (T0 + 16 * FRAME, T0 + 16 * FRAME)


def test_a_sample_earlier_than_the_declared_end_moves_later() -> None:
    segmenter = video()
    for index in range(15):
        segmenter.push(frame(index * FRAME, key=index == 0), 0)
    segmenter.handle_timeout(1e9)
    segmenter.push(frame(15 * FRAME - 90), 0)
    segmenter.push(frame(16 * FRAME), 0)
    segmenter.end(0)
    first, _ = mp4.samples(parts(segmenter.events())[-1].data)
    assert (first.dts, first.pts, first.duration) == (T0 + 15 * FRAME, T0 + 15 * FRAME - 90, FRAME)


def test_a_part_that_is_not_full_has_no_timer() -> None:
    segmenter = video()
    segmenter.push(frame(0, key=True), 0)
    assert segmenter.next_timeout() is None


def test_jitter_never_takes_a_part_over_part_target() -> None:
    segmenter = video()  # 25 fps: 13 frames are PART-TARGET exactly
    for index in range(14):
        late = 90 if index == 13 else 0
        segmenter.push(frame(index * 3_600 + late, duration=3_600, key=index == 0), 0)
    (part,) = parts(segmenter.events())
    assert part.duration_ticks == PART_MAX


def test_a_short_part_is_stretched_to_85_percent() -> None:
    segmenter = video()
    segmenter.push(frame(0, key=True, duration=PART_MAX), 0)
    segmenter.push(frame(PART_MAX, duration=36_000), 0)  # 0.4 s, then a frame that does not fit beside it
    segmenter.push(frame(PART_MAX + 36_000, duration=36_000), 0)
    segmenter.push(frame(PART_MAX + 72_000, duration=36_000), 0)
    events = parts(segmenter.events())
    assert [part.duration_ticks for part in events][:2] == [PART_MAX, 39_780]


def test_a_cut_ends_the_segment_at_its_first_sample() -> None:
    segmenter = video()
    for index in range(20):
        segmenter.push(frame(index * FRAME, key=index == 0), 0)
    segmenter.cut(cut(8, 20 * FRAME), 0)
    segmenter.events()
    segmenter.push(frame(20 * FRAME, key=True), 0)
    events = segmenter.events()
    assert kinds(events) == ["PartClosed", "Hinted", "SegmentClosed", "SegmentOpened"]
    part, hinted, closed, opened = events
    assert isinstance(part, PartClosed) and (part.index, part.duration_ticks) == (1, 5 * FRAME)
    assert hinted == Hinted(f"p{T0 + 20 * FRAME}.m4s")
    assert closed == SegmentClosed(7, f"s{T0}.m4s", 20 * FRAME, gap=False)
    assert isinstance(opened, SegmentOpened)
    assert (opened.msn, opened.start_ticks) == (8, T0 + 20 * FRAME)
    assert opened.date_us == DATE0 + 20 * FRAME * 100 // 9


def test_an_exact_rendition_ends_its_segment_as_soon_as_the_cut_is_known() -> None:
    segmenter = Segmenter(AUDIO, STARTED)
    segmenter.track_started(audio_track(), 0)
    segmenter.cut(cut(7, 0), 0)
    start = T0 * 48_000 // 90_000
    for index in range(10):
        segmenter.push(Sample(AUDIO, start + index * 1024, start + index * 1024, 1024, True, True, b"a", 1.0), 0)
    segmenter.events()
    segmenter.cut(cut(8, 9 * 1024 * 90 // 48), 0)  # before the end of what is there
    events = segmenter.events()
    assert kinds(events) == ["PartClosed", "Hinted", "SegmentClosed", "SegmentOpened"]
    opened = events[-1]
    assert isinstance(opened, SegmentOpened)
    # The first sample is a frame after the cut, and the date with it
    assert opened.start_ticks == start + 10 * 1024
    assert opened.date_us - (DATE0 + 9 * 1024 * 90 // 48 * 100 // 9) == 21_333


def test_every_audio_part_is_independent_and_within_the_85_percent() -> None:
    segmenter = Segmenter(AUDIO, STARTED)
    segmenter.track_started(audio_track(), 0)
    segmenter.cut(cut(7, 0), 0)
    start = T0 * 48_000 // 90_000
    for index in range(100):
        segmenter.push(Sample(AUDIO, start + index * 1024, start + index * 1024, 1024, True, True, b"a", 1.0), 0)
    events = parts(segmenter.events())
    assert [part.duration_ticks for part in events] == [24 * 1024] * 4
    assert all(part.independent for part in events)


def test_cuts_queue_for_a_rendition_that_is_behind() -> None:
    segmenter = video()
    segmenter.push(frame(0, key=True), 0)
    segmenter.cut(cut(8, 2 * FRAME), 0)
    segmenter.cut(cut(9, 4 * FRAME), 0)
    for index in range(1, 6):
        segmenter.push(frame(index * FRAME, key=index % 2 == 0), 0)
    segmenter.end(0)
    events = segmenter.events()
    assert [(part.msn, part.duration_ticks) for part in parts(events)] == [
        (7, 2 * FRAME),
        (8, 2 * FRAME),
        (9, 2 * FRAME),
    ]
    assert isinstance(events[-1], RenditionEnded)


def test_a_hole_becomes_gap_parts_and_the_dead_hint_is_the_first_of_them() -> None:
    segmenter = video()
    for index in range(5):
        segmenter.push(frame(index * FRAME, key=index == 0), 0)
    segmenter.events()
    segmenter.hole(T0 + 5 * FRAME + 100_000, 0)
    events = segmenter.events()
    media, *gaps = parts(events)
    assert (media.gap, media.duration_ticks) == (False, 5 * FRAME)
    assert gaps[0].name == f"p{T0 + 5 * FRAME}.m4s"
    assert all(part.gap and not part.data and part.arrived is None for part in gaps)
    assert [part.duration_ticks for part in gaps] == [33_333, 33_333, 33_334]
    assert events[-1] == Hinted(f"p{T0 + 5 * FRAME + 100_000}.m4s")


def test_cuts_inside_a_hole_make_whole_gap_segments() -> None:
    segmenter = video()
    segmenter.push(frame(0, key=True), 0)
    for msn in range(8, 11):
        segmenter.cut(cut(msn, (msn - 7) * 180_000), 0)
    segmenter.hole(T0 + 3 * 180_000, 0)
    segmenter.push(frame(3 * 180_000, key=True), 0)
    closed = [event for event in segmenter.events() if isinstance(event, SegmentClosed)]
    assert [(event.msn, event.gap) for event in closed] == [(7, False), (8, True), (9, True)]
    assert [event.duration_ticks for event in closed] == [180_000] * 3


def test_a_sample_much_later_leaves_a_hole_without_being_told() -> None:
    segmenter = video()
    segmenter.push(frame(0, key=True), 0)
    segmenter.cut(cut(8, 180_000), 0)
    segmenter.push(frame(190_000, key=False), 0)
    segmenter.end(0)
    events = segmenter.events()
    assert [(part.msn, part.gap) for part in parts(events)] == [(7, False), *[(7, True)] * 4, (8, True), (8, False)]


def test_a_very_short_hole_is_left_to_the_next_sample() -> None:
    segmenter = video()
    segmenter.push(frame(0, key=True), 0)
    segmenter.events()
    segmenter.hole(T0 + FRAME + 900, 0)
    assert not segmenter.events()


def test_a_sample_longer_than_part_target_is_cut_and_the_rest_is_a_hole() -> None:
    segmenter = video()
    segmenter.push(frame(0, key=True, duration=180_000), 0)
    deadline = segmenter.next_timeout()
    assert deadline is not None and abs(deadline - (100 + 0.52 + TIMER_ALLOWANCE_S)) < 1e-6
    segmenter.push(frame(180_000, key=True, duration=180_000), 0)
    events = parts(segmenter.events())
    assert [part.gap for part in events] == [False, True, True, True]
    assert sum(part.duration_ticks for part in events) == 180_000
    assert max(part.duration_ticks for part in events) <= PART_MAX


def test_a_changed_configuration_waits_for_the_next_cut() -> None:
    segmenter = video()
    changed = dataclasses.replace(VIDEO_TRACK, width=640)
    segmenter.push(frame(0, key=True), 0)
    segmenter.cut(cut(8, 2 * FRAME), 0)
    segmenter.track_started(changed, 0)
    segmenter.cut(cut(9, 4 * FRAME, discontinuity=True), 0)
    segmenter.events()
    for index in range(1, 5):
        segmenter.push(frame(index * FRAME), 0)
    events = segmenter.events()
    inits = [event for event in events if isinstance(event, InitChanged)]
    opened = [event for event in events if isinstance(event, SegmentOpened)]
    assert [event.track for event in inits] == [changed]
    assert [(event.msn, event.discontinuity, event.init == inits[0].name) for event in opened] == [
        (8, False, False),
        (9, True, True),
    ]


def test_the_same_configuration_again_changes_nothing() -> None:
    segmenter = video()
    segmenter.push(frame(0, key=True), 0)
    segmenter.track_started(dataclasses.replace(VIDEO_TRACK, width=640), 0)
    segmenter.track_started(VIDEO_TRACK, 0)
    segmenter.cut(cut(8, FRAME), 0)
    segmenter.events()
    segmenter.push(frame(FRAME), 0)
    assert "InitChanged" not in kinds(segmenter.events())


def test_another_sample_rate_goes_on_in_its_own_ticks() -> None:
    segmenter = Segmenter(AUDIO, STARTED)
    segmenter.track_started(audio_track(48_000), 0)
    segmenter.cut(cut(7, 0), 0)
    start = T0 * 48_000 // 90_000
    for index in range(10):
        segmenter.push(Sample(AUDIO, start + index * 1024, start + index * 1024, 1024, True, True, b"a", 1.0), 0)
    segmenter.track_started(audio_track(44_100), 0)
    segmenter.cut(cut(8, 90_000, discontinuity=True), 0)
    events = segmenter.events()
    opened = events[-2]
    assert isinstance(opened, SegmentOpened)
    assert opened.start_ticks == (T0 + 90_000) * 44_100 // 90_000
    assert sum(Fraction(part.duration_ticks, 48_000) for part in parts(events)) == 1
    start = opened.start_ticks
    segmenter.push(Sample(AUDIO, start, start, 1024, True, True, b"a", 1.0), 0)
    segmenter.end(0)
    assert [part.name for part in parts(segmenter.events())] == [f"p{start}.m4s"]


def test_a_late_rendition_begins_with_gap_parts_of_the_segment_it_missed() -> None:
    segmenter = Segmenter(AUDIO, STARTED)
    segmenter.track_started(audio_track(), 0)
    segmenter.cut(cut(7, 0), 0)
    segmenter.cut(cut(8, 180_000), 0)
    start = (T0 + 180_000) * 48_000 // 90_000 + 500
    segmenter.push(Sample(AUDIO, start, start, 1024, True, True, b"a", 1.0), 0)
    events = segmenter.events()
    assert [(part.msn, part.gap) for part in parts(events)] == [(7, True)] * 4
    closed = [event for event in events if isinstance(event, SegmentClosed)]
    assert closed == [SegmentClosed(7, f"s{T0 * 48 // 90}.m4s", 96_000, gap=True)]


def test_a_hole_may_come_first() -> None:
    segmenter = video()
    segmenter.hole(T0 + 90_000, 0)
    events = segmenter.events()
    assert kinds(events)[0] == "SegmentOpened"
    assert sum(part.duration_ticks for part in parts(events)) == 90_000
    assert all(part.gap for part in parts(events))


def test_a_segment_is_never_without_a_part() -> None:
    segmenter = video()
    segmenter.push(frame(0, key=True), 0)
    segmenter.cut(cut(8, FRAME), 0)
    segmenter.cut(cut(9, FRAME + 1), 0)
    segmenter.push(frame(2 * FRAME, key=True), 0)
    closed = [event for event in segmenter.events() if isinstance(event, SegmentClosed)]
    assert [(event.msn, event.duration_ticks > 0) for event in closed] == [(7, True), (8, True)]


def test_samples_of_another_timeline_are_dropped() -> None:
    segmenter = video()
    segmenter.push(frame(0, key=True), 0)
    segmenter.push(frame(-4_000 * 90_000), 0)
    segmenter.push(frame(FRAME, offset=4_000 * 90_000), 0)
    segmenter.push(frame(FRAME), 0)
    assert segmenter.dropped == 2


def test_a_hole_without_cuts_is_listed_up_to_the_target_duration() -> None:
    segmenter = video()
    segmenter.push(frame(0, key=True), 0)
    segmenter.hole(T0 + 1_000 * 90_000, 0)
    events = segmenter.events()
    # Rule 8: 4.499… rounds to 4
    assert sum(part.duration_ticks for part in parts(events)) == 4.5 * 90_000 - 1
    assert events[-1] == Hinted(f"p{T0 + 1_000 * 90_000}.m4s")


def test_a_hole_at_the_end_of_the_longest_segment_is_listed_before_the_late_cut() -> None:
    """The frame that was to be cut at is lost; the next one comes 0.43 s later."""
    segmenter = video()
    for index in range(120):
        segmenter.push(frame(index * FRAME, key=index == 0, exact=True), 0)
    segmenter.cut(cut(8, 133 * FRAME), 0)
    segmenter.push(frame(133 * FRAME, key=True, exact=True), 0)
    listed = parts(segmenter.events())
    assert [part.gap for part in listed][-1] and listed[-1].name == f"p{T0 + 120 * FRAME}.m4s"
    assert sum(part.duration_ticks for part in listed) == 133 * FRAME


def test_a_short_hole_that_fits_into_no_segment_is_left_to_the_next_sample() -> None:
    segmenter = video()
    for index in range(135):
        segmenter.push(frame(index * FRAME, key=index == 0, exact=True), 0)
    segmenter.push(frame(136 * FRAME, key=True, exact=True), 0)
    segmenter.cut(cut(8, 137 * FRAME), 0)
    segmenter.push(frame(137 * FRAME, key=True, exact=True), 0)
    listed = parts(segmenter.events())
    assert not any(part.gap for part in listed)
    assert sum(part.duration_ticks for part in listed) == 137 * FRAME


def test_a_hole_or_sample_of_another_timeline_is_ignored() -> None:
    segmenter = video()
    segmenter.push(frame(0, key=True), 0)
    segmenter.events()
    segmenter.hole(T0 + 10_000 * 90_000, 0)
    segmenter.push(frame(10_000 * 90_000, key=True), 0)
    assert not segmenter.events()


def test_a_cut_far_away_takes_the_timeline_with_it() -> None:
    segmenter = video()
    segmenter.push(frame(0, key=True), 0)
    segmenter.cut(cut(8, 10_000 * 90_000, discontinuity=True), 0)
    segmenter.push(frame(10_000 * 90_000, key=True), 0)
    events = segmenter.events()
    closed, opened = events[-3:-1] if isinstance(events[-1], Hinted) else events[-2:]
    assert isinstance(closed, SegmentClosed) and closed.duration_ticks == 4.5 * 90_000 - 1
    assert isinstance(opened, SegmentOpened) and opened.start_ticks == T0 + 10_000 * 90_000


def test_waiting_cuts_are_bounded() -> None:
    segmenter = video()
    segmenter.push(frame(0, key=True), 0)
    for index in range(2 * MAX_CUTS):
        segmenter.cut(cut(8 + index, (index + 1) * 9_000), 0)
    closed = [event for event in segmenter.events() if isinstance(event, SegmentClosed)]
    assert len(closed) >= MAX_CUTS
    assert [event.msn for event in closed] == list(range(7, 7 + len(closed)))


def test_the_end_closes_what_is_open_and_nothing_follows() -> None:
    segmenter = video()
    segmenter.push(frame(0, key=True), 0)
    segmenter.end(0)
    segmenter.end(0)
    segmenter.cut(cut(8, FRAME), 0)
    segmenter.push(frame(FRAME, key=True), 0)
    segmenter.hole(T0 + 90_000, 0)
    assert kinds(segmenter.events())[-4:] == ["PartClosed", "Hinted", "SegmentClosed", "RenditionEnded"]


def test_composition_offsets_stay_also_negative_ones() -> None:
    segmenter = video()
    offsets = [0, 6_000, 0, -3_000, 3_000]
    for index, offset in enumerate(offsets):
        segmenter.push(frame(index * FRAME, key=index == 0, offset=offset), 0)
    segmenter.end(0)
    (part,) = parts(segmenter.events())
    assert [sample.pts - sample.dts for sample in mp4.samples(part.data)] == offsets


def test_a_configuration_that_comes_back_while_cuts_wait() -> None:
    """Each cut has the configuration that was announced before it, however far behind the samples are."""
    segmenter = video()
    other = dataclasses.replace(VIDEO_TRACK, width=640)
    segmenter.push(frame(0, key=True), 100)
    first = next(event for event in segmenter.events() if isinstance(event, SegmentOpened)).init
    segmenter.track_started(other, 100)
    segmenter.cut(cut(8, FRAME, discontinuity=True), 100)
    segmenter.track_started(VIDEO_TRACK, 100)
    segmenter.cut(cut(9, 2 * FRAME, discontinuity=True), 100)
    segmenter.push(frame(FRAME, key=True), 100)
    segmenter.push(frame(2 * FRAME, key=True), 100)
    opened = [event for event in segmenter.events() if isinstance(event, SegmentOpened)]
    assert [event.init == first for event in opened] == [False, True]


def test_waiting_cuts_are_bounded_before_the_first_sample_too() -> None:
    """A rendition that never sends: its cuts span more than a sample may jump."""
    segmenter = video()
    for number in range(1, MAX_CUTS + 50):
        segmenter.cut(cut(7 + number, number * 360_000), 100)
    opened = [event for event in segmenter.events() if isinstance(event, SegmentOpened)]
    assert [event.msn for event in opened[:2]] == [7, 8]
    assert len(opened) == 50
