"""The report as one self-contained HTML page: plots, verdicts, tables; no address outside of it is loaded. Sans-IO but
for the style and the script beside this file.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from headwater.loadtest.records import Count, Timing

from . import units
from .collector import BUSY_CORES
from .figures import CPU, MEMORY, PERCENTILES, WHOLE_RUN, Figures
from .markdown import INVALID_MARK, MEANING, about, clock_notes, figure_rows, percentile, spans_of, unbroken
from .model import RunResult
from .plots import Line, Plot, Stage, esc, histogram, over_time, percentiles
from .timeline import Moment, delay_of, moments

MAX_PHASES = 7
"""Phases with a curve of their own beside the whole run: eight colours can be told apart."""
_STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
_SCRIPT = (Path(__file__).parent / "page.js").read_text(encoding="utf-8")


def to_html(result: RunResult) -> str:
    """The page. Raises HistogramError."""
    figures = spans_of(result)
    body = [
        *_head(result, figures[0]),
        *_verdicts(result),
        *_plots(result, figures),
        *_timings(figures[0]),
        *_spans(figures),
        *_errors(figures[0]),
        *_chaos(result),
        *_about(result),
    ]
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_digest(_SCRIPT)}'"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Load test of {esc(result.url)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head>\n<body><main>\n{chr(10).join(body)}\n</main>"
        f"<script>{_SCRIPT}</script></body></html>\n"
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _head(result: RunResult, whole: Figures) -> list[str]:
    broken = sum(not verdict.ok for verdict in result.verdicts)
    if result.invalid:
        badge, look = "INVALID", "bad"
    elif broken:
        badge, look = f"FAILED: {broken} of {len(result.verdicts)} invariants broken", "bad"
    elif result.verdicts:
        badge, look = f"PASSED: all {len(result.verdicts)} invariants kept", "good"
    else:
        badge, look = "no invariant was asked for", ""
    facts = dict(about(result))
    found = [
        '<p class="eyebrow">headwater loadtest</p>',
        f"<h1>{esc(result.url)}</h1>",
        f'<p class="sub">{esc(result.scenario)} · {esc(facts["began"])} · {esc(facts["protocol"])}</p>',
        f'<p class="badge {look}">{badge}</p>',
    ]
    if result.invalid:
        reasons = "".join(f"<li>{esc(reason)}</li>" for reason in result.invalid)
        found.append(f'<div class="warning">The figures do not hold:<ul>{reasons}</ul></div>')
    found += [f'<div class="warning">{esc(note)}</div>' for note in clock_notes(result, whole)]
    return [*found, *_tiles(whole)]


def _tiles(whole: Figures) -> list[str]:
    delay = delay_of(whole)
    tiles = [
        ("viewers at most", units.number(whole.viewers), True),
        *(
            (f"{timing.value.replace('_', ' ')}{word} {name}", value, whole.holds(timing, percent))
            for timing, word, percent, name in (
                (delay, " delay", 50.0, "p50"),
                (delay, " delay", 99.0, "p99"),
                (Timing.STARTUP, "", 99.0, "p99"),
                (Timing.LATENCY, "", 50.0, "p50"),
            )
            if (value := units.microseconds(whole.percentile_us(timing, percent))) != "–"
        ),
        ("stall ratio", units.share(whole.stall_ratio), True),
        ("fatal", units.number(whole.count(Count.FATAL)), True),
        ("errors", units.number(whole.error_count), True),
        ("delivered, mean", units.size(whole.bits_per_second, "bit/s"), True),
    ]
    cells = [
        f'<div class="tile"><b>{esc(value)}</b><span>{esc(name)}</span>'
        f"{'' if holds else '<small>does not hold: generator lag</small>'}</div>"
        for name, value, holds in tiles
    ]
    return [f'<div class="tiles">{"".join(cells)}</div>']


def _plots(result: RunResult, figures: Sequence[Figures]) -> list[str]:
    whole = figures[0]
    delay = delay_of(whole)
    points = moments(result, delay)
    length = max(result.seconds, *(span.end for span in result.phases), points[-1].second if points else 0.0, 1.0)
    stage = Stage(length, result.phases if len(figures) > 1 else (), result.chaos)
    drawn = [over_time(plot, stage) for plot in (*_of_viewers(points, delay), *_of_server(result), *_of_us(points))]
    if delay in whole.timings:
        with_samples = {one.name: one.timings[delay] for one in figures[1 : MAX_PHASES + 1] if delay in one.timings}
        drawn[1:1] = [
            percentiles(f"Delay of {delay.value}s by percentile", {WHOLE_RUN: whole.timings[delay], **with_samples}),
            histogram(f"How long {delay.value}s took", whole.timings[delay]),
        ]
    return ["<h2>Over time</h2>", f'<div class="plots">{"".join(drawn)}</div>'] if any(drawn) else []


def _of_viewers(points: Sequence[Moment], delay: Timing) -> list[Plot]:
    def lines(*wanted: tuple[str, str, Callable[[Moment], float | None]]) -> tuple[Line, ...]:
        return tuple(Line(name, look, [(p.second, value(p)) for p in points]) for name, look, value in wanted)

    def quantiles(of: Callable[[Moment], Sequence[float | None]]) -> tuple[Line, ...]:
        return lines(
            ("max", "q2", lambda p: of(p)[2]), ("p99", "q1", lambda p: of(p)[1]), ("p50", "q0", lambda p: of(p)[0])
        )

    doubtful = tuple(point.second for point in points if point.doubtful)
    troubles = (
        ("errors", "c4", lambda p: p.errors),
        ("stalls", "c2", lambda p: p.stalls),
        ("fatal", "c3", lambda p: p.fatal),
    )
    return [
        Plot(
            f"Delay of {delay.value}s since publication",
            quantiles(lambda p: p.delay),
            units.duration,
            log=True,
            doubtful=doubtful,
        ),
        Plot(
            "Viewers",
            lines(("connected", "c0", lambda p: p.viewers), ("playing", "c1", lambda p: p.playing)),
            units.number,
            filled=True,
        ),
        Plot("Joins per second", lines(("joins", "c0", lambda p: p.joins)), units.number, filled=True),
        Plot("Errors and stalls per second", lines(*troubles), units.number),
        Plot(
            "Delivered",
            lines(("bodies", "c0", lambda p: p.bits)),
            lambda value: units.size(value, "bit/s"),
            filled=True,
        ),
        Plot("Latency at the playhead", quantiles(lambda p: p.latency), units.duration, log=True),
    ]


def _of_server(result: RunResult) -> list[Plot]:
    def line(name: str, key: str) -> tuple[Line, ...]:
        return (Line(name, "c1", [(one.second, one.values.get(key)) for one in result.server]),)

    return [
        Plot("Server CPU, cores", line("cores", CPU), units.number, filled=True),
        Plot("Server memory", line("resident", MEMORY), units.size, filled=True),
    ]


def _of_us(points: Sequence[Moment]) -> list[Plot]:
    cpu = Line("busiest process", "c5", [(p.second, p.cpu) for p in points])
    lag = Line("largest", "c5", [(p.second, p.lag) for p in points])
    return [
        Plot("Generator CPU, of a core", (cpu,), units.share, limit=BUSY_CORES),
        Plot("Generator lag", (lag,), units.duration, filled=True),
    ]


def _verdicts(result: RunResult) -> list[str]:
    rows = [
        [
            f"<td>{esc(v.phase)}</td><td><code>{esc(v.invariant)}</code></td>",
            f'<td class="n">{esc(v.shown)}</td>',
            '<td class="good">✓ kept</td>' if v.ok else '<td class="bad">✗ broken</td>',
            f'<td class="dim">{esc(v.note)}</td>',
        ]
        for v in result.verdicts
    ]
    head = "<th>phase</th><th>invariant</th><th class='n'>measured</th><th>verdict</th><th>note</th>"
    return _table("Verdicts", head, rows)


def _timings(whole: Figures) -> list[str]:
    names = ("samples", *(f"p{percent:g}" for percent in PERCENTILES), "max")
    head = "<th>timing</th>" + "".join(f'<th class="n">{name}</th>' for name in names) + "<th>from → to</th>"
    rows = []
    for timing, samples in whole.timings.items():
        cells = [f"<td>{timing.value}</td>", f'<td class="n">{units.number(samples.count)}</td>']
        for percent in (*PERCENTILES, 100.0):
            look = "n" if whole.holds(timing, percent) else "n doubted"
            cells.append(f'<td class="{look}">{esc(percentile(whole, timing, percent))}</td>')
        rows.append([*cells, f'<td class="dim">{esc(MEANING[timing])}</td>'])
    found = _table("Timings of the whole run", head, rows)
    return (
        [*found, f'<p class="sub">{esc(INVALID_MARK)}</p>'] if any("doubted" in c for r in rows for c in r) else found
    )


def _spans(figures: Sequence[Figures]) -> list[str]:
    head = "<th>figure</th>" + "".join(f'<th class="n">{esc(one.name)}</th>' for one in figures)
    delay = delay_of(figures[0])
    quantiles = [
        (f"{delay.value} p{percent:g}", *(percentile(one, delay, percent) for one in figures))
        for percent in PERCENTILES
    ]
    rows = [
        [f"<td>{esc(name)}</td>", *(f'<td class="n">{esc(value)}</td>' for value in values)]
        for name, *values in (*quantiles, *figure_rows(figures))
    ]
    return _table("Phases" if len(figures) > 1 else "Figures", head, rows)


def _errors(whole: Figures) -> list[str]:
    worst = sorted(whole.errors.items(), key=lambda item: (-item[1], item[0]))
    rows = [[f"<td>{esc(kind)}</td>", f'<td class="n">{units.number(count)}</td>'] for kind, count in worst]
    return _table("Errors", '<th>error</th><th class="n">times</th>', rows)


def _chaos(result: RunResult) -> list[str]:
    rows = [
        [
            f'<td class="n">{number}</td><td class="n">{event.second:.1f} s</td>',
            f"<td><code>{esc(event.what)}</code></td>",
            '<td class="good">done</td>' if event.ok else '<td class="bad">failed</td>',
            f'<td class="dim">{esc(event.detail)}</td>',
        ]
        for number, event in enumerate(result.chaos, 1)
    ]
    head = '<th class="n">mark</th><th class="n">at</th><th>step</th><th></th><th>detail</th>'
    return _table("Chaos", head, rows)


def _about(result: RunResult) -> list[str]:
    rows = [
        [
            f"<td>{esc(name)}</td>",
            f"<td>{f'<code>{html.escape(unbroken(value))}</code>' if name == 'command' else esc(value)}</td>",
        ]
        for name, value in about(result)
    ]
    return _table("The run", "", rows)


def _table(title: str, head: str, rows: Iterable[Iterable[str]]) -> list[str]:
    lines = [f"<tr>{''.join(row)}</tr>" for row in rows]
    if not lines:
        return []
    top = f"<thead><tr>{head}</tr></thead>" if head else ""
    return [f'<h2>{title}</h2><div class="table"><table>{top}<tbody>{"".join(lines)}</tbody></table></div>']
