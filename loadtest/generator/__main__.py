"""`python -m headwater.loadtest.generator`: one plan (JSON) on stdin, one Tick (JSON) per line on stdout.

It ends at the end of its plan, at SIGTERM or SIGINT, and when stdin ends after the plan's line, with the last Tick.
Exit code 2: the plan is none. 1: nobody reads the ticks.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import sys

import uvloop

from headwater.loadtest import records_json
from headwater.loadtest.records import Tick
from headwater.origin.hls.attributes import PlaylistError

from .plan import GeneratorPlan
from .process import generate

MAX_PLAN = 64 << 20
"""Characters of a plan. Why: a million arrivals."""


async def _run(plan: GeneratorPlan) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    broken = False

    def report(tick: Tick) -> None:
        nonlocal broken
        try:
            sys.stdout.write(records_json.to_text(tick) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            broken = True
            stop.set()

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 4_096):
            loop.remove_reader(sys.stdin.fileno())
            stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(sys.stdin.fileno(), read)
    try:
        await generate(plan, report, stop)
    finally:
        loop.remove_reader(sys.stdin.fileno())
    return 1 if broken else 0


def main() -> int:
    """The process."""
    try:
        plan = GeneratorPlan.from_json(sys.stdin.buffer.readline(MAX_PLAN))
    except records_json.RecordError as error:
        sys.stderr.write(f"no plan: {error}\n")
        return 2
    # Two connections and more per viewer
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # Players take their cycles apart themselves: a collection among 100,000s of objects only makes the loop late
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)
    try:
        return uvloop.run(_run(plan))
    except PlaylistError as error:
        sys.stderr.write(f"no plan: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
