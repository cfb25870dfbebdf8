"""The processes that watch: each gets its plan, all ticks come back here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence

from headwater.loadtest import records_json
from headwater.loadtest.generator.plan import GeneratorPlan
from headwater.loadtest.records import Tick

from .children import Child

MODULE = "headwater.loadtest.generator"
START_S = 2.0
"""From the plan to second 0. Why: a process imports, reads its plan and is there before its first viewer comes."""
GRACE_S = 5.0
"""Beyond the longest request, for the last tick."""


class Generators:
    """All processes of one run."""

    def __init__(self, sink: Callable[[Tick], None]) -> None:
        self._sink = sink
        self._children: list[Child] = []
        self._told = False
        self._profiled = False
        self.failures: list[str] = []
        """Why ticks are missing."""

    async def start(self, processes: int, profiler: Sequence[str] = ()) -> None:
        """Start them; `profiler`: words in front of the first one's command. Raises OSError."""
        self._profiled = bool(profiler)
        for number in range(processes):
            self._children.append(await Child.start(MODULE, before=profiler if number == 0 else ()))

    def ready_in_s(self) -> float:
        """How long they need before second 0."""
        return START_S * max(1.0, len(self._children) / (os.cpu_count() or 1))

    async def play(self, plans: Sequence[GeneratorPlan]) -> None:
        """Until each has ended."""
        async with asyncio.TaskGroup() as group:
            for child, plan in zip(self._children, plans, strict=True):
                group.create_task(self._one(child, plan))

    def finish(self) -> None:
        """Tell them to end now, with the last tick."""
        self._told = True
        for child in self._children:
            child.finish()

    async def close(self) -> None:
        """No process is left behind."""
        for child in self._children:
            child.kill()
        await asyncio.gather(*(child.ended(0) for child in self._children))

    async def _one(self, child: Child, plan: GeneratorPlan) -> None:
        await child.send(plan.to_json())
        last = -1
        wrong = ""
        try:
            async with asyncio.timeout(self.ready_in_s() + plan.duration_s + plan.timeout_s + GRACE_S):
                async for line in child.lines():
                    if self._profiled and not line.startswith(b"{"):
                        continue  # the profiler's own words
                    tick = records_json.from_text(Tick, line)
                    last = max(last, tick.second)
                    self._sink(tick)
        except TimeoutError:
            wrong = "did not end in time"
        except ValueError as error:  # RecordError is one
            wrong = f"wrote what is no tick: {error}"
        child.finish()
        code = await child.ended(0.1 if wrong else plan.timeout_s + GRACE_S)
        if not wrong and code:
            words = await child.last_words()
            wrong = f"ended with exit code {code}" + (f": {words}" if words else "")
        if not wrong and not self._told and last < int(plan.duration_s) - 1:
            wrong = "ended too early"
        if wrong:
            self.failures.append(f"generator process {plan.process}, second {last + 1}: {wrong}"[:500])
