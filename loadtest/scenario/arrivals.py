"""Who comes when: a scenario and its seed give one sorted list of arrivals. Sans-IO.

Open loop: nobody waits for a server that is slow. Times are seconds since the run began.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from random import Random

from headwater.loadtest.generator.plan import Arrival
from headwater.loadtest.records import PhaseSpan, ViewerClass

from .settings import MAX_VIEWERS, Arrivals, Constant, Flash, Phase, Poisson, Ramp, Scenario


class TooMany(ValueError):
    """More viewers than one run can plan for."""


def spans(scenario: Scenario) -> tuple[PhaseSpan, ...]:
    """When each phase runs."""
    ends = list(itertools.accumulate(phase.duration_s for phase in scenario.phases))
    starts = [0.0, *ends[:-1]]
    return tuple(
        PhaseSpan(phase.name, start, end, phase.invariants)
        for phase, start, end in zip(scenario.phases, starts, ends, strict=True)
    )


def arrivals_of(scenario: Scenario) -> tuple[Arrival, ...]:
    """Everybody who comes, leavers' replacements too, sorted. Raises TooMany."""
    crowd = _Crowd(scenario.duration_s)
    for number, (phase, span) in enumerate(zip(scenario.phases, spans(scenario), strict=True)):
        dice = Random(f"{scenario.seed} phase {number}")  # noqa: S311  # a plan that can be repeated, no secret
        crowd.play(phase, span, scenario.viewer_classes(phase), dice)
    return tuple(crowd.arrivals)


def divided(arrivals: Sequence[Arrival], processes: int) -> tuple[tuple[Arrival, ...], ...]:
    """Round robin over the processes: each gets the same mixture at the same time."""
    return tuple(tuple(arrivals[number::processes]) for number in range(processes))


def moments(arrivals: Arrivals, duration_s: float, dice: Random) -> list[float]:
    """When viewers come, seconds since the begin of a phase of `duration_s`, sorted. Raises TooMany."""
    length = arrivals.for_s if arrivals.for_s is not None else duration_s - arrivals.at_s
    match arrivals:
        case Constant(rate=rate):
            found = _ramp(rate, rate, length)
        case Ramp(rate_from=first, rate_to=last):
            found = _ramp(first, last, length)
        case Poisson(rate=rate):
            found = _poisson(rate, length, dice)
        case Flash(viewers=viewers):
            found = iter(sorted(dice.uniform(0, length) for _ in range(viewers)))
    times = [arrivals.at_s + time for time in itertools.islice(found, MAX_VIEWERS + 1)]
    if len(times) > MAX_VIEWERS:
        raise TooMany(f"more than {MAX_VIEWERS} viewers")
    return times


def _ramp(first: float, last: float, length: float) -> Iterator[float]:
    """Viewer k comes when the area under the rate is k + 1/2: exactly the area's count, evenly."""
    slope = (last - first) / length
    count = math.floor((first + last) / 2 * length + 1e-9)
    for number in range(count):
        area = number + 0.5
        # The smaller root of slope/2 t^2 + first t = area, in the form that is exact for a slope of 0 too.
        yield 2 * area / (first + math.sqrt(max(0.0, first * first + 2 * slope * area)))


def _poisson(rate: float, length: float, dice: Random) -> Iterator[float]:
    time = 0.0
    while rate and (time := time + dice.expovariate(rate)) < length:
        yield time


def shares(classes: Sequence[ViewerClass]) -> Iterator[ViewerClass]:
    """Endlessly the class that is furthest behind its share: after n viewers no class is off by one or more."""
    whole = sum(viewer.share for viewer in classes)
    behind = [0.0] * len(classes)
    while True:
        for number, viewer in enumerate(classes):
            behind[number] += viewer.share / whole
        chosen = max(range(len(classes)), key=behind.__getitem__)
        behind[chosen] -= 1
        yield classes[chosen]


class _Crowd:
    """Who is there as the run goes on, as far as the plan knows: viewers that give up are not replaced."""

    def __init__(self, end: float) -> None:
        self.arrivals: list[Arrival] = []
        self._end = end
        self._leaving: list[tuple[float, int, ViewerClass]] = []
        self._turns = itertools.count()
        self._present = 0

    def play(self, phase: Phase, span: PhaseSpan, classes: Sequence[ViewerClass], dice: Random) -> None:
        """One phase: its arrivals, and who leaves in it."""
        new = shares(classes)
        planned = heapq.merge(*(moments(one, phase.duration_s, dice) for one in phase.arrivals))
        for moment in (*planned, phase.duration_s):
            at = span.start + moment
            self._leave(at, phase.keep, lambda old: old if old in classes else next(new), dice)
            if moment < phase.duration_s and (phase.keep is None or self._present < phase.keep):
                self._join(at, next(new), dice)

    def _leave(
        self, until: float, keep: int | None, replacement: Callable[[ViewerClass], ViewerClass], dice: Random
    ) -> None:
        while self._leaving and self._leaving[0][0] <= until:
            at, _, viewer = heapq.heappop(self._leaving)
            self._present -= 1
            if keep is not None and self._present < keep:
                self._join(at, replacement(viewer), dice)

    def _join(self, at: float, viewer: ViewerClass, dice: Random) -> None:
        if len(self.arrivals) >= MAX_VIEWERS:
            raise TooMany(f"more than {MAX_VIEWERS} viewers, those that replace leavers included")
        stay = None if viewer.watch_s is None else round(dice.uniform(*viewer.watch_s), 3)
        if stay is not None and at + stay >= self._end:
            stay = None
        self.arrivals.append(Arrival(at, viewer, stay))
        self._present += 1
        if stay is not None:
            heapq.heappush(self._leaving, (at + stay, next(self._turns), viewer))
