"""Two runs side by side: what differs, by how much, and which way is better. Sans-IO."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from headwater.loadtest.records import Count, Timing

from . import units
from .figures import CPU, MEMORY, Figures
from .markdown import INVALID_MARK, code, spans_of, table, text
from .model import RunResult

SAME = 0.05
"""Relative difference that counts as none. Why: two equal runs on one machine differ by about that."""


class Better(enum.Enum):
    """Which direction of a figure is better."""

    LESS = "less"
    MORE = "more"
    NEITHER = ""
    """The load itself."""


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of both runs. None: not measured."""

    name: str
    a: float | None
    b: float | None
    better: Better
    show: Callable[[float], str]
    holds_a: bool = True
    holds_b: bool = True


def compare(a: RunResult, b: RunResult) -> str:
    """Markdown that reads well on a terminal. Raises HistogramError."""
    figures_a, figures_b = spans_of(a), spans_of(b)
    lines = [*_whole(figures_a[0], figures_b[0]), *_phases(figures_a[1:], figures_b[1:])]
    head = ("figure", "A", "B", "B - A", "B / A", "better", "B is")
    rows = [_row(line) for line in lines if line.a is not None or line.b is not None]
    blocks = [
        f"A: {code(a.url)} {text(a.scenario)}\nB: {code(b.url)} {text(b.scenario)}",
        "\n".join(f"WARNING: {warning}" for warning in warnings(a, b)),
        "\n".join(table(head, rows, "lrrrrll")),
        INVALID_MARK if any("(!)" in cell for row in rows for cell in row) else "",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def warnings(a: RunResult, b: RunResult) -> list[str]:
    """Why the two may not compare."""
    found = [f"{name} is invalid: {text(run.invalid[0])}" for name, run in (("A", a), ("B", b)) if run.invalid]
    if a.machine != b.machine:
        found.append("the generators ran on different machines or Python versions")
    if a.protocol != b.protocol:
        found.append(f"the viewers spoke {a.protocol} and {b.protocol}")
    if a.scenario != b.scenario:
        found.append(f"the scenarios differ: {text(a.scenario)} and {text(b.scenario)}")
    elif [(span.name, round(span.end - span.start)) for span in a.phases] != [
        (span.name, round(span.end - span.start)) for span in b.phases
    ]:
        found.append("the phases differ")
    if not _same(a.seconds, b.seconds):
        found.append(f"the runs are {units.duration(a.seconds)} and {units.duration(b.seconds)} long")
    return found


def _whole(a: Figures, b: Figures) -> Iterator[Line]:
    yield Line("viewers, most", a.viewers, b.viewers, Better.NEITHER, units.number)
    yield Line("joins per second", a.joins_per_second, b.joins_per_second, Better.NEITHER, units.number)
    for timing in Timing:
        for percent in (50.0, 99.0, 100.0):
            yield _timing("", timing, percent, a, b)
    yield from _health("", a, b)
    yield Line("delivered", a.bits_per_second, b.bits_per_second, Better.MORE, lambda v: units.size(v, "bit/s"))
    for name in (Count.LATE, Count.BEHIND, Count.GAPS, Count.RETRIES):
        yield Line(name.value, a.count(name), b.count(name), Better.LESS, units.number)
    asked = a.origin_requests_per_part, b.origin_requests_per_part
    yield Line("origin requests per part", *asked, Better.LESS, units.number)
    yield Line("server CPU, most", a.server.get(CPU), b.server.get(CPU), Better.LESS, units.number)
    yield Line("server memory, most", a.server.get(MEMORY), b.server.get(MEMORY), Better.LESS, units.size)


def _phases(a: tuple[Figures, ...], b: tuple[Figures, ...]) -> Iterator[Line]:
    """Phases that both runs have, by name."""
    others = {figures.name: figures for figures in b}
    for figures in a:
        if (other := others.get(figures.name)) is not None:
            prefix = f"{text(figures.name)}: "
            yield _timing(prefix, Timing.PART, 99.0, figures, other)
            yield from _health(prefix, figures, other)


def _health(prefix: str, a: Figures, b: Figures) -> Iterator[Line]:
    yield Line(f"{prefix}stall ratio", a.stall_ratio, b.stall_ratio, Better.LESS, units.share)
    yield Line(f"{prefix}fatal", a.count(Count.FATAL), b.count(Count.FATAL), Better.LESS, units.number)
    yield Line(f"{prefix}error ratio", a.error_ratio, b.error_ratio, Better.LESS, units.share)


def _timing(prefix: str, timing: Timing, percent: float, a: Figures, b: Figures) -> Line:
    which = "max" if percent >= 100 else f"p{percent:g}"
    value_a, value_b = (
        None if value is None else value / units.US
        for value in (a.percentile_us(timing, percent), b.percentile_us(timing, percent))
    )
    holds = a.holds(timing, percent), b.holds(timing, percent)
    return Line(f"{prefix}{timing.value} {which}", value_a, value_b, Better.LESS, units.duration, *holds)


def _row(line: Line) -> tuple[str, ...]:
    a, b = line.a, line.b
    shown = [
        "–" if value is None else line.show(value) + ("" if holds else " (!)")
        for value, holds in ((a, line.holds_a), (b, line.holds_b))
    ]
    if a is None or b is None:
        return (line.name, *shown, "–", "–", line.better.value, "–")
    difference = f"{'+' if b >= a else '-'}{line.show(abs(b - a))}"
    return (line.name, *shown, difference, f"{b / a:.2f}" if a else "–", line.better.value, _verdict(line, a, b))


def _verdict(line: Line, a: float, b: float) -> str:
    if line.better is Better.NEITHER:
        return ""
    if _same(a, b):
        return "the same"
    if not (line.holds_a and line.holds_b):
        return "not proven"
    return "better" if (b < a) is (line.better is Better.LESS) else "WORSE"


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= SAME * max(abs(a), abs(b))
