"""The overload controller against a machine whose power changes, on a stepped clock."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.config.settings_encode import Overload
from headwater.ingest.encode.control import (
    SKIP_AGAIN_S,
    Cause,
    Change,
    Controller,
    Observation,
    Skip,
    describe_level,
    levels,
)
from headwater.ingest.encode.model import AudioRung, Plan, VideoRung
from headwater.ingest.media import Codec, Rendition

LIMITS = Overload()
STEP_S = 0.25


def rung(name: str, width: int, height: int, encoder: str = "libx264") -> VideoRung:
    return VideoRung(
        Rendition(name), Codec.H264, encoder, width, height, 1_000_000, 1_150_000, 1_000_000, "veryfast", "high"
    )


PLAN = Plan(
    Fraction(30),
    Rendition("source"),
    (rung("720p", 1280, 720), rung("480p", 854, 480), rung("360p", 640, 360)),
)


class Machine:
    """Encodes `power` media seconds per second at level 0; a level comes into force at the next two-second cut."""

    def __init__(self, controller: Controller, work: list[float] | None = None) -> None:
        self.controller = controller
        self.work = work or [level.work for level in levels(PLAN)]
        self.now = 1000.0
        self.lag = 0.0
        self.level = controller.level
        self.wanted_at = 0.0
        self.changes: list[tuple[float, Change]] = []
        self.skips: list[float] = []
        self.most_lag = 0.0

    def run(self, power: float, seconds: float) -> None:
        for _ in range(round(seconds / STEP_S)):
            self.now += STEP_S
            if int(self.now / 2) != int((self.now - STEP_S) / 2):
                self.level = self.controller.level
            speed = power / self.work[self.level]
            media = min(self.lag + STEP_S, speed * STEP_S)
            self.lag += STEP_S - media
            self.most_lag = max(self.most_lag, self.lag)
            seen = Observation(self.now, self.lag, media, media / speed, 0, self.level)
            for decision in self.controller.observe(seen):
                match decision:
                    case Change():
                        self.changes.append((self.now, decision))
                    case Skip():
                        self.skips.append(self.now)
                        self.lag = 0.0


def machine() -> Machine:
    return Machine(Controller(PLAN, LIMITS))


def test_levels_give_up_what_is_missed_least_first() -> None:
    found = levels(PLAN)
    assert [(level.effort, level.divisor, level.shed) for level in found] == [
        (0, 1, ()),
        (1, 1, ()),
        (2, 1, ()),
        (2, 2, ()),
        (2, 2, ("720p",)),
        (2, 2, ("720p", "480p")),
    ]
    assert [level.level for level in found] == list(range(6))
    assert all(less.work < more.work for more, less in itertools.pairwise(found))
    assert found[4].text == "without 720p, at half the frame rate"


def test_a_level_beyond_the_last_is_the_last() -> None:
    assert describe_level(PLAN, 99) == levels(PLAN)[-1]
    assert describe_level(PLAN, 2) == levels(PLAN)[2]
    assert describe_level(PLAN, -1) == levels(PLAN)[0]


def test_encoders_in_hardware_have_no_effort_steps() -> None:
    plan = replace(PLAN, video=(rung("720p", 1280, 720, "h264_nvenc"), rung("480p", 854, 480, "h264_nvenc")))
    assert [(level.effort, level.divisor, level.shed) for level in levels(plan)] == [
        (0, 1, ()),
        (0, 2, ()),
        (0, 2, ("720p",)),
    ]


def test_presets_without_analysis_have_fewer_effort_steps() -> None:
    def efforts(encoder: str, preset: str) -> list[int]:
        rungs = tuple(replace(entry, encoder=encoder, preset=preset) for entry in PLAN.video)
        return [level.effort for level in levels(replace(PLAN, grid=Fraction(12), video=rungs))][:-2]

    assert efforts("libx264", "veryfast") == [0, 1, 2]
    assert efforts("libx264", "superfast") == [0, 1]
    assert efforts("libx264", "ultrafast") == [0]
    assert efforts("libx265", "ultrafast") == [0]
    assert efforts("libsvtav1", "11") == [0, 1]


def test_a_slow_grid_is_not_halved() -> None:
    plan = replace(PLAN, grid=Fraction(12))
    assert {level.divisor for level in levels(plan)} == {1}
    assert levels(plan)[-1].shed == ("720p", "480p")
    assert levels(plan)[-1].text == "without 720p and 480p"


def test_plans_without_video_have_one_level() -> None:
    audio = AudioRung(Rendition("audio-64k"), Rendition("audio"), Codec.AAC, "aac", 64_000, 48_000, 2)
    assert len(levels(Plan(Fraction(30), None, audio=(audio,)))) == 1


def test_enough_power_changes_nothing() -> None:
    driven = machine()
    driven.run(1.1, 600)
    assert not driven.changes
    assert not driven.skips


def test_too_little_power_steps_down_in_order_as_far_as_needed() -> None:
    driven = machine()
    driven.run(2.0, 30)
    driven.run(0.6, 10)
    assert [change.meaning.level for _, change in driven.changes] == [1, 2, 3]
    assert driven.changes[0][1].reason == "encoding at 0.92x of real time over 2 s"
    driven.run(0.6, 300)
    assert driven.controller.level == 3
    assert driven.controller.steps_down == 3
    assert driven.lag < 1e-6


def test_half_the_power_gone_and_back() -> None:
    driven = machine()
    driven.run(1.6, 60)
    driven.run(0.8, 60)
    assert driven.controller.level > 0
    assert driven.most_lag < 2
    driven.run(1.6, 60)
    assert driven.controller.level == 0
    assert driven.lag < 1e-6
    ups = [change.meaning.level for _, change in driven.changes if change.meaning.level < change.previous]
    assert ups == sorted(ups, reverse=True)


def test_a_busy_second_is_no_reason() -> None:
    driven = machine()
    driven.run(1.5, 20)
    for _ in range(10):
        driven.run(0.5, 0.5)
        driven.run(1.5, 10)
    assert not driven.changes


def test_slow_seconds_that_cost_little_are_no_reason() -> None:
    driven = machine()
    driven.run(1.5, 5)
    driven.run(0.95, 4)
    driven.run(1.5, 5)
    assert driven.changes == [] and driven.lag < 1e-6


def test_a_little_too_slow_for_long_steps_down_before_it_is_seen() -> None:
    driven = machine()
    driven.run(0.95, 12)
    assert [change.meaning.level for _, change in driven.changes] == [1]
    assert driven.changes[0][1].cause is Cause.SPEED
    assert driven.most_lag < LIMITS.step_down_lag_s


def test_delay_that_stays_steps_down_even_at_speed_one() -> None:
    driven = machine()
    driven.run(1.5, 10)
    driven.lag = 1.0
    driven.run(1.0, 5)
    assert driven.changes[0][1].reason == "1.0 s behind the source"
    assert driven.controller.level == 1


def test_delay_that_comes_back_by_itself_changes_nothing() -> None:
    driven = machine()
    driven.run(1.5, 10)
    driven.lag = 1.4
    driven.run(1.2, 10)
    assert not driven.changes


def test_a_pause_of_the_machine_is_skipped() -> None:
    driven = machine()
    driven.run(1.5, 10)
    driven.lag = 6.0
    driven.run(1.5, 10)
    assert len(driven.skips) == driven.controller.skips == 1
    assert not driven.changes
    assert driven.lag < 1e-6


def test_at_the_last_level_what_is_late_is_skipped_and_delay_stays_bounded() -> None:
    driven = machine()
    driven.run(0.1, 120)
    assert driven.controller.level == len(levels(PLAN)) - 1
    assert driven.controller.skips > 10
    assert driven.most_lag <= LIMITS.max_lag_s + SKIP_AGAIN_S


def test_a_step_up_that_fails_makes_the_next_one_wait() -> None:
    estimates = [level.work for level in levels(PLAN)]
    # Level 1 looks twice as light as it is believed to be: each step up to 0 fails.
    work = [2.0, *estimates[1:]]
    driven = Machine(Controller(PLAN, LIMITS), work)
    driven.run(1.5, 3600)
    tries = [at for at, change in driven.changes if change.meaning.level == 0]
    pauses = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 40
    assert pauses[-1] >= LIMITS.step_up_after_max_s
    assert len(tries) < 3600 / LIMITS.step_up_after_max_s + 6
    driven.work = estimates
    driven.run(3.0, 400)
    assert driven.controller.level == 0


def test_a_new_worker_is_judged_by_itself() -> None:
    controller = Controller(PLAN, LIMITS)
    for number in range(7):
        assert not controller.observe(Observation(number / 4, 0.1, 0.1, 0.25, 0, 0))
    controller.worker_replaced()
    assert controller.speed is None
    assert not controller.observe(Observation(2.0, 0.1, 0.1, 0.25, 0, 0))
    assert not controller.observe(Observation(2.25, 0.1, 0.1, 0.25, 0, 0))


def test_nothing_is_judged_while_a_level_is_not_in_force() -> None:
    controller = Controller(PLAN, LIMITS)
    changes = [controller.observe(Observation(number / 4, 0.4, 0.2, 0.25, 0, 0)) for number in range(40)]
    assert sum(map(len, changes)) > 0
    first = next(index for index, made in enumerate(changes) if made)
    assert not any(changes[first + 1 :])


def test_a_source_that_is_silent_is_no_overload() -> None:
    controller = Controller(PLAN, LIMITS)
    for number in range(100):  # holes and cuts are little work and no media
        assert not controller.observe(Observation(number / 2, 0.0, 0.0, 0.01, 0, 0))
    assert controller.speed is None


def test_a_slow_report_of_an_idle_worker_is_no_overload() -> None:
    controller = Controller(PLAN, LIMITS)
    for number in range(100):
        assert not controller.observe(Observation(number / 2, 0.0, 0.1, 0.2, 0, 0))


def test_a_worker_that_is_stuck_is_overload() -> None:
    controller = Controller(PLAN, LIMITS)
    found = [controller.observe(Observation(number / 2, number / 2, 0.0, 0.5, 0, 0)) for number in range(8)]
    assert any(isinstance(decision, Change) for made in found for decision in made)
    assert controller.level == 3  # half of the work; the rest when that was not enough


def test_delay_of_the_source_itself_does_not_count() -> None:
    controller = Controller(PLAN, LIMITS)
    for number in range(100):  # 0.9 s of reordering and a fast worker
        assert not controller.observe(Observation(number / 2, 0.9, 0.5, 0.1, 0, 0))
    now, level = 50.0, 0
    while not controller.level:  # then it is slow
        now += 0.5
        assert now < 54
        level = controller.level
        controller.observe(Observation(now, 0.9 + (now - 50) / 4, 0.35, 0.5, 0, level))
    for number in range(200):  # and fast again, with the same delay
        controller.observe(Observation(now + number / 2, 0.9, 0.5, 0.05, 0, controller.level))
    assert controller.level == 0
    assert controller.skips == 0


def test_a_worker_without_work_has_no_speed() -> None:
    controller = Controller(PLAN, LIMITS)
    for number in range(100):
        assert not controller.observe(Observation(number / 2, 0.0, 0.0, 0.0, 0, 0))
    assert controller.speed is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0.05, 4.0), st.floats(1, 60)), min_size=1, max_size=12))
def test_whatever_the_machine_does(phases: list[tuple[float, float]]) -> None:
    driven = machine()
    for power, seconds in phases:
        driven.run(power, seconds)
    level, last = 0, float("-inf")
    for at, change in driven.changes:
        assert change.previous == level
        assert abs(change.meaning.level - level) == 1
        if change.meaning.level < level:  # up: never sooner than the calm time after any other change
            assert at - last >= LIMITS.step_up_after_s
        level, last = change.meaning.level, at
    assert 0 <= level < len(levels(PLAN))
    assert driven.most_lag <= LIMITS.max_lag_s + SKIP_AGAIN_S + STEP_S
    assert all(later - earlier >= SKIP_AGAIN_S for earlier, later in zip(driven.skips, driven.skips[1:], strict=False))
    end = driven.now + len(levels(PLAN)) * (LIMITS.step_up_after_max_s + 10)
    while driven.controller.level and driven.now < end:
        driven.run(4.0, 10)
    driven.run(4.0, 60)  # it stays there
    assert driven.controller.level == 0
    assert driven.lag < 1e-6


@settings(max_examples=25, deadline=None)
@given(st.floats(0.1, 3.0), st.floats(0.1, 3.0))
def test_less_power_never_keeps_more(one: float, other: float) -> None:
    strong, weak = machine(), machine()
    strong.run(max(one, other), 300)
    weak.run(min(one, other), 300)
    assert weak.controller.level >= strong.controller.level


def test_a_change_has_its_cause() -> None:
    driven = machine()
    driven.run(0.9, 10)
    driven.run(3.0, 30)
    driven.lag = 1.0
    driven.run(1.0, 5)
    assert [change.cause for _, change in driven.changes] == [Cause.SPEED, Cause.CALM, Cause.LAG]
