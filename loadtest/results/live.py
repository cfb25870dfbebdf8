"""The terminal while a run goes on: a panel where there is a terminal, a line every few seconds where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from headwater.loadtest.doctor.findings import printable
from headwater.loadtest.records import Count, PhaseSpan

from . import units
from .collector import BUSY_CORES, Snapshot
from .figures import LAG_SHARE

PLAIN_EVERY_S = 5
"""Seconds between plain lines. Why: a log of ten minutes stays readable."""


class LiveView:
    """Use as a context manager; the caller gives `update` a snapshot every second."""

    def __init__(
        self,
        url: str,
        seconds: float,
        phases: Sequence[PhaseSpan] = (),
        *,
        quiet: bool = False,
        console: Console | None = None,
    ) -> None:
        """`quiet`: shows nothing, whatever is called. `console`: stdout's by default."""
        self._url, self._seconds, self._phases, self._quiet = printable(url), seconds, tuple(phases), quiet
        self._console = console or Console()
        self._live: Live | None = None
        self._next_line = 0

    def __enter__(self) -> Self:
        if not self._quiet and self._console.is_terminal:
            # Refreshed by `update` alone: a thread of rich's would take CPU from a generator that shares the core.
            self._live = Live(self._panel(Snapshot()), console=self._console, auto_refresh=False)
            self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def update(self, snapshot: Snapshot) -> None:
        """Show this second."""
        if self._quiet or snapshot.second < 0:
            return
        if self._live is not None:
            self._live.update(self._panel(snapshot), refresh=True)
        elif snapshot.second >= self._next_line:
            self._next_line = snapshot.second + PLAIN_EVERY_S
            self._console.print(self._line(snapshot), highlight=False, soft_wrap=True, markup=False)

    def say(self, text: str) -> None:
        """One line for the record: a phase began, a chaos step ran. Stays above the panel."""
        if not self._quiet:
            self._console.print(printable(text), highlight=False, soft_wrap=True, markup=False)

    def _phase(self, second: int) -> str:
        names = [printable(span.name) for span in self._phases if span.start <= second < span.end]
        return names[-1] if names else "–"

    def _line(self, now: Snapshot) -> str:
        return (
            f"{now.second + 1:>4}/{self._seconds:.0f} s  {self._phase(now.second)}  viewers {now.viewers:,}"
            f" (+{now.joins}/s)  delay p50 {units.microseconds(now.part_p50_us)} p99 "
            f"{units.microseconds(now.part_p99_us)}  stalls {now.totals[Count.STALLS]:,}  fatal "
            f"{now.totals[Count.FATAL]:,}  errors {now.error_total:,}  {units.size(now.bits, 'bit/s')}"
        )

    def _panel(self, now: Snapshot) -> Panel:
        table = Table.grid(padding=(0, 3), expand=True)
        for _ in range(4):
            table.add_column(ratio=1)
        for row in _rows(now):
            table.add_row(*row)
        done = min(self._seconds, now.second + 1)
        progress = Table.grid(padding=(0, 2), expand=True)
        progress.add_column(ratio=1)
        progress.add_column(justify="right")
        progress.add_row(
            ProgressBar(total=max(1.0, self._seconds), completed=done),
            Text(f"{done:.0f} / {self._seconds:.0f} s", style="dim"),
        )
        return Panel(
            Group(table, Text(), progress),
            title=Text.assemble(("headwater loadtest ", "bold"), (self._url, "cyan")),
            subtitle=Text(f"phase {self._phase(now.second)}"),
            title_align="left",
            subtitle_align="left",
            padding=(1, 2),
        )


def _rows(now: Snapshot) -> list[tuple[Text, ...]]:
    stalls, fatal = now.totals[Count.STALLS], now.totals[Count.FATAL]
    doubtful = now.part_p99_us is not None and now.lag_us > LAG_SHARE * now.part_p99_us
    return [
        (
            _cell("viewers", f"{now.viewers:,}"),
            _cell("playing", f"{now.playing:,}"),
            _cell("joins", f"{now.joins:,}/s"),
            _cell("delivered", units.size(now.bits, "bit/s")),
        ),
        (
            _cell("delay p50", units.microseconds(now.part_p50_us)),
            _cell("delay p99", units.microseconds(now.part_p99_us), "yellow" if doubtful else ""),
            _cell("own lag", units.microseconds(now.lag_us), "yellow" if doubtful else ""),
            _cell("own CPU", f"{now.cpu:.0%}", "red" if now.cpu > BUSY_CORES else ""),
        ),
        (
            _cell("stalls", f"{stalls:,} (+{now.stalls})", "red" if now.stalls else ""),
            _cell("fatal", f"{fatal:,}", "red" if fatal else ""),
            _cell("errors", f"{now.error_total:,} (+{now.errors})", "red" if now.errors else ""),
            _cell("parts", f"{now.totals[Count.PARTS]:,}"),
        ),
    ]


def _cell(name: str, value: str, style: str = "") -> Text:
    return Text.assemble((f"{name} ", "dim"), (value, style or "bold"))
