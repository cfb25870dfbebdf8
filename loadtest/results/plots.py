"""Plots as inline SVG: lines over the time of a run, a histogram, percentiles of distributions. Sans-IO.

Every word that comes from outside is escaped here. Colours are classes of page.css.
"""

from __future__ import annotations

import html
import itertools
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from headwater.loadtest.doctor.findings import printable
from headwater.loadtest.records import ChaosEvent, PhaseSpan

from . import axes, units
from .histograms import Histogram

WIDTH, HEIGHT = 560, 236
LEFT, RIGHT, TOP, BOTTOM = 62, 548, 28, 208
"""Edges of the plot in the picture: room for the values at the left, phases above, times below."""
_CHARACTER = 5.8
"""Pixels of a character of a phase's name, about."""
_BINS_PER_DECADE = 12
FLOOR_S = 1e-4
"""Seconds where axes of delays begin at the earliest. Why: parts before their date count as 1 us, and took the room."""
_DOUBT = "generator too late to tell"
_ZEROS = re.compile(r"\.0+(?= |$)|(?<=\.[1-9])0+(?= |$)")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plot. `look`: class of page.css."""

    name: str
    look: str
    points: Sequence[tuple[float, float | None]]
    """Second, value; in seconds, bytes, ..."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What all plots over time share."""

    seconds: float
    phases: tuple[PhaseSpan, ...] = ()
    chaos: tuple[ChaosEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot over time."""

    title: str
    lines: tuple[Line, ...]
    show: Callable[[float], str]
    log: bool = False
    filled: bool = False
    """The area below the first line."""
    limit: float | None = None
    """A line across, such as the share of a core that invalidates a run."""
    doubtful: tuple[float, ...] = field(default=())
    """Seconds that do not hold, marked at the foot."""


def esc(words: str) -> str:
    """Words of a server or a file, for HTML."""
    return html.escape(printable(words))


def over_time(plot: Plot, stage: Stage) -> str:
    """The figure, or an empty text when no line has a value."""
    values = [y for line in plot.lines for _, y in line.points if y is not None and (y > 0 or not plot.log)]
    if not values:
        return ""
    x = axes.time(stage.seconds, LEFT, RIGHT)
    highest = max((*values, plot.limit or 0.0))
    y = _delays(min(values), highest) if plot.log else axes.linear(highest, BOTTOM, TOP)
    drawn = [(line, _placed(line, x, y)) for line in plot.lines]
    body = [
        *_bands(stage, x),
        *_grid_y(y, plot.show),
        *(_label(x.at(tick), BOTTOM + 16, axes.clock(tick), "middle") for tick in x.ticks),
        *_doubts(plot, x, stage),
        *(_area(line.look, points) for line, points in drawn[:1] if plot.filled),
        *(f'<path class="line {line.look}" d="{axes.path(points)}"/>' for line, points in drawn),
        *([_across(y.at(plot.limit))] if plot.limit is not None else []),
        *_marks(stage, x),
    ]
    legend = {line.name: line.look for line in plot.lines} | ({_DOUBT: "doubt"} if plot.doubtful else {})
    return _figure(plot.title, body, legend if len(legend) > 1 else {}, _hover(plot, drawn))


def histogram(title: str, delays: Histogram) -> str:
    """How many delays were how long, on a logarithmic axis; a share of all per bin, the first with all below it."""
    lowest = max(delays.percentile(0), FLOOR_S * units.US)
    first = math.ceil(math.log10(lowest) * _BINS_PER_DECADE) - 1
    last = max(first + 1, math.ceil(math.log10(max(1, delays.maximum)) * _BINS_PER_DECADE))
    edges = [10 ** (n / _BINS_PER_DECADE) for n in range(first, last + 1)]
    below = [0, *delays.distribution([int(edge) for edge in edges[1:]])]
    shares = [(high - low) / delays.count for low, high in itertools.pairwise(below)]
    x = axes.Axis(edges[0], edges[-1], LEFT, RIGHT, log=True)
    y = axes.linear(max((*shares, 0.001)), BOTTOM, TOP)
    ticks = [tick for tick in axes.logarithmic(edges[0], edges[-1], LEFT, RIGHT).ticks if x.low <= tick <= x.high]
    body = [*_grid_y(y, units.share)]
    body += [_label(x.at(tick), BOTTOM + 16, _round(units.duration(tick / units.US)), "middle") for tick in ticks]
    for (low, high), part in zip(itertools.pairwise(edges), shares, strict=True):
        if part > 0:
            left, top = x.at(low) + 0.5, min(y.at(part), BOTTOM - 0.7)
            about = f"{units.duration(low / units.US)} to {units.duration(high / units.US)}: {units.share(part)}"
            body.append(
                f'<rect class="bar" x="{left:.1f}" y="{top:.1f}" width="{x.at(high) - left - 0.5:.1f}"'
                f' height="{BOTTOM - top:.1f}" rx="1"><title>{esc(about)}</title></rect>'
            )
    for percent, look in ((50.0, "q1"), (99.0, "q2")):
        where = x.at(delays.percentile(percent))
        body.append(f'<line class="cut {look}" x1="{where:.1f}" x2="{where:.1f}" y1="{TOP}" y2="{BOTTOM}"/>')
        near = where > RIGHT - 30
        body.append(_label(where - 4 if near else where + 4, TOP + 10, f"p{percent:g}", "end" if near else "start"))
    return _figure(title, body, {}, "")


def percentiles(title: str, distributions: Mapping[str, Histogram]) -> str:
    """Delay against percentile, the axis stretched towards 100 %: tails are what viewers feel."""
    most = max(histogram.count for histogram in distributions.values())
    decades = max(1.0, math.log10(most))
    x = axes.Axis(0.0, decades, LEFT, RIGHT)
    curves = {name: _curve(histogram) for name, histogram in distributions.items()}
    values = [value for curve in curves.values() for _, value in curve if value > 0]
    y = _delays(min(values), max(values))
    body = _grid_y(y, units.duration)
    for exponent in range(int(decades) + 1):
        where = x.at(exponent)
        body.append(f'<line class="grid" x1="{where:.1f}" x2="{where:.1f}" y1="{TOP}" y2="{BOTTOM}"/>')
        body.append(_label(where, BOTTOM + 16, f"{100 * (1 - 10.0**-exponent):.6g} %", "middle"))
    looks = {name: f"c{number % 8}" for number, name in enumerate(curves)}
    for name, curve in curves.items():
        points = [(x.at(where), y.at(value)) for where, value in curve]
        body.append(f'<path class="line {looks[name]}" d="{axes.path(points)}"><title>{esc(name)}</title></path>')
    return _figure(title, body, looks if len(looks) > 1 else {}, "")


def _delays(lowest: float, highest: float) -> axes.Axis:
    """Seconds, upwards; what is below the floor stands on it."""
    return axes.logarithmic(max(lowest, FLOOR_S), max(highest, FLOOR_S), BOTTOM, TOP)


def _curve(delays: Histogram) -> list[tuple[float, float]]:
    steps = [n / 10 for n in range(int(math.log10(delays.count) * 10) + 1)]
    values = delays.percentiles([100 * (1 - 10.0**-step) for step in steps])
    return [(step, max(value, 1) / units.US) for step, value in zip(steps, values, strict=True)]


def _placed(line: Line, x: axes.Axis, y: axes.Axis) -> list[tuple[float, float | None]]:
    return [(x.at(second), None if value is None else y.at(value)) for second, value in line.points]


def _figure(title: str, body: Sequence[str], legend: Mapping[str, str], hover: str) -> str:
    entries = "".join(f'<span class="key {look}">{esc(name)}</span>' for name, look in legend.items())
    return (
        f'<figure class="plot"><figcaption>{esc(title)}<span class="legend">{entries}</span></figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{esc(title)}"{hover}>'
        f'{"".join(body)}<line class="base" x1="{LEFT}" x2="{RIGHT}" y1="{BOTTOM}" y2="{BOTTOM}"/></svg></figure>'
    )


def _hover(plot: Plot, drawn: Sequence[tuple[Line, Sequence[tuple[float, float | None]]]]) -> str:
    """What page.js shows under the pointer."""
    first, placed = drawn[0]
    data = {
        "x": [round(x, 1) for x, _ in placed],
        "t": [axes.clock(second) for second, _ in first.points],
        "s": [
            [line.name, line.look, ["–" if value is None else plot.show(value) for _, value in line.points]]
            for line, _ in drawn
        ],
    }
    return f' data-hover="{html.escape(json.dumps(data, separators=(",", ":")))}"'


def _round(shown: str) -> str:
    """`10 ms` for `10.0 ms`: the values at an edge are round."""
    return _ZEROS.sub("", shown)


def _grid_y(y: axes.Axis, show: Callable[[float], str]) -> list[str]:
    found = []
    for tick in y.ticks:
        where = y.at(tick)
        found.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{where:.1f}" y2="{where:.1f}"/>')
        found.append(_label(LEFT - 6, where + 3.5, _round(show(tick)), "end"))
    return found


def _bands(stage: Stage, x: axes.Axis) -> list[str]:
    """Phases: every second one shaded, each with as much of its name as fits."""
    found = []
    for number, span in enumerate(stage.phases):
        left, right = x.at(span.start), x.at(span.end)
        if number % 2:
            found.append(
                f'<rect class="band" x="{left:.1f}" y="{TOP}" width="{right - left:.1f}" height="{BOTTOM - TOP}"/>'
            )
        fits = int((right - left - 6) / _CHARACTER)
        name = span.name if len(span.name) <= fits else f"{span.name[: fits - 1]}…"
        if fits >= 3:
            found.append(_label((left + right) / 2, TOP - 8, name, "middle", "phase"))
    return found


def _marks(stage: Stage, x: axes.Axis) -> list[str]:
    """Chaos steps, by their number in the table."""
    found = []
    for number, event in enumerate(stage.chaos, 1):
        where = x.at(event.second)
        about = f"{number}: {event.what}{'' if event.ok else ' (failed)'}"
        found.append(
            f'<g class="chaos"><title>{esc(about)}</title>'
            f'<line x1="{where:.1f}" x2="{where:.1f}" y1="{TOP}" y2="{BOTTOM}"/>'
            f'<circle cx="{where:.1f}" cy="{TOP + 8}" r="7"/>'
            f'<text x="{where:.1f}" y="{TOP + 11.5}" text-anchor="middle">{number}</text></g>'
        )
    return found


def _doubts(plot: Plot, x: axes.Axis, stage: Stage) -> list[str]:
    points = plot.lines[0].points
    step = points[1][0] - points[0][0] if len(points) > 1 else 1.0
    wide = max(1.0, x.at(min(step, stage.seconds)) - x.at(0))
    return [
        f'<rect class="doubt" x="{x.at(second) - wide / 2:.1f}" y="{BOTTOM - 5}" width="{wide:.1f}" height="5"/>'
        for second in plot.doubtful
    ]


def _area(look: str, points: Sequence[tuple[float, float | None]]) -> str:
    known = [(px, py) for px, py in points if py is not None]
    down = f"L{known[-1][0]:.1f} {BOTTOM}L{known[0][0]:.1f} {BOTTOM}Z"
    return f'<path class="area {look}" d="{axes.path(known)}{down}"/>'


def _across(where: float) -> str:
    return f'<line class="limit" x1="{LEFT}" x2="{RIGHT}" y1="{where:.1f}" y2="{where:.1f}"/>'


def _label(x: float, y: float, words: str, anchor: str, look: str = "label") -> str:
    return f'<text class="{look}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{esc(words)}</text>'
