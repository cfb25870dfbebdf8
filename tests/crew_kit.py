"""The processes of an edge with workers, without any: what stands in the place of `Supervisor` and `Spare`."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from headwater.config import generation
from headwater.config.edgemember import Orders
from headwater.config.supervisor import Cause, ChildFailed, Message


class Processes:
    """All of them, and what was done to them in order."""

    def __init__(self) -> None:
        self.every: list[FakeSupervisor] = []
        self.done: list[tuple[str, str]] = []
        """Name of the process, and `start`, `give up` or the signal with which it was ended."""
        self.failing: dict[str, int] = {}
        """Exit codes of those that do not start."""
        self.held = asyncio.Event()
        """Whoever is told to make way does so when this is set."""
        self.held.set()
        self.pids = itertools.count(1_000)

    def running(self) -> dict[str, FakeSupervisor]:
        """Those that run, by name; of two generations the newer ones."""
        return {one.name: one for one in self.every if one.running}

    def ended(self) -> list[FakeSupervisor]:
        return [one for one in self.every if not one.running]


class FakeSupervisor:
    """Says that it listens as soon as it is started."""

    def __init__(
        self,
        processes: Processes,
        role: str,
        document: Callable[[], str],
        said: Callable[[Message], None],
        *,
        pass_fds: Sequence[int],
        spare: Callable[[], object],
        name: str,
        **_: Any,
    ) -> None:
        self.role = role
        self.orders = Orders.of(json.loads(document()))
        self.pass_fds = tuple(pass_fds)
        self.spare = spare
        self.name = name.removeprefix("edge ")
        self.running = False
        self.pid: int | None = None
        self.lost = dict.fromkeys(Cause, 0)
        self._processes = processes
        self._said = said
        processes.every.append(self)

    @property
    def restarts(self) -> int:
        return sum(self.lost.values())

    def say(self, event: str) -> None:
        """A message to the parent."""
        self._said({"event": event})

    def listen(self) -> None:
        """As a process that has just started."""
        self.running, self.pid = True, next(self._processes.pids)
        self.say("listening")

    async def start(self, *, wait: bool) -> None:
        assert wait
        await asyncio.sleep(0)
        self._processes.done.append((self.name, "start"))
        if (code := self._processes.failing.get(self.name)) is not None:
            raise ChildFailed(f"edge {self.name}", code)
        self.listen()

    async def stop(self, within_s: float, sign: signal.Signals = signal.SIGTERM) -> None:
        assert within_s > 0
        if self.running:
            self._processes.done.append((self.name, sign.name))
            if sign is not signal.SIGTERM:
                await self._processes.held.wait()
        self.running, self.pid = False, None

    def give_up(self) -> None:
        """Killed, and another one in its place."""
        self._processes.done.append((self.name, "give up"))
        self.lost[Cause.HUNG] += 1
        self.listen()


class FakeSpare:
    """There as soon as it is started."""

    def __init__(self, processes: Processes, pass_fds: Sequence[int]) -> None:
        self.pass_fds = tuple(pass_fds)
        self.pid: int | None = None
        self.lost = 0
        self._processes = processes

    def start(self) -> None:
        self.pid = 1
        self._processes.done.append(("spare", "start"))

    def take(self) -> None:
        return None

    async def close(self) -> None:
        if self.pid is not None:
            self._processes.done.append(("spare", "close"))
        self.pid = None


def install(monkeypatch: pytest.MonkeyPatch) -> Processes:
    """From here on a generation starts none but these."""
    processes = Processes()
    monkeypatch.setattr(generation, "Supervisor", partial(FakeSupervisor, processes))
    monkeypatch.setattr(generation, "Spare", partial(FakeSpare, processes))
    return processes
