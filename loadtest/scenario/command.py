"""`headwater loadtest`, from its options to its exit code: 0 fine, 1 an assertion failed or the figures do not hold,
2 bad usage or no answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

from headwater.config.load import ConfigError
from headwater.loadtest.results.compare import compare
from headwater.loadtest.results.document import ReportError, from_json, to_json
from headwater.loadtest.results.live import LiveView
from headwater.loadtest.results.markdown import to_markdown
from headwater.loadtest.results.model import RunResult
from headwater.loadtest.results.page import to_html

from . import limits, profiling
from .arrivals import TooMany, arrivals_of, spans
from .chaos import cannot
from .controller import Controller, Order
from .encoders import NoHost
from .offset import NoAnswer
from .options import COMMAND, Options, UsageError, command_of, options_of, scenario_of

FINE, FAILED, BAD_USAGE = 0, 1, 2


def run(given: Mapping[str, Any], words: Sequence[str]) -> int:
    """Do what the options say; `words`: the command line, for the report. The exit code."""
    options = options_of(given)
    try:
        order = _order(options, words)
        _check_files(options)
    except (UsageError, ConfigError, TooMany) as error:
        prefix = "" if isinstance(error, ConfigError) and options.scenario else f"{COMMAND}: "
        _complain(f"{prefix}{str(error).removeprefix(prefix)}")
        return BAD_USAGE
    try:
        result = asyncio.run(_watched(order, quiet=options.quiet))
    except (NoAnswer, NoHost) as error:
        _complain(f"{COMMAND}: {order.url}: {error}")
        return BAD_USAGE
    if result is None:
        return FAILED
    return _report(result, options)


def run_compare(before: Path, after: Path) -> int:
    """Print what differs between two runs."""
    results = []
    for path in (before, after):
        try:
            results.append(from_json(path.read_text()))
        except (OSError, UnicodeDecodeError, ReportError) as error:
            _complain(f"{COMMAND} compare: {path}: {getattr(error, 'strerror', None) or error}")
            return BAD_USAGE
    _show(compare(*results))
    return FINE


def _order(options: Options, words: Sequence[str]) -> Order:
    scenario = scenario_of(options)
    assert scenario.url is not None  # `scenario_of` asks for one
    if (reason := cannot(scenario)) is not None:
        raise UsageError(reason)
    for address in scenario.source_addresses:
        if (reason := limits.unusable(address)) is not None:
            raise UsageError(f"source address {address}: {reason}")
    profiler: tuple[str, ...] = ()
    if options.profile is not None:
        py_spy = profiling.find()
        if py_spy is None:
            _complain(f"{COMMAND}: --profile: py-spy is not installed; the run goes on without")
        else:
            profiler = profiling.words(py_spy, options.profile)
    command = shlex.join(["headwater", "loadtest", *command_of(list(words))])
    arrivals = arrivals_of(scenario)
    addresses = len(scenario.source_addresses)
    for text in limits.warnings(arrivals, scenario.processes, addresses, http2=scenario.http2):
        _complain(f"{COMMAND}: {text}")
    return Order(scenario, scenario.url, arrivals, command, profiler)


def _check_files(options: Options) -> None:
    """What is to be written at the end can be written: nobody wants to hear it after an hour."""
    for path in (options.json, options.markdown, options.html, options.profile):
        if path is None:
            continue
        if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
            raise UsageError(f"{path}: cannot be written")


async def _watched(order: Order, *, quiet: bool) -> RunResult | None:
    """The run with its view. The first Ctrl-C ends it with what there is, the second at once: None."""
    loop = asyncio.get_running_loop()
    with LiveView(order.url, order.scenario.duration_s, spans(order.scenario), quiet=quiet) as view:
        controller = Controller(order, view)
        running = asyncio.ensure_future(controller.run())

        def interrupt() -> None:
            if controller.begun and not controller.finishing:
                view.say("ending; once more ends at once")
                controller.finish()
            elif not running.cancelling():  # a third one must not disturb the cleaning up
                running.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt)
        try:
            with contextlib.suppress(asyncio.CancelledError):
                return await running
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
    _complain(f"{COMMAND}: interrupted, no report")
    return None


def _report(result: RunResult, options: Options) -> int:
    failed = FAILED if result.failed else FINE
    for path, make in ((options.json, to_json), (options.markdown, to_markdown), (options.html, to_html)):
        if path is None:
            continue
        try:
            path.write_text(make(result))
        except OSError as error:
            _complain(f"{COMMAND}: {path}: cannot be written: {error.strerror}")
            failed = FAILED
    if not options.quiet:
        _show(to_markdown(result))
        for path in (options.json, options.markdown, options.html):
            if path is not None:
                sys.stdout.write(f"written: {path}\n")
    for reason in result.invalid:
        _complain(f"{COMMAND}: the figures do not hold: {reason}")
    for verdict in result.verdicts:
        if not verdict.ok:
            note = f" ({verdict.note})" if verdict.note else ""
            _complain(f"{COMMAND}: failed in phase {verdict.phase}: {verdict.invariant}: {verdict.shown}{note}")
    return failed


def _show(markdown: str) -> None:
    console = Console()
    if console.is_terminal:
        console.print(Markdown(markdown))
    else:
        sys.stdout.write(markdown.rstrip("\n") + "\n")


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
