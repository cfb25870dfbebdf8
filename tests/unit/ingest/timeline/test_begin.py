"""Numbers and positions with which a stream begins."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from tests.timeline_kit import audio, video

from headwater.ingest.timeline.advice import Adviser
from headwater.ingest.timeline.begin import choose_part_target, first_start
from headwater.ingest.timeline.lane import lane_for
from headwater.ingest.timeline.model import AdviceKind, Epoch, TimelineSettings
from headwater.ingest.timeline.parttarget import Frames

SETTINGS = TimelineSettings()
UNIX = 1_800_000_000.5
EPOCH = Epoch(77, 5, int(UNIX * 90_000), int(UNIX * 1e6), 6, 700_000)


def test_a_new_stream_is_at_unix_time() -> None:
    start = first_start(SETTINGS, None, UNIX)
    assert (start.msn, start.discontinuity_sequence, start.hole_from) == (1_800_000_000, 0, None)
    assert start.position == int(UNIX * 90_000) and start.offset_us == 0
    assert first_start(replace(SETTINGS, segment_s=5.5), None, UNIX).target_duration_s == 6


@pytest.mark.parametrize("away", [-3_600.0, 0.2, 5.0, 30.0, 59.0, 86_400.0])
def test_a_restart_is_above_the_earlier_life_and_dated_now(away: float) -> None:
    start = first_start(SETTINGS, EPOCH, UNIX + away)
    assert (start.msn, start.discontinuity_sequence, start.target_duration_s) == (77, 5, 6)
    assert start.hole_from is not None and start.hole_from >= EPOCH.end
    hole = (start.position - start.hole_from) / 90_000
    assert hole == pytest.approx(min(60.0, max(0.5, away - 2.0)), abs=0.001)
    assert start.position * 100 / 9 + start.offset_us == pytest.approx((UNIX + away) * 1e6, abs=20)


def test_after_an_end_there_is_no_hole() -> None:
    start = first_start(SETTINGS, replace(EPOCH, ended=True), UNIX - 10)
    assert (start.msn, start.discontinuity_sequence, start.hole_from) == (77, 6, None)
    assert start.position == EPOCH.end
    assert start.target_duration_s == 4


def test_the_part_target_is_chosen_once() -> None:
    adviser = Adviser()
    five = [(lane_for(video()), Frames(Fraction(1, 5))), (lane_for(audio()), Frames(Fraction(1_024, 48_000)))]
    assert choose_part_target(SETTINGS, None, five, adviser, 0.0) == 600
    assert [advice.kind for advice in adviser.take()] == [AdviceKind.PART_TARGET]
    kept = choose_part_target(SETTINGS, replace(EPOCH, part_target_us=520_000), five, Adviser(), 0.0)
    assert kept == 520
    assert choose_part_target(SETTINGS, replace(EPOCH, ended=True), five, Adviser(), 0.0) == 600
