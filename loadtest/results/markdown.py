"""The report as Markdown: for a pull request, a ticket, the terminal at the end of a run. Sans-IO."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence

from headwater.loadtest.doctor.findings import MAX_TEXT, printable
from headwater.loadtest.records import Count, Protocol, Timing

from . import units
from .figures import LAG_SHARE, PERCENTILES, Figures, figures_of_run
from .model import RunResult

MEANING = {
    Timing.PART: "publication of a part at the live edge → its last byte",
    Timing.PLAYLIST: "publication of a playlist's newest part → its last byte",
    Timing.SEGMENT: "publication of a segment → its last byte",
    Timing.RESPONSE: "request for what is published → last byte",
    Timing.FIRST_BYTE: "request for what is published → first byte",
    Timing.STARTUP: "join → first frame",
    Timing.LATENCY: "behind the wall clock at the playhead",
    Timing.STALL: "length of a stall",
}
"""What each timing measures, for readers of the reports."""
PROTOCOLS = {
    Protocol.HTTP1: "HTTP/1.1, a connection for each request at a time",
    Protocol.HTTP2: "HTTP/2 over TLS (h2), one connection per viewer",
}
"""What the viewers spoke, for readers of the reports."""
INVALID_MARK = "(!) does not hold: the generator's own lag is more than 20 % of it."
LATE_US = 1_000_000
"""So late that hardly a network explains it. Why: two parts."""
EARLY_SHARE = 0.01
"""Parts before their date that a report may have without a warning. Why: dates are rounded, clocks estimated."""
MAX_COMMAND = 6000
"""Characters of a command line in a report. Why: some assertions and a token are below 1000."""
_SPECIAL = re.compile(r"([\\`*\[\]<|])")


def to_markdown(result: RunResult) -> str:
    """The report. Raises HistogramError."""
    whole, *phases = spans_of(result)
    blocks = [
        [f"# Load test of {text(result.url)}", "", *headline(result)],
        ["## Verdicts", "", *_verdicts(result)] if result.verdicts else [],
        ["## Timings", "", *_timings(whole), *_paragraphs(clock_notes(result, whole))],
        ["## Figures", "", *_figures([whole, *phases])],
        ["## Errors", "", *_errors(whole)] if whole.errors else [],
        ["## Chaos", "", *_chaos(result)] if result.chaos else [],
        ["## The run", "", *_about(result)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def spans_of(result: RunResult) -> tuple[Figures, ...]:
    """The whole run and its phases; a single phase would say the same twice."""
    figures = figures_of_run(result)
    return figures if len(figures) > 2 else figures[:1]


def headline(result: RunResult) -> list[str]:
    """The verdict in one or two lines."""
    broken = [verdict for verdict in result.verdicts if not verdict.ok]
    if result.invalid:
        return ["**INVALID: the figures do not hold.**", ""] + [f"- {text(reason)}" for reason in result.invalid]
    if broken:
        return [f"**FAILED: {len(broken)} of {len(result.verdicts)} invariants broken.**"]
    return ["**PASSED**" if result.verdicts else "No invariant was asked for."]


def about(result: RunResult) -> list[tuple[str, str]]:
    """What was run, where and when."""
    machine, clock = result.machine, result.clock
    began = datetime.datetime.fromtimestamp(result.started, datetime.UTC)
    return [
        ("scenario", result.scenario),
        ("began", f"{began:%Y-%m-%d %H:%M:%S} UTC, {units.duration(result.seconds)}"),
        ("protocol", PROTOCOLS[result.protocol]),
        ("command", result.command),
        (
            "generator",
            f"{machine.system}, {machine.processor}, {machine.cores} cores, "
            f"{units.size(machine.memory_bytes)} of memory, {machine.python}",
        ),
        (
            "server's clock",
            f"{units.duration(abs(clock.seconds))} {'behind' if clock.seconds < 0 else 'ahead of'} ours "
            f"± {units.duration(clock.uncertainty_s)}, by {clock.source}",
        ),
    ]


def clock_notes(result: RunResult, whole: Figures) -> list[str]:
    """Warnings where the clocks are not known well enough for the times since publication; empty: they are."""
    notes = []
    middle = whole.percentile_us(Timing.PART, 50) or whole.percentile_us(Timing.SEGMENT, 50)
    if middle is not None and result.clock.uncertainty_s > LAG_SHARE * middle / units.US:
        notes.append(
            f"The server's clock is known to ± {units.duration(result.clock.uncertainty_s)} only: all times since "
            "publication may be off by that, together."
        )
    early, parts = whole.count(Count.EARLY), whole.count(Count.PARTS)
    if early > EARLY_SHARE * parts:
        notes.append(
            f"{units.number(early)} of {units.number(parts)} parts arrived before the date of their end: the stream's "
            "dates run ahead, or the clock's offset is wrong, and times since publication are too small."
        )
    if (fastest := whole.percentile_us(Timing.PART, 1) or 0) > LATE_US:
        notes.append(
            f"99 % of the parts came {units.microseconds(fastest)} or more after the date of their end. Such a "
            "constant is in all times since publication: an encoder that dates its frames late makes one, and so does "
            "a server that is always late."
        )
    return notes


def percentile(figures: Figures, timing: Timing, percent: float) -> str:
    """A percentile, with an exclamation mark when it does not hold."""
    shown = units.microseconds(figures.percentile_us(timing, percent))
    return shown if figures.holds(timing, percent) else f"{shown} (!)"


def figure_rows(spans: Sequence[Figures]) -> list[tuple[str, ...]]:
    """Name, then one value per span."""
    rows: list[tuple[str, ...]] = [
        ("seconds", *(units.number(round(one.seconds)) for one in spans)),
        ("viewers, most", *(units.number(one.viewers) for one in spans)),
        ("joined", *(units.number(one.count(Count.JOINED)) for one in spans)),
        ("joins per second", *(units.number(one.joins_per_second) for one in spans)),
        ("delivered", *(units.size(one.bits_per_second, "bit/s") for one in spans)),
        ("stall ratio", *(units.share(one.stall_ratio) for one in spans)),
        ("errors", *(units.number(one.error_count) for one in spans)),
        ("error ratio", *(units.share(one.error_ratio) for one in spans)),
        ("generator CPU, most", *(units.share(one.cpu) for one in spans)),
        ("generator lag, most", *(units.microseconds(one.lags.at(100)) for one in spans)),
    ]
    shown = (
        Count.FATAL,
        Count.STALLS,
        Count.LATE,
        Count.EARLY,
        Count.BEHIND,
        Count.GAPS,
        Count.SWITCHES,
        Count.RETRIES,
    )
    counted = (*shown, Count.PLAYLISTS, Count.PARTS, Count.SEGMENTS, Count.CONNECTIONS)
    rows += [(name.value, *(units.number(one.count(name)) for one in spans)) for name in counted]
    if any(one.origin_requests_per_part is not None for one in spans):
        rows.append(("origin requests per part", *(_optional(one.origin_requests_per_part) for one in spans)))
    return rows


def text(untrusted: str) -> str:
    """Words of a server or a file, as Markdown shows them and nothing else."""
    return _SPECIAL.sub(r"\\\1", printable(untrusted))


def unbroken(untrusted: str) -> str:
    """As `printable`, for what is of no use when it is cut: a command line. Bounded too."""
    return "".join(
        printable(untrusted[at : at + MAX_TEXT]) for at in range(0, min(len(untrusted), MAX_COMMAND), MAX_TEXT)
    )


def code(untrusted: str) -> str:
    """The same, set as code and not cut."""
    words = unbroken(untrusted).replace("`", "'").replace("|", "¦")
    return f"`{words}`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], align: str = "") -> list[str]:
    """Cells are Markdown already. `align`: `l` or `r` per column; by default all but the first are right.

    Padded, so that it reads well on a terminal too.
    """
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(head))]
    sides = (align or "l").ljust(len(head), "r")
    rule = ["-" * (width - 1) + (":" if side == "r" else "-") for width, side in zip(widths, sides, strict=True)]
    return [
        f"| {' | '.join(_padded(*cell) for cell in zip(line, widths, sides, strict=True))} |"
        for line in (lines[0], rule, *lines[1:])
    ]


def _padded(cell: str, width: int, side: str) -> str:
    return cell.rjust(width) if side == "r" else cell.ljust(width)


def _verdicts(result: RunResult) -> list[str]:
    rows = [
        (text(v.phase), code(v.invariant), text(v.shown), "ok" if v.ok else "**broken**", text(v.note))
        for v in result.verdicts
    ]
    return table(("phase", "invariant", "measured", "verdict", "note"), rows, "llrll")


def _timings(whole: Figures) -> list[str]:
    head = ("timing", "samples", *(f"p{percent:g}" for percent in PERCENTILES), "max", "from → to")
    rows = [
        (
            timing.value,
            units.number(histogram.count),
            *(percentile(whole, timing, percent) for percent in (*PERCENTILES, 100.0)),
            MEANING[timing],
        )
        for timing, histogram in whole.timings.items()
    ]
    invalid = any("(!)" in cell for row in rows for cell in row)
    note = ["", INVALID_MARK] if invalid else []
    return [*table(head, rows, "l" + "r" * (len(head) - 2) + "l"), *note]


def _figures(spans: Sequence[Figures]) -> list[str]:
    return table(("figure", *(text(one.name) for one in spans)), figure_rows(spans))


def _errors(whole: Figures) -> list[str]:
    worst = sorted(whole.errors.items(), key=lambda item: (-item[1], item[0]))
    return table(("error", "times"), [(text(kind), units.number(count)) for kind, count in worst])


def _chaos(result: RunResult) -> list[str]:
    rows = [
        (f"{event.second:.1f} s", text(event.what), "done" if event.ok else "**failed**", text(event.detail))
        for event in result.chaos
    ]
    return table(("at", "step", "", "detail"), rows, "rlll")


def _about(result: RunResult) -> list[str]:
    return [f"- {name}: {code(value) if name == 'command' else text(value)}" for name, value in about(result)]


def _paragraphs(notes: Iterable[str]) -> list[str]:
    return [line for note in notes for line in ("", note)]


def _optional(value: float | None) -> str:
    return "–" if value is None else units.number(value)
