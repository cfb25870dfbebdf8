"""Ticks and server samples of a span -> its figures: sums, ratios, percentiles, and which of them hold. Sans-IO."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from headwater.loadtest.records import Count, PhaseSpan, ServerSample, Tick, Timing

from .histograms import Histogram
from .model import RunResult

WHOLE_RUN = "whole run"
LAG_SHARE = 0.2
"""A percentile holds while the generator's own lag is at most this share of it."""
PERCENTILES = (50.0, 90.0, 99.0, 99.9)
"""Of the reports; the maximum besides."""
_LOADS = (Count.PLAYLISTS, Count.PARTS, Count.SEGMENTS, Count.OTHERS)

CPU, MEMORY, REACHED = "cpu", "memory", "up"
"""Server values that are levels: cores, bytes, addresses that answered."""
PARTS, ORIGIN_REQUESTS, EDGE_FETCHES = "parts", "origin_requests", "edge_fetches"
"""Server values that only grow: parts published (not as GAP), requests for files that the origin answered, files that
edges asked their upstream for."""


@dataclass(frozen=True, slots=True)
class Lags:
    """Lateness of the generators' event loops in a span, microseconds, ascending: one value per second and process."""

    p99: tuple[int, ...] = ()
    largest: tuple[int, ...] = ()

    def at(self, percent: float) -> int:
        """The lag that a percentile has to be far above: what all but 100 - `percent` of the seconds kept to.

        Why so: one bad second in a hundred may have made the p99, and not the median.
        """
        lags = self.p99 if percent <= 99 else self.largest
        return lags[min(len(lags) - 1, math.ceil(percent / 100 * len(lags)) - 1)] if lags else 0


@dataclass(frozen=True)
class Figures:
    """Of one span of the run, all processes together."""

    name: str
    seconds: float
    counts: Mapping[Count, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    timings: Mapping[Timing, Histogram] = field(default_factory=dict)
    """Only those with samples."""
    viewers: int = 0
    """Most at one time."""
    cpu: float = 0.0
    """Largest of one generator process, cores."""
    lags: Lags = Lags()
    server: Mapping[str, float] = field(default_factory=dict)
    """Increase of a counter, largest of a level."""

    def count(self, name: Count) -> int:
        """A sum; 0 when nobody counted it."""
        return self.counts.get(name, 0)

    @property
    def error_count(self) -> int:
        """Failed requests of all kinds."""
        return sum(self.errors.values())

    @property
    def error_ratio(self) -> float:
        """Failed requests among all that ended; 0 without requests."""
        return _ratio(self.error_count, self.error_count + sum(self.count(kind) for kind in _LOADS))

    @property
    def stall_ratio(self) -> float:
        """Time stalled among time stalled or watched; 0 when nobody watched."""
        stalled = self.count(Count.STALLED_US)
        return _ratio(stalled, stalled + self.count(Count.WATCHED_US))

    @property
    def bits_per_second(self) -> float:
        """Bodies that arrived."""
        return _ratio(self.count(Count.BYTES) * 8, self.seconds)

    @property
    def joins_per_second(self) -> float:
        """Viewers that joined."""
        return _ratio(self.count(Count.JOINED), self.seconds)

    @property
    def origin_requests_per_part(self) -> float | None:
        """Requests for files that reached the origin, per part it published; None: the server did not say.

        The origin's own count where it was scraped, else what the edges asked their upstreams for.
        """
        asked, parts = self.server.get(ORIGIN_REQUESTS, self.server.get(EDGE_FETCHES)), self.server.get(PARTS)
        return None if asked is None or not parts else asked / parts

    def percentile_us(self, timing: Timing, percent: float) -> int | None:
        """100 is the maximum; None without samples."""
        histogram = self.timings.get(timing)
        if histogram is None:
            return None
        return histogram.maximum if percent >= 100 else histogram.percentile(percent)

    def holds(self, timing: Timing, percent: float) -> bool:
        """Whether the generator's lag is small enough beside this percentile."""
        value = self.percentile_us(timing, percent)
        return value is None or self.lags.at(percent) <= LAG_SHARE * value


class _Same:
    """What the sums of a run depend on, as a key of a cache: the run with its verdicts is the same as without.

    The same objects, not equal ones, which would take as long to find out.
    """

    def __init__(self, result: RunResult) -> None:
        self.result = result  # also keeps the objects, so that nobody else gets their ids
        self._key = (id(result.ticks), id(result.phases), id(result.server), result.seconds)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)


def figures_of_run(result: RunResult) -> tuple[Figures, ...]:
    """The whole run first, then its phases. Raises HistogramError.

    Remembered for the last runs asked for. Why: every report needs them, and an hour of ticks takes a minute to add.
    """
    return _figures_of_run(_Same(result))


@functools.lru_cache(maxsize=2)
def _figures_of_run(key: _Same) -> tuple[Figures, ...]:
    result = key.result
    last = max((tick.second + 1 for tick in result.ticks), default=0)  # of a drain after the end
    whole = PhaseSpan(WHOLE_RUN, 0.0, max(result.seconds, last))
    return _summed((whole, *result.phases), result.ticks, result.server, frozenset(Timing))


def figures_of(
    span: PhaseSpan,
    ticks: Iterable[Tick],
    server: Sequence[ServerSample],
    timings: Collection[Timing] = frozenset(Timing),
) -> Figures:
    """Figures of what happened in `span`, of these `timings`; a tick belongs where its middle is.

    Raises HistogramError.
    """
    return _summed((span,), ticks, server, timings)[0]


class _Sums:
    """What the ticks of one span add up to."""

    def __init__(self, span: PhaseSpan) -> None:
        self.span = span
        self._counts: Counter[Count] = Counter()
        self._errors: Counter[str] = Counter()
        self._timings: dict[Timing, Histogram] = {}
        self._viewers: Counter[int] = Counter()
        self._ticks: list[Tick] = []

    def add(self, tick: Tick, timings: Mapping[Timing, Histogram]) -> None:
        self._ticks.append(tick)
        self._counts.update(tick.counts)
        self._errors.update(tick.errors)
        self._viewers[tick.second] += tick.viewers
        for timing, histogram in timings.items():
            self._timings.setdefault(timing, Histogram()).add(histogram)

    def figures(self, server: Sequence[ServerSample]) -> Figures:
        ticks, span = self._ticks, self.span
        return Figures(
            name=span.name,
            seconds=max(0.0, span.end - span.start),
            counts=self._counts,
            errors=self._errors,
            timings={timing: self._timings[timing] for timing in Timing if timing in self._timings},
            viewers=max(self._viewers.values(), default=0),
            cpu=max((tick.cpu for tick in ticks), default=0.0),
            lags=Lags(tuple(sorted(t.lag_p99_us for t in ticks)), tuple(sorted(t.lag_us for t in ticks))),
            server=server_figures(span, server),
        )


def _summed(
    spans: Sequence[PhaseSpan], ticks: Iterable[Tick], server: Sequence[ServerSample], timings: Collection[Timing]
) -> tuple[Figures, ...]:
    """Each tick is decoded once for all spans."""
    sums = [_Sums(span) for span in spans]
    for tick in ticks:
        inside = [one for one in sums if _within(one.span, tick.second)]
        if inside:
            decoded = {name: Histogram.decode(data) for name, data in tick.timings.items() if name in timings}
            for one in inside:
                one.add(tick, {name: histogram for name, histogram in decoded.items() if histogram.count})
    return tuple(one.figures(server) for one in sums)


def server_figures(span: PhaseSpan, samples: Sequence[ServerSample]) -> dict[str, float]:
    """What the server's series did in `span`: counters from the last sample before it to the last one in it."""
    inside = [sample for sample in samples if span.start <= sample.second <= span.end]
    before = [sample for sample in samples if sample.second < span.start][-1:]
    found: dict[str, float] = {}
    for name in {name for sample in inside for name in sample.values}:
        seen = [sample.values[name] for sample in (*before, *inside) if name in sample.values]
        if not is_counter(name):
            found[name] = max(sample.values[name] for sample in inside if name in sample.values)
        elif len(seen) > 1:
            found[name] = seen[-1] - seen[0]
    return found


def is_counter(name: str) -> bool:
    """Whether a server value only grows."""
    return name in (PARTS, ORIGIN_REQUESTS, EDGE_FETCHES) or name.endswith("_total")


def _within(span: PhaseSpan, second: int) -> bool:
    return span.start <= second + 0.5 < span.end


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
