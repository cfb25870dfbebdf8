"""Does the chaos steps of a scenario at their times, says how each went, and undoes at the end what can be undone."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from headwater.loadtest.records import ChaosEvent

from .arrivals import spans
from .netem import Shaper, impossible
from .program import run
from .settings import Scenario
from .steps import ChaosStep, Netem, Run, Signal

PID_BYTES = 32
"""Longest pid file."""
SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "pause": signal.SIGSTOP, "resume": signal.SIGCONT}


def steps_of(scenario: Scenario) -> tuple[tuple[float, ChaosStep], ...]:
    """All steps with their second of the run, sorted."""
    phases = zip(scenario.phases, spans(scenario), strict=True)
    found = [(span.start + step.at_s, step) for phase, span in phases for step in phase.chaos]
    return tuple(sorted(found, key=lambda timed: timed[0]))


def cannot(scenario: Scenario) -> str | None:
    """Why this machine cannot do a step of the scenario; None: nothing is known against it."""
    for _, step in steps_of(scenario):
        if isinstance(step, Netem) and (reason := impossible()) is not None:
            return f"{step.what}: {reason}"
    return None


class Chaos:
    """The steps of one run."""

    def __init__(self, now: Callable[[], float], sink: Callable[[ChaosEvent], None]) -> None:
        """`now`: seconds since the run began."""
        self._now, self._sink = now, sink
        self._shaper = Shaper()
        self._paused: dict[int, Path] = {}

    async def play(self, steps: Sequence[tuple[float, ChaosStep]]) -> None:
        """Each step at its time, whatever the others do. Cancel it at the end of the run, then `undo`."""
        async with asyncio.TaskGroup() as group:
            for at, step in steps:
                group.create_task(self._later(at, step))

    async def undo(self) -> None:
        """Paused processes go on, interfaces are as they were."""
        for pid, path in list(self._paused.items()):
            self._tell(f"resume {path}", self._send(pid, signal.SIGCONT))
        self._paused.clear()
        for interface in self._shaper.shaped:
            self._tell(f"netem {interface} taken away", await self._shaper.take(interface))

    async def _later(self, at: float, step: ChaosStep) -> None:
        await asyncio.sleep(max(0.0, at - self._now()))
        match step:
            case Run():
                second = self._now()
                self._tell(step.what, await run(step.command, step.timeout_s), second)
            case Signal():
                await self._signal(step)
            case Netem():
                await self._netem(step)

    async def _signal(self, step: Signal) -> None:
        try:
            pid = read_pid(step.pid_file)
        except ValueError as error:
            self._tell(step.what, str(error))
            return
        failed = self._send(pid, SIGNALS[step.do])
        self._tell(f"{step.what} (process {pid})", failed)
        if failed:
            return
        if step.do == "pause":
            self._paused[pid] = step.pid_file
            if step.for_s is not None:
                await asyncio.sleep(step.for_s)
                if self._paused.pop(pid, None) is not None:
                    self._tell(f"resume {step.pid_file} (process {pid})", self._send(pid, signal.SIGCONT))
        elif step.do in ("resume", "kill"):  # not "term": a paused process ends of it only when it goes on
            self._paused.pop(pid, None)

    async def _netem(self, step: Netem) -> None:
        failed = await self._shaper.put(step)
        self._tell(step.what, failed)
        if not failed and step.for_s is not None:
            await asyncio.sleep(step.for_s)
            self._tell(f"netem {step.interface} taken away", await self._shaper.take(step.interface))

    def _send(self, pid: int, number: signal.Signals) -> str:
        try:
            os.kill(pid, number)
        except OSError as error:
            return f"process {pid}: {error.strerror}"
        return ""

    def _tell(self, what: str, failed: str, second: float | None = None) -> None:
        self._sink(ChaosEvent(round(self._now() if second is None else second, 3), what, not failed, failed[:500]))


def read_pid(path: Path) -> int:
    """The process id in a file. Raises ValueError with what is wrong."""
    try:
        with path.open("rb") as stream:
            text = stream.read(PID_BYTES + 1).strip()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    if len(text) > PID_BYTES or not text.isdigit() or not 1 < int(text) < 2**31:
        raise ValueError("holds no process id")
    if int(text) in (os.getpid(), os.getppid()):
        raise ValueError(f"process {int(text)} is the load test itself")
    return int(text)
