"""Where source time meets stream time."""

from __future__ import annotations

import pytest
from tests.timeline_kit import audio, video

from headwater.ingest.timeline.advice import Adviser
from headwater.ingest.timeline.anchors import anchor, rebase, reference
from headwater.ingest.timeline.drift import Drift
from headwater.ingest.timeline.lane import lane_for
from headwater.ingest.timeline.model import TimelineSettings
from headwater.ingest.timeline.output import Output
from headwater.ingest.timeline.stage import Stage

T = 90_000
HOUR = 3_600 * T


@pytest.fixture
def stage() -> Stage:
    """A picture and a sound of one publisher, both up to 100 s, anchored one hour ahead of its clock."""
    stage = Stage(TimelineSettings(), Output(None), Adviser())
    stage.drift = Drift(100.0, 100.0, 100 * T, 0)
    for track in (video(), audio()):
        lane = stage.lanes[track.id] = lane_for(track)
        lane.attach(track, 7)
        lane.begin(100 * T)
        lane.fill(100 * T)
        lane.anchor = HOUR
        lane.at = 100 * T
    stage.primary = next(iter(stage.lanes.values()))
    return stage


def test_a_first_packet_shares_the_anchor_unless_its_clock_is_another(stage: Stage) -> None:
    picture, sound = stage.lanes.values()
    adviser = Adviser()
    sound.anchor = None
    assert anchor(stage, adviser, sound, 101 * T - HOUR, 101.0) == HOUR
    assert not adviser.take()
    assert anchor(stage, adviser, sound, 5 * T, 101.0) == 96 * T
    assert adviser.take()
    picture.anchor = None
    assert anchor(stage, Adviser(), sound, 0, 101.0) == 101 * T
    assert reference(stage) == 7


@pytest.mark.parametrize("source", [0, 50 * HOUR])
def test_a_jump_goes_on_at_the_end_and_is_marked_once(stage: Stage, source: int) -> None:
    picture, sound = stage.lanes.values()
    output, adviser = Output(None), Adviser()
    picture.anchor = rebase(stage, output, adviser, picture, source, 100.03)
    assert picture.anchor == 100 * T - source
    assert stage.marked
    stage.marked = False
    sound.anchor = rebase(stage, output, adviser, sound, source + T // 50, 100.05)
    assert sound.anchor == picture.anchor
    assert not stage.marked
    assert output.counters.jumps == 2


def test_a_jump_after_a_pause_goes_on_now(stage: Stage) -> None:
    picture, _ = stage.lanes.values()
    assert rebase(stage, Output(None), Adviser(), picture, 0, 103.0) == pytest.approx(103 * T, abs=1)


def test_a_step_that_the_other_lane_took_for_a_hole_keeps_step(stage: Stage) -> None:
    picture, sound = stage.lanes.values()
    picture.at = 105 * T
    assert rebase(stage, Output(None), Adviser(), sound, 105 * T + 100 - HOUR, 100.05) == HOUR
