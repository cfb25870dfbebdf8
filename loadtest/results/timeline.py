"""A run cut into moments for the plots: what happened per second, percentiles of each moment. Sans-IO."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from headwater.loadtest.records import Count, PhaseSpan, Tick, Timing

from .figures import Figures, figures_of
from .model import RunResult

MAX_MOMENTS = 600
"""Points of a plot. Why: more than pixels show nothing; a longer run has moments of several seconds."""
DELAY_PERCENTILES = (50.0, 99.0, 100.0)


@dataclass(frozen=True, slots=True)
class Moment:
    """A few seconds of the run. Rates are per second; durations are seconds; None: nothing arrived."""

    second: float
    """Its middle."""
    viewers: int
    playing: int
    joins: float
    errors: float
    stalls: float
    fatal: float
    bits: float
    delay: tuple[float | None, ...]
    """At DELAY_PERCENTILES: of parts, or of segments where no viewer took a part in the whole run."""
    latency: tuple[float | None, ...]
    cpu: float
    lag: float
    doubtful: bool
    """The generator's lag is too large beside the p99."""


def delay_of(whole: Figures) -> Timing:
    """The timing that stands for a run: parts, or segments where there are no parts."""
    return Timing.PART if Timing.PART in whole.timings else Timing.SEGMENT


def moments(result: RunResult, delay: Timing) -> tuple[Moment, ...]:
    """At most MAX_MOMENTS of equal length; those without any tick are left out. Raises HistogramError."""
    if not result.ticks:
        return ()
    step = math.ceil(max(tick.second + 1 for tick in result.ticks) / MAX_MOMENTS)
    groups: dict[int, list[Tick]] = {}
    for tick in result.ticks:
        groups.setdefault(tick.second // step, []).append(tick)
    return tuple(_moment(number * step, step, groups[number], delay) for number in sorted(groups))


def _moment(start: int, step: int, ticks: Sequence[Tick], delay: Timing) -> Moment:
    figures = figures_of(PhaseSpan("", start, start + step), ticks, (), (delay, Timing.LATENCY))
    delays, latencies = _percentiles(figures, delay), _percentiles(figures, Timing.LATENCY)
    playing: dict[int, int] = {}
    for tick in ticks:
        playing[tick.second] = playing.get(tick.second, 0) + tick.playing
    lag = figures.lags.at(100) / 1e6
    p99 = delays[DELAY_PERCENTILES.index(99.0)]
    return Moment(
        second=start + step / 2,
        viewers=figures.viewers,
        playing=max(playing.values()),
        joins=figures.joins_per_second,
        errors=figures.error_count / step,
        stalls=figures.count(Count.STALLS) / step,
        fatal=figures.count(Count.FATAL) / step,
        bits=figures.bits_per_second,
        delay=delays,
        latency=latencies,
        cpu=figures.cpu,
        lag=lag,
        doubtful=p99 is not None and not figures.holds(delay, 99.0),
    )


def _percentiles(figures: Figures, timing: Timing) -> tuple[float | None, ...]:
    values = (figures.percentile_us(timing, percent) for percent in DELAY_PERCENTILES)
    return tuple(None if value is None else value / 1e6 for value in values)
