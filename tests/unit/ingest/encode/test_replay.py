"""What another worker is given of the source."""

from __future__ import annotations

from tests.ladder_kit import FRAME, SOUND, SOURCE, START, begun, cut, frame, frames, sound_track

from headwater.ingest.encode.replay import MOST_S, Replay
from headwater.ingest.media import Cut, Sample, TrackEnded, TrackStarted


def started(most_bytes: int = 1_000_000) -> Replay:
    replay = Replay(SOURCE, most_bytes)
    replay.add(begun())
    replay.add(cut(0))
    return replay


def test_it_begins_at_the_keyframe_before_what_was_delivered() -> None:
    replay = started()
    for sample in frames(0, 90):
        if sample == frame(50):
            replay.add(cut(1))
        replay.add(sample)
    replay.delivered(START + 60 * FRAME)
    assert replay.start == START + 50 * FRAME
    assert replay.events() == [begun(), cut(1), *frames(50, 90)]


def test_a_keyframe_inside_a_segment_is_given_with_the_segment_it_is_in() -> None:
    replay = started()
    for sample in frames(0, 40):
        replay.add(sample)
    replay.delivered(START + 30 * FRAME)
    assert replay.events() == [begun(), cut(0), *frames(25, 40)]


def test_what_was_not_delivered_is_kept_over_keyframes() -> None:
    replay = started()
    for sample in frames(0, 90):
        replay.add(sample)
    replay.delivered(START + 10 * FRAME)
    assert [event for event in replay.events() if isinstance(event, Sample)] == list(frames(0, 90))


def test_the_oldest_goes_when_there_are_too_many_bytes() -> None:
    replay = started(most_bytes=5_000)
    for sample in frames(0, 60):
        replay.add(sample)
    assert replay.size <= 5_000
    assert replay.start == START + 25 * FRAME


def test_a_gop_that_is_too_long_leaves_nothing_to_begin_at_until_the_next_keyframe() -> None:
    replay = started()
    for sample in frames(0, (MOST_S + 1) * 25, gop=10_000):
        replay.add(sample)
    assert (replay.start, replay.size) == (None, 0)
    assert replay.events() == [begun(), cut(0)]
    replay.add(frame(500, key=True))
    assert replay.events() == [begun(), cut(0), frame(500, key=True)]


def test_tracks_are_given_as_they_were_at_that_keyframe() -> None:
    replay = started()
    replay.add(frame(0))
    sound = TrackStarted(SOUND, sound_track())
    replay.add(sound)
    replay.add(frame(25))
    assert replay.events() == [begun(), cut(0), frame(0), sound, frame(25)]
    replay.delivered(START + 25 * FRAME)
    assert replay.events() == [begun(), sound, cut(0), frame(25)]
    replay.add(TrackEnded(SOUND))
    replay.add(frame(50))
    replay.delivered(START + 50 * FRAME)
    assert replay.events() == [begun(), cut(0), frame(50)]


def test_without_video_each_cut_is_a_beginning() -> None:
    replay = Replay(None, 1_000_000)
    sound = TrackStarted(SOUND, sound_track())
    replay.add(sound)
    for number in range(3):
        replay.add(cut(number))
        replay.add(frame(number * 50, SOUND))
    assert [event for event in replay.events() if isinstance(event, Cut)] == [cut(0), cut(1), cut(2)]
    replay.delivered(cut(1).time)
    assert replay.events() == [sound, cut(1), frame(50, SOUND), cut(2), frame(100, SOUND)]


def test_a_video_that_ended_is_not_given_again() -> None:
    replay = started()
    replay.add(frame(0))
    replay.add(TrackEnded(SOURCE))
    replay.add(cut(1))
    assert replay.events() == [cut(1)]
    replay.add(begun())
    replay.add(frame(50))
    assert replay.events() == [begun(), cut(1), frame(50)]
