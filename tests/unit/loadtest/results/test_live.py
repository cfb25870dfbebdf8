from __future__ import annotations

import io
from collections import Counter

from rich.console import Console

from headwater.loadtest.records import Count, PhaseSpan
from headwater.loadtest.results import LiveView, Snapshot

PHASES = (PhaseSpan("calm", 0, 10), PhaseSpan("storm [red]", 10, 60))


def snapshot(second: int) -> Snapshot:
    return Snapshot(
        second=second,
        viewers=8000,
        playing=7990,
        joins=12,
        errors=1,
        bits=3_200_000_000,
        part_p50_us=31_000,
        part_p99_us=120_000,
        cpu=0.95,
        lag_us=30_000,
        totals=Counter({Count.STALLS: 3, Count.FATAL: 2}),
        error_total=7,
    )


def seen(*seconds: int, terminal: bool = False, quiet: bool = False) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=110, color_system=None)
    with LiveView("http://x/\x1b[2J/index.m3u8", 60.0, PHASES, quiet=quiet, console=console) as view:
        for second in seconds:
            view.update(snapshot(second))
        view.say("chaos: kill [bold]edge[/bold] \x1b[2J")
    return out.getvalue()


def test_without_a_terminal_there_is_a_line_every_five_seconds() -> None:
    lines = seen(*range(12)).splitlines()
    assert [line.split("/")[0].strip() for line in lines[:-1]] == ["1", "6", "11"]
    assert lines[2] == (
        "  11/60 s  storm [red]  viewers 8,000 (+12/s)  delay p50 31.0 ms p99 120 ms  stalls 3  fatal 2  errors 7"
        "  3.20 Gbit/s"
    )
    assert lines[-1] == "chaos: kill [bold]edge[/bold] \\x1b[2J"


def test_on_a_terminal_there_is_a_panel() -> None:
    text = seen(19, terminal=True)
    for piece in ("viewers 8,000", "playing 7,990", "joins 12/s", "delay p99 120 ms", "errors 7 (+1)", "fatal 2"):
        assert piece in text
    assert "phase storm [red]" in text
    assert "20 / 60 s" in text
    assert "\x1b[2J" not in text, "what a server sends does not steer the terminal"


def test_quiet_is_quiet() -> None:
    assert seen(0, 5, terminal=False, quiet=True) == ""
    assert seen(0, 5, terminal=True, quiet=True) == ""


def test_before_the_first_tick_there_is_no_line() -> None:
    out = io.StringIO()
    with LiveView("http://x", 60.0, console=Console(file=out, force_terminal=False)) as view:
        view.update(Snapshot())
    assert out.getvalue() == ""


def test_a_view_without_phases_or_delays() -> None:
    out = io.StringIO()
    with LiveView("http://x", 60.0, console=Console(file=out, force_terminal=False, width=200)) as view:
        view.update(Snapshot(second=0))
    assert "delay p50 – p99 –" in out.getvalue()
