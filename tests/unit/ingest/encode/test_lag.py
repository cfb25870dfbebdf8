"""How far behind a ladder is."""

from __future__ import annotations

from fractions import Fraction

from tests.ladder_kit import AUDIO_RUNG, FRAME, PLAN, SECOND, SOUND, SOURCE, START, frames

from headwater.ingest.encode.lag import Lag
from headwater.ingest.encode.model import Plan
from headwater.ingest.media import Hole, Sample


def test_it_is_the_age_of_the_oldest_sample_that_waits() -> None:
    lag = Lag(PLAN, 48_000)
    assert lag.seconds(5.0) == 0.0
    for sample in frames(0, 50):
        lag.note(sample)
    assert lag.seconds(2.0) == 2.0
    lag.reached(START + 30 * FRAME)
    assert lag.seconds(2.0) == 2.0 - 30 / 25
    lag.reached(START + 50 * FRAME)
    assert lag.seconds(9.0) == 0.0
    assert lag.end == START + 50 * FRAME


def test_other_renditions_tell_no_time() -> None:
    lag = Lag(PLAN, 48_000)
    lag.note(Sample(SOUND, 5, 5, 1_024, True, True, b"", 0.0))
    assert (lag.end, lag.seconds(1.0)) == (0, 0.0)


def test_holes_count_as_time() -> None:
    lag = Lag(PLAN, 48_000)
    lag.note(Hole(SOURCE, START + SECOND))
    assert lag.end == START + SECOND


def test_sound_alone_tells_time_in_its_own_ticks() -> None:
    lag = Lag(Plan(Fraction(30), None, audio=(AUDIO_RUNG,)), 48_000)
    lag.note(Sample(SOUND, 480_000, 480_000, 48_000, True, True, b"", 3.0))
    assert lag.end == 11 * SECOND
    assert lag.seconds(4.0) == 1.0
    lag.reached(10 * SECOND + 1)
    assert lag.seconds(4.0) == 0.0
