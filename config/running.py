"""How a role runs in its process: loop, signals, limits, the end; what all roles have in common."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable

import structlog
import uvloop
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from . import logs
from .settings import Settings

DRAIN_S = 8.0
"""For one step of a drain. Why: with two steps an orchestrator's usual 30 s are never reached."""
EDGE_YOUNG = 50_000
"""`young` of an edge. Why: it makes no cycles while all goes well, and some thousand viewers who wait for the next
playlist are tens of thousands of new objects each time."""
OTHER_FILES = 400
"""Open files of a process that are no viewers' or publishers': listeners, upstream connections, libraries."""

log = structlog.get_logger("headwater.config")


class StartError(Exception):
    """A role cannot start; the message names what and why, in one line."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def run_role(settings: Settings, body: Callable[[asyncio.Event], Awaitable[None]]) -> int:
    """`body` on a uvloop loop, with logs, signals and limits in place; the exit code."""
    logs.setup(settings.log, logs.secrets_of(settings))
    _raise_open_files()

    async def main() -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        handled = [signal.SIGTERM]
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            handled.append(signal.SIGINT)
        for number in handled:
            loop.add_signal_handler(number, stop.set)
        try:
            await body(stop)
        except StartError as error:
            print(f"headwater: {error}", file=sys.stderr)
            return error.code
        return 0

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


async def until(
    stop: asyncio.Event,
    drain: Callable[[], Awaitable[None]],
    close: Callable[[], Awaitable[None]],
    *,
    young: int | None = None,
) -> None:
    """Serve until `stop`, then drain and close. `young`: new objects after which cycles are looked for, if not 700."""
    # What start-up made lives as long as the process: out of the collector's way.
    gc.collect()
    gc.freeze()
    if young is not None:
        gc.set_threshold(young, *gc.get_threshold()[1:])
    try:
        await stop.wait()
        log.info("draining")
        await drain()
    finally:
        await close()
    log.info("stopped")


def on_hang_up(stop: asyncio.Event, act: Callable[[], None]) -> None:
    """At SIGHUP `act`, which goes on serving; where it comes from the end of our terminal, `stop`. Why: nobody can
    reach a process any more whose window was closed, and it would keep the ports.

    To be called on the running loop, by a process that still has its terminal.
    """
    terminals = [descriptor for descriptor in (0, 1, 2) if os.isatty(descriptor)]

    def hung_up() -> None:
        # A terminal that is gone is none any more, and is so before the kernel sends the signal.
        if terminals and not any(map(os.isatty, terminals)):
            stop.set()
        else:
            act()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up)


async def bound(key: str, start: Awaitable[None]) -> None:
    """Await a listener's start; an address that cannot be bound becomes a StartError that names the setting."""
    try:
        await start
    except OSError as error:
        raise StartError(f"{key}: cannot listen: {error.strerror or error}") from error


async def within(seconds: float, what: str, step: Awaitable[None]) -> None:
    """Await one step of an ending; what does not end in time is said and left."""
    try:
        await asyncio.wait_for(step, seconds)
    except TimeoutError:
        log.warning("did not end in time", what=what, waited_s=seconds)


def new_registry() -> CollectorRegistry:
    """A registry with the process's own figures."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter that nobody reads
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def _raise_open_files() -> None:
    """Lift the soft limit of open files to the hard one: a connection is a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def check_open_files(key: str, connections: int) -> None:
    """Say so when the system lets this process hold fewer connections than the setting `key` allows."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit != resource.RLIM_INFINITY and connections + OTHER_FILES > limit:
        log.info("more connections allowed than open files", setting=key, connections=connections, open_files=limit)
