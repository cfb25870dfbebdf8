"""The report as JSON and back: docs/loadtest-json.md. Sans-IO."""

from __future__ import annotations

import json
from collections.abc import Iterable

from headwater.loadtest.records import Count, Timing
from headwater.loadtest.records_json import MAX_CHARS, RecordError, dump, load

from .figures import PERCENTILES, Figures, figures_of_run
from .histograms import Histogram, HistogramError
from .invariants import InvariantError, check_invariant
from .model import RunResult

NAME = "headwater-loadtest"
"""What the document says it is."""
VERSION = 1
"""Raised when a field changes its meaning or goes."""
MAX_SECONDS = 7 * 86_400
"""Longest run that is read."""
MAX_NUMBER = 1 << 53
"""Largest number that is read. Why: every program reads integers up to here exactly, and sums stay finite."""


class ReportError(ValueError):
    """A text is not a report that this version reads; the message says where and why."""


def to_json(result: RunResult) -> str:
    """The document. `figures` is derived, for programs that read JSON and no histograms."""
    document = {
        "document": NAME,
        "version": VERSION,
        "failed": result.failed,
        "figures": [_figures(figures) for figures in figures_of_run(result)],
        "run": dump(result),
    }
    return json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n"


def from_json(text: str) -> RunResult:
    """The run of a document, with every histogram checked. Raises ReportError, and nothing else."""
    if len(text) > MAX_CHARS:
        raise ReportError("the report is too long")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReportError(f"not JSON: {error}"[:300]) from None
    if not isinstance(document, dict) or document.get("document") != NAME:
        raise ReportError("not a report of headwater loadtest")
    if document.get("version") != VERSION:
        raise ReportError(f"version {document.get('version')!r:.20} of the report; this headwater reads {VERSION}")
    try:
        result = load(RunResult, document.get("run"))
        _check(result)
    except (RecordError, HistogramError, InvariantError) as error:
        raise ReportError(str(error)[:300]) from None
    return result


def _check(result: RunResult) -> None:
    """What types do not say, and the reports rely on."""
    spans = [moment for span in result.phases for moment in (span.start, span.end)]
    events = [*(one.second for one in result.server), *(one.second for one in result.chaos)]
    seconds = [tick.second for tick in result.ticks]
    _within("a time of the run", (result.seconds, *spans, *events, *seconds), MAX_SECONDS)
    _within("run.started", (result.started,), 1e11)
    _within("run.machine", (result.machine.cores, result.machine.memory_bytes), MAX_NUMBER)
    _within("run.clock", (abs(result.clock.seconds), result.clock.uncertainty_s), 1e11)
    for span in result.phases:
        if span.start > span.end:
            raise RecordError("run.phases: a phase ends before it starts")
        for invariant in span.invariants:
            check_invariant(invariant)
    for sample in result.server:
        _within("run.server", map(abs, sample.values.values()), MAX_NUMBER)
    for tick in result.ticks:
        numbers = (tick.viewers, tick.playing, tick.lag_us, tick.lag_p99_us, tick.cpu)
        _within("run.ticks", (*numbers, *tick.counts.values(), *tick.errors.values()), MAX_NUMBER)
        for encoded in tick.timings.values():
            Histogram.decode(encoded)


def _within(what: str, numbers: Iterable[float], most: float) -> None:
    for number in numbers:
        if not 0 <= number <= most:
            raise RecordError(f"{what}: a number is out of range")


def _figures(figures: Figures) -> dict[str, object]:
    return {
        "name": figures.name,
        "seconds": round(figures.seconds, 3),
        "viewers": figures.viewers,
        "counts": {name.value: figures.count(name) for name in Count},
        "errors": dict(sorted(figures.errors.items())),
        "stall_ratio": figures.stall_ratio,
        "error_ratio": figures.error_ratio,
        "joins_s": figures.joins_per_second,
        "mbit_s": figures.bits_per_second / 1e6,
        "generator_cpu": figures.cpu,
        "generator_lag_us": figures.lags.at(100),
        "origin_requests_per_part": figures.origin_requests_per_part,
        "server": dict(sorted(figures.server.items())),
        "timings": {timing.value: _timing(figures, timing) for timing in figures.timings},
    }


def _timing(figures: Figures, timing: Timing) -> dict[str, object]:
    """Microseconds; `invalid` lists the percentiles that the generator's lag may have made."""
    names = {f"p{percent:g}".replace(".", "_"): percent for percent in PERCENTILES} | {"max": 100.0}
    return {
        "count": figures.timings[timing].count,
        **{f"{name}_us": figures.percentile_us(timing, percent) for name, percent in names.items()},
        "invalid": [name for name, percent in names.items() if not figures.holds(timing, percent)],
    }
