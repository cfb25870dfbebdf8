"""What the passing of time does to lanes."""

from __future__ import annotations

import pytest
from tests.timeline_kit import Scene

from headwater.ingest.media import Cut, Hole
from headwater.ingest.timeline.silence import watch

T = 90_000


def heard(scene: Scene, video_until: float, audio_until: float, steps: float = 0.1) -> None:
    """Packets of both lanes that reach the rendition, up to the given times."""
    for lane, until in ((scene.video, video_until), (scene.audio, audio_until)):
        at = 10.0
        while at < until:
            at = min(until, at + steps)
            lane.hear(at)
            lane.placed = at
        lane.fill(int(until * T))
        lane.at = int(until * T)
    scene.stage.advance(int(video_until * T))
    scene.events()


def holes(scene: Scene) -> set[str]:
    return {event.rendition for event in scene.events() if isinstance(event, Hole)}


@pytest.mark.parametrize(("now", "lost"), [(12.0, set()), (12.7, {"source"})])
def test_a_picture_that_stops_while_sound_goes_on(now: float, lost: set[str]) -> None:
    scene = Scene()
    heard(scene, 11.0, now)
    watch(scene.stage, now, now)
    assert holes(scene) == lost


@pytest.mark.parametrize(("now", "lost"), [(11.9, set()), (12.7, {"audio"})])
def test_sound_that_stops_while_the_picture_goes_on(now: float, lost: set[str]) -> None:
    scene = Scene()
    heard(scene, now, 11.0)
    watch(scene.stage, now, now)
    assert holes(scene) == lost


@pytest.mark.parametrize(("now", "lost"), [(13.9, set()), (14.1, {"source", "audio"})])
def test_a_silence_of_all_lasts_three_seconds(now: float, lost: set[str]) -> None:
    scene = Scene()
    heard(scene, 11.0, 11.0)
    watch(scene.stage, now, now)
    assert holes(scene) == lost


def test_a_primary_that_is_back_but_late_is_waited_for() -> None:
    scene = Scene()
    heard(scene, 11.0, 11.0)
    scene.audio.detach(11.0)
    watch(scene.stage, 15.0, 15.0)
    end = scene.video.end
    scene.events()
    scene.video.hear(16.0)
    scene.video.at = 13 * T
    watch(scene.stage, 16.0, 16.0)
    assert scene.video.end == end and not scene.events()
    # Nor for longer than it sends.
    watch(scene.stage, 17.5, 17.5)
    assert any(isinstance(event, Cut) for event in scene.events())
