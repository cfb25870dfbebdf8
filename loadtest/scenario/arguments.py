"""The command line of `headwater loadtest`. Imports nothing heavy: `headwater --help` reads it."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

TEXT = "watch an LL-HLS stream as many players would, and report what they got"
COMPARE = "loadtest compare"
"""The second command's name: the first two words of the command line."""
MODES = ("hlsjs", "safari", "legacy")
ABR = ("fixed", "throughput", "top", "lowest")
CMCD = ("off", "query", "header")
_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0}


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands `loadtest` and `loadtest compare`."""
    command = commands.add_parser(
        "loadtest",
        help=TEXT,
        usage="headwater loadtest URL [options]\n"
        "       headwater loadtest --scenario FILE [URL] [options]\n"
        "       headwater loadtest compare A.json B.json",
        description=f"{TEXT[:1].upper()}{TEXT[1:]}: delay since publication, startup, stalls, latency, errors. "
        "Works with any server.",
        epilog="Exit codes: 0 fine, 1 an assertion failed or the figures do not hold, 2 bad usage or no answer. "
        "Ctrl-C ends the run with its report. docs/loadtest.md tells all.",
        argument_default=argparse.SUPPRESS,
    )
    command.add_argument("url", nargs="?", metavar="URL", help="of a multivariant or a media playlist, http or https")
    _add_crowd(command.add_argument_group("the crowd", "of a run without a scenario file"))
    _add_run(command.add_argument_group("the run"))
    _add_reports(command.add_argument_group("what comes out"))
    text = "compare the JSON reports of two runs"
    compare = commands.add_parser(COMPARE, description=f"{text[:1].upper()}{text[1:]}.")
    compare.add_argument("before", type=Path, metavar="A.json", help="report of the first run")
    compare.add_argument("after", type=Path, metavar="B.json", help="report of the second run")


def _add_crowd(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--viewers", type=int, metavar="N", help="how many (default 100)")
    when = group.add_mutually_exclusive_group()
    when.add_argument("--arrive", dest="arrive_s", type=seconds, metavar="TIME", help="all within it (default 10s)")
    when.add_argument("--rate", type=float, metavar="R", help="so many per second, evenly")
    group.add_argument("--duration", dest="duration_s", type=seconds, metavar="TIME", help="of the run (default 60s)")
    group.add_argument("--watch", dest="watch_s", type=seconds_range, metavar="FROM-TO", help="how long a viewer stays;"
        " leavers are replaced (default: to the end)")  # fmt: skip
    group.add_argument("--mode", choices=MODES, help="how players load: hls.js, Safari, or plain HLS (default hlsjs)")
    group.add_argument("--abr", choices=ABR, help="how they choose a variant (default top)")
    group.add_argument("--variant", metavar="NAME", help="the variant of --abr fixed: name, height or number")
    group.add_argument("--cmcd", choices=CMCD, help="what they tell of themselves (default off)")
    group.add_argument("--header", dest="headers", action="append", metavar="'NAME: VALUE'", help="send it with each"
        " request; may be repeated")  # fmt: skip
    group.add_argument("--assert", dest="invariants", action="append", metavar="TEXT", help="what must hold, such as"
        " 'part p99 < 250 ms', 'fatal == 0', 'stall_ratio < 0.1 %%'; may be repeated")  # fmt: skip


def _add_run(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--scenario", type=Path, metavar="FILE", help="phases, publishers, chaos steps: a TOML file")
    group.add_argument("--processes", type=int, metavar="N", help="that generate the load (default 1)")
    group.add_argument("--source-addresses", metavar="A,B", help="connections leave from these in turn, such as"
        " 127.0.0.2,127.0.0.3: 28,000 connections each")  # fmt: skip
    group.add_argument("--metrics-url", dest="metrics", action="append", metavar="URL", help="also record the server's"
        " CPU, memory and counters from its /metrics; may be repeated")  # fmt: skip
    group.add_argument("--clock-offset", dest="clock_offset_s", type=float, metavar="S", help="the server's clock minus"
        " ours, s (default: asked of the server)")  # fmt: skip
    group.add_argument("--insecure", action="store_true", help="https: take any certificate")
    group.add_argument("--http2", action="store_true", help="https: viewers speak HTTP/2, one connection each (default"
        " HTTP/1.1)")  # fmt: skip
    group.add_argument("--seed", type=int, metavar="N", help="of all chance in the run (default 1)")
    group.add_argument("--profile", type=Path, metavar="FILE", help="flame graph of the first process (needs py-spy)")


def _add_reports(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--json", type=Path, metavar="FILE", help="the whole result, for `loadtest compare`")
    group.add_argument("--markdown", type=Path, metavar="FILE", help="the report as text")
    group.add_argument("--html", type=Path, metavar="FILE", help="the report as one page with plots")
    group.add_argument("--quiet", action="store_true", help="say only what goes wrong")


def seconds(text: str) -> float:
    """`10`, `10s`, `1.5m`, `500ms`, `2h` in seconds. Raises ValueError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|min|h|)", text.strip())
    if found is None:
        raise ValueError(text)
    return float(found[1]) * _UNITS[found[2]]


def seconds_range(text: str) -> tuple[float, float]:
    """`30s-2m`. Raises ValueError."""
    first, _, last = text.partition("-")
    return seconds(first), seconds(last or first)
