"""The source of a ladder."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from tests.ladder_kit import AUDIO_RUNG, FRAME, PLAN, SOUND, SOURCE, START, begun, cut, frame, frames, sound_track

from headwater.ingest.encode.model import Plan
from headwater.ingest.encode.replay import SourceEvent
from headwater.ingest.encode.source import Source
from headwater.ingest.media import Sample, TrackEnded, TrackStarted


def test_nothing_is_kept_before_there_is_a_plan() -> None:
    source = Source(1_000_000)
    events: list[SourceEvent] = [begun(), cut(0), *frames(0, 10)]
    for event in events:
        source.note(event)
    assert source.changed
    assert source.tracks == {SOURCE: begun().track}
    assert (source.events(), source.end, source.lag_s(9.0)) == ([], 0, 0.0)
    assert not source.begins_with_a_keyframe


def test_a_plan_makes_it_keep_what_another_worker_needs() -> None:
    source = Source(1_000_000)
    source.note(begun())
    source.adopt(PLAN)
    events: list[SourceEvent] = [cut(0), *frames(0, 30)]
    for event in events:
        source.note(event)
    assert source.events() == [begun(), cut(0), *frames(0, 30)]
    assert source.begins_with_a_keyframe
    assert source.end == START + 30 * FRAME
    assert source.lag_s(2.0) == 2.0
    source.reached(START + 26 * FRAME, delivered=False)
    assert source.lag_s(2.0) == 2.0 - 26 / 25
    assert len(source.events()) == 32
    source.reached(START + 26 * FRAME)
    assert source.events() == [begun(), cut(0), *frames(25, 30)]


def test_a_plan_for_more_of_the_same_video_keeps_what_there_is() -> None:
    source = Source(1_000_000)
    source.note(begun())
    source.adopt(PLAN)
    source.note(cut(0))
    source.note(frame(0))
    source.note(TrackStarted(SOUND, sound_track()))
    source.adopt(replace(PLAN, audio=(AUDIO_RUNG,)))
    assert source.events() == [begun(), cut(0), frame(0), TrackStarted(SOUND, sound_track())]
    assert source.end == START + FRAME


def test_sound_alone_tells_time_too() -> None:
    source = Source(1_000_000)
    source.note(TrackStarted(SOUND, sound_track()))
    source.adopt(Plan(Fraction(30), None, audio=(AUDIO_RUNG,)))
    source.note(Sample(SOUND, 48_000, 48_000, 48_000, True, True, b"", 1.0))
    assert source.end == 2 * 90_000


def test_tracks_come_and_go() -> None:
    source = Source(1_000_000)
    source.note(begun())
    source.changed = False
    source.note(TrackEnded(SOURCE))
    assert source.changed
    assert source.tracks == {}
    source.adopt(PLAN)
    source.forget()
    assert source.events() == []
