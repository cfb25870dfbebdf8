"""What a ladder delivers, and what becomes a hole."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.ladder_kit import (
    AUDIO_RUNG,
    FRAME,
    HIGH,
    HIGH_RUNG,
    LOW,
    LOW_RUNG,
    PLAN,
    SECOND,
    SOUND,
    SOURCE,
    START,
    cut,
    frame,
    frames,
    rung_track,
    sound_track,
)

from headwater.ingest.encode.model import Opened
from headwater.ingest.encode.progress import BRIDGED, EARLY, Deliveries, Phase, ProtocolError
from headwater.ingest.media import Hole, Rendition, Sample, StreamEvent, TrackEnded, TrackStarted

PART = 520_000 * 9 // 100 - EARLY
SOUND_RUNG = AUDIO_RUNG.rendition


def opened(audio: bool = False) -> Deliveries:
    """Both rungs are open, and the first segment has begun."""
    deliveries = Deliveries((HIGH_RUNG, LOW_RUNG, *((AUDIO_RUNG,) if audio else ())))
    deliveries.set_part(520_000)
    deliveries.cut(cut(0))
    for rung in (HIGH, LOW):
        deliveries.opened(Opened(rung, rung_track()))
    if audio:
        deliveries.opened(Opened(SOUND_RUNG, sound_track()))
    return deliveries


def give(deliveries: Deliveries, samples: list[Sample]) -> list[StreamEvent]:
    return [event for sample in samples for event in deliveries.sample(sample)]


def both(first: int, last: int) -> list[Sample]:
    return [frame(number, rung) for number in range(first, last) for rung in (HIGH, LOW)]


def test_a_rung_starts_with_what_its_encoder_opened_and_what_it_was_told() -> None:
    deliveries = Deliveries((HIGH_RUNG, LOW_RUNG))
    assert list(deliveries.waiting) == [HIGH, LOW]
    events, other = deliveries.opened(Opened(HIGH, rung_track()))
    assert events == [TrackStarted(HIGH, rung_track(), bitrate=HIGH_RUNG.maxrate, independent=True)]
    assert not other
    assert list(deliveries.waiting) == [LOW]
    assert deliveries.phase(HIGH) is Phase.RUNNING


def test_samples_pass_in_order() -> None:
    deliveries = opened()
    samples = both(0, 30)
    assert give(deliveries, samples) == samples
    assert deliveries.position == deliveries.farthest == START + 30 * FRAME


def test_the_position_is_that_of_the_rung_furthest_back() -> None:
    deliveries = opened()
    assert deliveries.position is None
    give(deliveries, [*both(0, 10), frame(10, HIGH)])
    assert deliveries.position == START + 10 * FRAME
    assert deliveries.farthest == START + 11 * FRAME


def test_samples_before_the_first_cut_are_left_out() -> None:
    deliveries = opened()
    assert give(deliveries, [frame(-1, HIGH, key=True)]) == []
    assert give(deliveries, [frame(0, HIGH)]) == [frame(0, HIGH)]


def test_nothing_begins_but_with_a_keyframe() -> None:
    deliveries = opened()
    assert give(deliveries, list(frames(3, 30, HIGH))) == list(frames(25, 30, HIGH))


def test_a_segment_that_begins_without_a_keyframe_is_a_fault() -> None:
    deliveries = opened()
    give(deliveries, list(frames(0, 30, HIGH, gop=1_000)))
    deliveries.cut(cut(1))
    give(deliveries, list(frames(30, 50, HIGH, gop=1_000)))
    with pytest.raises(ProtocolError, match="480p begins without a keyframe"):
        deliveries.sample(frame(50, HIGH, key=False))


def test_samples_of_no_rung_and_of_one_that_is_not_open_are_faults() -> None:
    deliveries = Deliveries((HIGH_RUNG,))
    with pytest.raises(ProtocolError, match="no rung 240p"):
        deliveries.sample(frame(0, LOW))
    with pytest.raises(ProtocolError, match="before its encoder was open"):
        deliveries.sample(frame(0, HIGH))
    with pytest.raises(ProtocolError, match="no rung source"):
        deliveries.opened(Opened(SOURCE, rung_track()))


def test_another_worker_goes_on_with_the_next_frame() -> None:
    """One rung had a frame more than the other: the other one's last picture stands for longer."""
    deliveries = opened()
    give(deliveries, [*both(0, 10), frame(10, HIGH)])
    deliveries.lost()
    assert deliveries.skip(START + 11 * FRAME) == []
    assert give(deliveries, [frame(10, HIGH, key=True), frame(10, LOW, key=True)]) == [frame(10, LOW, key=True)]
    deliveries = opened()
    give(deliveries, [*both(0, 10), frame(10, HIGH)])
    deliveries.lost()
    events = give(deliveries, [frame(11, HIGH, key=True), frame(11, LOW, key=True)])
    assert events == [
        frame(11, HIGH, key=True),
        replace(frame(11, LOW, key=True), dts=START + 10 * FRAME, duration=2 * FRAME),
    ]


def test_a_grid_that_is_a_little_off_is_joined() -> None:
    deliveries = opened()
    give(deliveries, both(0, 10))
    deliveries.lost()
    early = replace(frame(10, HIGH, key=True), dts=START + 10 * FRAME - 90, pts=START + 10 * FRAME - 90)
    (sample,) = give(deliveries, [early])
    assert isinstance(sample, Sample)
    assert (sample.dts, sample.pts, sample.duration) == (START + 10 * FRAME, START + 10 * FRAME, FRAME - 90)


def test_what_is_too_far_back_becomes_a_hole() -> None:
    deliveries = opened()
    give(deliveries, both(0, 10))
    deliveries.lost()
    to = START + 40 * FRAME
    assert deliveries.skip(to) == [Hole(HIGH, to), Hole(LOW, to)]
    assert deliveries.skip(to) == []
    assert deliveries.holes == {HIGH: 1, LOW: 1}
    assert give(deliveries, both(30, 40)) == []
    assert give(deliveries, [frame(40, HIGH, key=True)]) == [frame(40, HIGH, key=True)]


def test_the_cut_in_a_hole_is_passed_with_it() -> None:
    deliveries = opened()
    give(deliveries, both(0, 10))
    deliveries.cut(cut(1))
    deliveries.skip(cut(1).time + 5 * FRAME)
    assert give(deliveries, [frame(55, HIGH, key=True), frame(56, HIGH, key=False)]) != []


def test_frames_that_were_under_way_when_the_rungs_jumped_spoil_nothing() -> None:
    """The worker's old frames are behind the hole; a keyframe of them is left out with all that follows it."""
    deliveries = opened()
    give(deliveries, both(0, 10))
    deliveries.skip(START + 40 * FRAME)
    events = give(deliveries, [frame(10, HIGH), frame(39, HIGH, key=True), frame(41, HIGH, key=False)])
    assert events == []
    assert give(deliveries, [frame(42, HIGH, key=True)]) != []


def test_the_workers_holes_are_handed_on_once() -> None:
    deliveries = opened()
    give(deliveries, both(0, 10))
    hole = Hole(HIGH, START + 40 * FRAME)
    assert deliveries.hole(hole) == [hole]
    assert deliveries.hole(hole) == []
    assert deliveries.hole(Hole(HIGH, START)) == []
    assert give(deliveries, list(frames(41, 55, HIGH))) == list(frames(50, 55, HIGH))


def test_a_rung_that_is_shed_goes_on_to_its_cut_and_then_lists_whole_parts_of_gap() -> None:
    deliveries = opened()
    give(deliveries, both(0, 40))
    deliveries.want(HIGH, False)
    assert not deliveries.is_there(HIGH)
    assert give(deliveries, both(40, 50)) == both(40, 50)
    assert deliveries.follow(deliveries.position or 0) == []
    deliveries.cut(cut(1))
    give(deliveries, list(frames(50, 90, LOW)))
    assert deliveries.position == START + 90 * FRAME
    (hole,) = deliveries.follow(START + 90 * FRAME)
    until = START + 90 * FRAME
    assert hole == Hole(HIGH, until - (until - cut(1).time) % PART)
    assert deliveries.phase(HIGH) is Phase.AWAY
    assert deliveries.follow(START + 90 * FRAME) == []
    assert give(deliveries, [frame(100, HIGH)]) == []


def test_a_rung_that_is_shed_comes_back_with_a_keyframe() -> None:
    deliveries = opened()
    give(deliveries, both(0, 50))
    deliveries.want(HIGH, False)
    deliveries.hole(Hole(HIGH, START + 60 * FRAME))
    deliveries.want(HIGH, True)
    assert not deliveries.is_there(HIGH)
    give(deliveries, list(frames(50, 75, LOW)))
    assert deliveries.position == START + 75 * FRAME
    assert give(deliveries, [frame(74, HIGH), frame(75, HIGH)]) == [frame(75, HIGH)]
    assert deliveries.is_there(HIGH)


def test_a_missing_worker_lets_every_rung_list_its_time() -> None:
    deliveries = opened()
    give(deliveries, both(0, 10))
    deliveries.lost()
    events = deliveries.follow(START + 3 * SECOND, every=True)
    assert [type(event) for event in events] == [Hole, Hole]
    assert deliveries.phase(HIGH) is Phase.RUNNING


def test_a_rung_that_opened_but_never_sent_lists_its_time_too() -> None:
    """The stream must not wait for it for ever."""
    deliveries = opened()
    assert [event.rendition for event in deliveries.follow(START + 3 * SECOND, every=True)] == [HIGH, LOW]  # type: ignore[union-attr]


def test_another_configuration_goes_on_at_the_next_discontinuity() -> None:
    deliveries = opened()
    give(deliveries, both(0, 10))
    deliveries.lost()
    other = rung_track(rung_track().config[:-1] + b"\x01")
    events, changed = deliveries.opened(Opened(HIGH, other))
    assert changed
    assert [event.track for event in events if isinstance(event, TrackStarted)] == [other]
    assert give(deliveries, list(frames(10, 30, HIGH))) == []
    deliveries.cut(cut(1, discontinuity=True))
    assert give(deliveries, list(frames(30, 60, HIGH))) == list(frames(50, 60, HIGH))


def test_the_same_configuration_goes_on_as_it_was() -> None:
    deliveries = opened()
    give(deliveries, both(0, 10))
    deliveries.lost()
    assert deliveries.opened(Opened(HIGH, rung_track())) == ([], False)


def test_another_timescale_is_a_fault() -> None:
    deliveries = opened()
    with pytest.raises(ProtocolError, match="timescale"):
        deliveries.opened(Opened(HIGH, replace(rung_track(), timescale=1_000)))


def test_rungs_end_with_their_source_and_begin_anew_with_it() -> None:
    deliveries = opened(audio=True)
    give(deliveries, both(0, 10))
    assert deliveries.end_of(SOURCE, video=True) == [TrackEnded(HIGH), TrackEnded(LOW)]
    assert deliveries.rungs == (SOUND_RUNG,)
    assert give(deliveries, [frame(25, HIGH)]) == []
    assert deliveries.end_of(SOUND, video=False) == [TrackEnded(SOUND_RUNG)]
    deliveries.extend((HIGH_RUNG,))
    assert deliveries.waiting == (HIGH,)
    events, _ = deliveries.opened(Opened(HIGH, rung_track()))
    assert [type(event) for event in events] == [TrackStarted]


def test_a_rung_that_fails_is_there_no_more() -> None:
    deliveries = opened()
    deliveries.fail(HIGH)
    assert not deliveries.is_there(HIGH)
    deliveries = Deliveries((HIGH_RUNG, LOW_RUNG))
    deliveries.fail(HIGH)
    assert deliveries.waiting == (LOW,)


def test_sound_is_joined_without_an_offset_of_its_own() -> None:
    deliveries = opened(audio=True)

    def sound(start: int) -> Sample:
        return Sample(SOUND_RUNG, start, start, 1_024, True, True, b"", 0.0)

    first = START * 48_000 // 90_000
    assert give(deliveries, [sound(first), sound(first + 1_024)]) != []
    deliveries.lost()
    (sample,) = give(deliveries, [sound(first + 3_000)])
    assert isinstance(sample, Sample)
    assert (sample.dts, sample.pts, sample.duration) == (first + 2_048, first + 2_048, 3_000 + 1_024 - 2_048)
    assert deliveries.position is None or deliveries.position <= START + BRIDGED * 10


def test_a_plan_with_more_rungs_keeps_those_there_are() -> None:
    deliveries = Deliveries((LOW_RUNG,))
    other = replace(LOW_RUNG, width=400)
    merged = deliveries.merged(replace(PLAN, video=(LOW_RUNG,)), replace(PLAN, video=(HIGH_RUNG, other)))
    assert merged.video == (HIGH_RUNG, LOW_RUNG)
    deliveries.end_of(SOURCE, video=True)
    merged = deliveries.merged(replace(PLAN, video=(LOW_RUNG,)), replace(PLAN, video=(other,)))
    assert merged.video == (other,)
    assert Rendition("360p") not in deliveries.rungs
