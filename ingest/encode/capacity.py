"""What this machine can do for ladders: asks `worker.probe` once and keeps the answer."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from headwater.config.settings_encode import Encode, encoders_of

from .cost import PRESET, Machine, Measured

PROBE = (sys.executable, "-m", "headwater.ingest.encode.worker.probe")

PROBE_S = 30.0
"""What the probe may take. Why: it takes 2 s; a driver that hangs must not keep the ladder from starting."""

MAX_LINES, MAX_LINE_BYTES = 100, 64 * 1024
"""Of the probe's answer; what is above is not read."""

CGROUP = Path("/sys/fs/cgroup")


class Capacity:
    """The machine, probed when it is first asked for.

    Args:
        measure: the software encoders whose cost is wanted (`wanted`).
        command: the probe.
        timeout_s: after it the probe is killed, and what it had said by then counts.
    """

    def __init__(
        self,
        measure: Sequence[str] = ("libx264",),
        *,
        command: Sequence[str] = PROBE,
        timeout_s: float = PROBE_S,
    ) -> None:
        self._command = (*command, *measure)
        self._timeout_s = timeout_s
        self._probing = asyncio.Lock()
        self._machine: Machine | None = None

    @property
    def machine(self) -> Machine | None:
        """The answer, once there is one."""
        return self._machine

    async def get(self) -> Machine:
        """The answer. Never fails: `Machine.problem` says what could not be found out."""
        async with self._probing:
            if self._machine is None:
                self._machine = await self._probe()
            return self._machine

    async def _probe(self) -> Machine:
        lines: list[object] = []
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=MAX_LINE_BYTES,
                env={**os.environ, "SVT_LOG": "1"},
            )
        except OSError as error:
            return _machine(lines, f"the probe of the encoders does not start: {error.strerror}")
        problem = ""
        try:
            async with asyncio.timeout(self._timeout_s):
                await _read(process, lines)
                code = await process.wait()
            if code != 0:
                problem = f"the probe of the encoders ended with {_ending(code)}"
        except TimeoutError:
            problem = f"the probe of the encoders took more than {self._timeout_s:g} s"
        finally:
            await _end(process)
        return _machine(lines, problem)


def wanted(settings: Encode) -> tuple[str, ...]:
    """The software encoders that some ladder of these settings could use: those worth measuring."""
    rungs = [*settings.rungs, *(rung for entry in settings.stream for rung in entry.rungs or ())]
    names = {"libx264"} | {name for rung in rungs for name in encoders_of(rung.codec) if name in PRESET}
    return tuple(sorted(names))


def cores(root: Path = CGROUP, affinity: Callable[[int], Iterable[int]] | None = None) -> float:
    """CPUs that this process may use: what it may run on, and no more than its container's quota."""
    may_use: Callable[[int], Iterable[int]] | None = affinity or getattr(os, "sched_getaffinity", None)
    count = float(len(set(may_use(0))) if may_use else os.cpu_count() or 1)
    try:
        quota, period = (root / "cpu.max").read_text().split()
        return count if quota == "max" else min(count, int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return count


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill it if it lives; what it still said is read away, or its pipe would stay open."""
    assert process.stdout is not None
    if process.returncode is None:
        process.kill()
    while await process.stdout.read(MAX_LINE_BYTES):
        pass
    await process.wait()


async def _read(process: asyncio.subprocess.Process, lines: list[object]) -> None:
    assert process.stdout is not None
    for _ in range(MAX_LINES):
        try:
            text = await process.stdout.readline()
        except ValueError:  # longer than MAX_LINE_BYTES
            return
        if not text:
            return
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue


def _machine(lines: Sequence[object], problem: str) -> Machine:
    """What the probe's lines say."""
    opened: set[str] = set()
    refused: dict[str, str] = {}
    rates: dict[str, float] = {}
    done = False
    for line in lines:
        match line:
            case {"opens": str(name)}:
                opened.add(name)
            case {"refused": str(name), "reason": str(reason)}:
                refused[name] = reason
            case {"encode": str(name), "rate": float(rate)}:
                rates[name] = rate
            case {"decode": float(rate)}:
                rates["decode"] = rate
            case {"scale": float(rate)}:
                rates["scale"] = rate
            case {"done": True}:
                done = True
    measured = None
    if {"decode", "scale", "libx264"} <= rates.keys():
        measured = Measured(rates.pop("decode"), rates.pop("scale"), rates)
    if not done and not problem:
        problem = "the probe of the encoders ended early"
    return Machine(cores(), frozenset(opened), refused, measured, problem)


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
