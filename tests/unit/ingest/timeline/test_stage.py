"""Order, holes and cuts of several lanes."""

from __future__ import annotations

import pytest
from tests.timeline_kit import Scene, audio

from headwater.ingest.media import Cut, Hole, TrackEnded, TrackStarted
from headwater.ingest.timeline.lane import Lane
from headwater.ingest.timeline.stage import MOST_HELD

T = 90_000


def hole(lane: Lane, seconds: float) -> Hole:
    return Hole(lane.rendition, int(seconds * T))


def test_what_waits_begins_with_a_cut() -> None:
    scene = Scene()
    assert [type(event) for event in scene.events()[1:]] == [TrackStarted, TrackStarted, Cut]
    scene.audio.change(audio(rate=44_100, config=b"\x12\x10"))
    scene.stage.cut(12 * T, 12.0, 12.0, at_keyframe=True)
    started, cut = scene.events()
    assert isinstance(started, TrackStarted) and isinstance(cut, Cut) and cut.discontinuity


def test_what_is_ahead_is_held_until_the_primary_is_there_or_late() -> None:
    scene = Scene()
    scene.events()
    early, soon, late = (hole(scene.audio, at) for at in (11.0, 11.5, 12.0))
    scene.stage.advance(11 * T)
    for at, event in ((11.0, early), (11.5, soon), (12.0, late)):
        assert scene.stage.offer(scene.audio, event, int(at * T), at)
    assert scene.events() == [early]
    scene.stage.advance(int(11.6 * T))
    assert scene.events() == [soon]
    scene.stage.release_late(12.4)
    assert not scene.events()
    scene.stage.release_late(12.5)
    assert scene.events() == [late]


def test_what_is_held_is_bounded_and_never_beyond_the_epoch() -> None:
    scene = Scene()
    scene.events()
    event = hole(scene.audio, 60)
    assert all(scene.stage.offer(scene.audio, event, 60 * T, 10.0) for _ in range(MOST_HELD))
    assert not scene.stage.offer(scene.audio, event, 60 * T, 10.0)
    scene.stage.release_late(100.0)
    assert not scene.events()
    scene.stage.flush(scene.audio)
    assert not scene.events() and scene.output.counters.dropped == MOST_HELD


def test_time_without_media_is_segments_of_whole_parts() -> None:
    scene = Scene()
    scene.events()
    for lane in (scene.video, scene.audio):
        scene.stage.lose(lane, 13.0)
    scene.stage.fill(int(15.3 * T), 15.3, 15.3)
    events = scene.events()
    assert [event.time for event in events if isinstance(event, Cut)] == [12 * T, 14 * T]
    last = [event for event in events if isinstance(event, Hole) and event.rendition == "source"][-1]
    assert last.until / T == pytest.approx(14 + 2 * 0.518, abs=0.001)
    scene.stage.fill(int(15.4 * T), 15.4, 15.4)
    assert not scene.events()


def test_more_than_a_window_is_left_out() -> None:
    scene = Scene()
    scene.events()
    scene.stage.lose(scene.video, 13.0)
    scene.stage.fill(1_000 * T, 1_000.0, 1_000.0)
    cuts = [event for event in scene.events() if isinstance(event, Cut)]
    assert cuts[0].time == 940 * T and cuts[0].discontinuity
    assert len(cuts) == 31


def test_a_track_that_is_gone_ends_at_a_cut() -> None:
    scene = Scene()
    scene.events()
    scene.audio.detach(11.0)
    scene.stage.cut(20 * T, 20.0, 20.0, at_keyframe=True)
    assert TrackEnded(scene.audio.rendition) not in scene.events()
    scene.stage.cut(22 * T, 22.0, 22.0, at_keyframe=True)
    assert scene.events()[0] == TrackEnded(scene.audio.rendition)
    assert list(scene.stage.lanes.values()) == [scene.video]
