"""The overload controller: how well the worker keeps up -> how much quality the ladder gives up. Sans-IO.

Levels are in the order of what viewers miss least. Each keeps what those before it gave up:

    0            the plan as it is
    effort       the encoders search less (two steps); the pictures are a little worse, nothing else changes
    half rate    every second frame
    shed         without the highest rung, then without the one below it, ...; the lowest stays

A plan has only the levels that help it: encoders in hardware have no effort steps, nor has the fastest preset; a slow
frame rate is not halved.

Down: when the speed over `step_down_after_s` is below `step_down_speed` and has cost a third of `step_down_lag_s`, or
the delay does not come back below `step_down_lag_s`; by as many levels as the speed says are needed. Up: one level,
when it was calm for a time that doubles with each step up to the same level that had to be taken back. Above
`max_lag_s` of delay nothing that is late is worth encoding: `Skip`. Delay that stays although the worker is fast is the
source's own and does not count.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater.ingest.media import Rendition

from .cost import EFFORTS, weight
from .model import Plan

if TYPE_CHECKING:  # workers need the levels, and no settings: half of their start would be reading them
    from headwater.config.settings_encode import Overload

MIN_FPS = 7
"""Frames per second below which no rung is halved to. Why: half of 15; below it speech and lips part."""

DECODE_SHARE = 0.25
"""Part of a ladder's work that no level saves: decoding and scaling. Why: measured for 1080p30 to 720p, 480p, 360p."""

MARGIN = 1.05
"""A level that should do leaves this much room."""

SKIP_AGAIN_S = 2.0
"""After a skip, until the next one. Why: it takes effect at a keyframe, which the source sends every two seconds."""

BUSY_SHARE = 0.6
"""Part of the time that a worker is at work when it is too slow. Why: one that waits for the source is not."""

MAX_FLOOR_S = 1.0
"""Delay that is the source's own (frames that refer to later ones, a low frame rate), at most. Why: sixteen frames,
the most that H.264 reorders, at 16 frames per second."""

MOST_AT_ONCE = 0.5
"""Part of the work that is left after one decision, at least, where there are levels for it. Why: a stall of a second
looks like no speed at all, and it takes a while to climb back from the last level."""

SLOW_LAG = 1 / 3
"""Part of `step_down_lag_s` by which the rungs are late when slowness counts. Why: on a machine with neighbours two
slow seconds are nothing unusual; what they cost is a few frames of delay, which the next ones bring back."""

MIN_WINDOW = 0.9
"""Part of `step_down_after_s` that has to be seen before the speed counts. Why: progress comes in steps."""


_LESS = "the encoders search less"


@dataclass(frozen=True, slots=True)
class LevelMeaning:
    """What a level is for one plan. The worker applies `effort` and `divisor` and does not encode `shed`; the host
    takes `shed` out of the multivariant playlist."""

    level: int
    effort: int
    """0: the preset; 1, 2: less analysis (the decoder configuration stays the same)."""
    divisor: int
    """Multiplies the divisor of each rung: 2 is half the frame rate."""
    shed: tuple[Rendition, ...]
    """Video rungs that are not encoded, the highest first."""
    text: str
    """For the log and the player page."""
    work: float
    """Work of the level as a part of the plan's, by estimate."""


@dataclass(frozen=True, slots=True)
class Observation:
    """How the worker is doing, with each of its `Progress` messages."""

    now: float
    """Monotonic seconds."""
    lag_s: float
    """How long ago the oldest source sample arrived that the rungs have not come to; 0: none waits."""
    media_s: float
    """`Progress.media_s`: media encoded since the last one."""
    busy_s: float
    """`Progress.busy_s`: work that it took."""
    queued: int
    """Messages that wait, on both sides of the socket."""
    level: int
    """`Progress.level`: the level in force."""


class Cause(enum.StrEnum):
    """Why the level changes, for metrics."""

    SPEED = "speed"
    LAG = "lag"
    CALM = "calm"


@dataclass(frozen=True, slots=True)
class Change:
    """One step of the level. Several come in order when one would not do."""

    previous: int
    meaning: LevelMeaning
    """Of the new level."""
    reason: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class Skip:
    """The rungs jump to the newest keyframe of the source; what lies between is a hole in each of them."""

    lag_s: float
    reason: str


Decision = Change | Skip


def levels(plan: Plan) -> tuple[LevelMeaning, ...]:
    """Every level of a plan, in order; level 0 alone when there are no video rungs."""
    found = [LevelMeaning(0, 0, 1, (), "everything as planned", 1.0)]
    if not plan.video:
        return tuple(found)
    effort, divisor = 0, 1
    for less in range(1, EFFORTS):
        step = _meaning(plan, len(found), less, divisor, 0, "the encoders search least" if effort else _LESS)
        if step.work < found[-1].work:
            effort = less
            found.append(step)
    slowest = plan.grid / max(rung.divisor for rung in plan.video)
    if slowest / 2 >= MIN_FPS:
        divisor = 2
        found.append(_meaning(plan, len(found), effort, divisor, 0, "half the frame rate"))
    for shed in range(1, len(plan.video)):
        names = " and ".join(str(rung.rendition) for rung in plan.video[:shed])
        rate = ", at half the frame rate" if divisor == 2 else ""
        found.append(_meaning(plan, len(found), effort, divisor, shed, f"without {names}{rate}"))
    return tuple(found)


def describe_level(plan: Plan, level: int) -> LevelMeaning:
    """What `level` is for `plan`; the last there is for one that is higher."""
    known = levels(plan)
    return known[max(0, min(level, len(known) - 1))]


def _meaning(plan: Plan, level: int, effort: int, divisor: int, shed: int, text: str) -> LevelMeaning:
    whole = sum(weight(rung) for rung in plan.video)
    left = sum(weight(rung, effort) for rung in plan.video[shed:]) / divisor
    work = DECODE_SHARE + (1 - DECODE_SHARE) * left / whole
    return LevelMeaning(level, effort, divisor, tuple(rung.rendition for rung in plan.video[:shed]), text, work)


class Controller:
    """The level of one stream's ladder. Outlives workers.

    Args:
        plan: of the ladder.
        limits: `ingest.encode.overload`.
    """

    level: int
    """The level that is wanted."""

    def __init__(self, plan: Plan, limits: Overload) -> None:
        self._levels = levels(plan)
        self._limits = limits
        self.level = 0
        self.steps_down = 0
        """Levels stepped down so far. Likewise `steps_up`."""
        self.steps_up = 0
        self.skips = 0
        self.speed: float | None = None
        """Media seconds per second of work over the last `step_down_after_s`; None: nothing to go by."""
        self._seen: deque[Observation] = deque()
        self._floor_s = 0.0
        self._since: float | None = None
        self._late_since: float | None = None
        self._late_from = 0.0
        self._calm_since: float | None = None
        self._calm_s = [limits.step_up_after_s] * len(self._levels)  # before a step up to each level
        self._climbed_at: float | None = None
        self._skipped_at: float | None = None

    @property
    def meaning(self) -> LevelMeaning:
        """What the wanted level is."""
        return self._levels[self.level]

    def worker_replaced(self) -> None:
        """What was seen of the last worker says nothing of the next one; the level stays."""
        self._forget()
        self._skipped_at = None

    def observe(self, seen: Observation) -> list[Decision]:
        """What has to change."""
        decisions: list[Decision] = []
        self._settle(seen.now)
        if seen.level == self.level:
            self._note(seen)
            decisions += self._down(seen) or self._up(seen)
        else:
            self._forget()  # what the level before did says nothing of the one that comes
        if seen.lag_s - self._floor_s > self._limits.max_lag_s and self._may_skip(seen.now):
            decisions.append(self._skip(seen))
        return decisions

    def _note(self, seen: Observation) -> None:
        limits = self._limits
        if self._since is None:
            self._since = seen.now  # what this report speaks of began before
        else:
            self._seen.append(seen)
        while self._seen and self._seen[0].now <= seen.now - limits.step_down_after_s:
            self._seen.popleft()
        self.speed = self._speed(float("-inf"))
        easy = self.speed is not None and self.speed >= limits.step_up_speed
        if easy and self._watched(seen.now) >= limits.step_down_after_s:
            self._floor_s = min(MAX_FLOOR_S, *(earlier.lag_s for earlier in self._seen))
        lag_s = seen.lag_s - self._floor_s
        if easy or lag_s <= limits.step_down_lag_s:
            self._late_since = None
        elif self._late_since is None:
            self._late_since, self._late_from = seen.now, seen.lag_s
        if not easy or lag_s > limits.step_down_lag_s / 2:
            self._calm_since = None
        elif self._calm_since is None:
            self._calm_since = seen.now

    def _speed(self, since: float) -> float | None:
        media = sum(seen.media_s for seen in self._seen if seen.now > since)
        busy = sum(seen.busy_s for seen in self._seen if seen.now > since)
        # No media for hardly any work: the source is silent.
        return media / busy if media > 0 or busy >= BUSY_SHARE * self._limits.step_down_after_s / 2 else None

    def _watched(self, now: float) -> float:
        return 0.0 if self._since is None else now - self._since

    def _is_busy(self, now: float) -> bool:
        watched = min(self._watched(now), self._limits.step_down_after_s)
        return sum(seen.busy_s for seen in self._seen) >= BUSY_SHARE * watched

    def _down(self, seen: Observation) -> list[Decision]:
        trouble = self._trouble(seen)
        if trouble is None or self.level + 1 == len(self._levels):
            return []
        if self._climbed_at is not None:
            self._calm_s[self.level] = min(2 * self._calm_s[self.level], self._limits.step_up_after_max_s)
            self._climbed_at = None
        newest = self._speed(seen.now - self._limits.step_down_after_s / 2)
        newest = 1.0 if newest is None else newest / self._limits.step_down_speed
        speed = min(1.0, max(newest, MOST_AT_ONCE))
        enough = self.meaning.work * speed / MARGIN
        decisions: list[Decision] = []
        while self.level + 1 < len(self._levels) and (not decisions or self.meaning.work > enough):
            decisions.append(self._change(1, *trouble))
        return decisions

    def _trouble(self, seen: Observation) -> tuple[Cause, str] | None:
        """Why less work is needed; None: it is not."""
        limits = self._limits
        long_enough = self._watched(seen.now) >= limits.step_down_after_s * MIN_WINDOW
        slow = self.speed is not None and self.speed < limits.step_down_speed
        behind = seen.lag_s - self._floor_s >= SLOW_LAG * limits.step_down_lag_s
        if slow and behind and long_enough and self._is_busy(seen.now):
            return Cause.SPEED, f"encoding at {self.speed:.2f}x of real time over {limits.step_down_after_s:g} s"
        if self._late_since is None or seen.now - self._late_since < limits.step_down_after_s / 2:
            return None
        if seen.lag_s < self._late_from:  # it comes back by itself
            self._late_since, self._late_from = seen.now, seen.lag_s
            return None
        return Cause.LAG, f"{seen.lag_s:.1f} s behind the source"

    def _up(self, seen: Observation) -> list[Decision]:
        if self.level == 0 or self._calm_since is None or self.speed is None:
            return []
        calm = seen.now - self._calm_since
        above = self._levels[self.level - 1]
        expected = self.speed * self.meaning.work / above.work
        if calm < self._calm_s[self.level - 1] or expected < self._limits.step_down_speed * MARGIN:
            return []
        if self._climbed_at is not None:
            self._held()
        self._climbed_at = seen.now
        return [self._change(-1, Cause.CALM, f"calm for {calm:.0f} s, encoding at {self.speed:.2f}x of real time")]

    def _settle(self, now: float) -> None:
        """A step up that held for as long as it was waited for has succeeded."""
        if self._climbed_at is not None and now - self._climbed_at >= self._calm_s[self.level]:
            self._held()

    def _held(self) -> None:
        self._calm_s[self.level] = max(self._calm_s[self.level] / 2, self._limits.step_up_after_s)
        self._climbed_at = None

    def _change(self, step: int, cause: Cause, reason: str) -> Change:
        previous = self.level
        self.level += step
        if step > 0:
            self.steps_down += 1
        else:
            self.steps_up += 1
        self._forget()
        return Change(previous, self.meaning, reason, cause)

    def _may_skip(self, now: float) -> bool:
        return self._skipped_at is None or now - self._skipped_at >= SKIP_AGAIN_S

    def _skip(self, seen: Observation) -> Skip:
        self.skips += 1
        self._skipped_at = seen.now
        self._late_since = self._calm_since = None
        return Skip(seen.lag_s, f"{seen.lag_s:.1f} s behind the source, more than {self._limits.max_lag_s:g} s")

    def _forget(self) -> None:
        self._seen.clear()
        self.speed = self._since = self._late_since = self._calm_since = None
