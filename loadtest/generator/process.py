"""One generator process: viewers arrive as planned, and one Tick a second says what they saw."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from headwater.loadtest.players.address import address
from headwater.loadtest.records import Tick

from .connection import Connections
from .dial import Dialer
from .hub import TURN_S, Hub
from .plan import GeneratorPlan
from .selfwatch import SelfWatch
from .shared import SharedConnections
from .ticks import Ticks

ARRIVALS_PER_TURN = 100
"""Why: 10,000 in a second; more at once would make the viewers that are there late."""


async def generate(plan: GeneratorPlan, report: Callable[[Tick], None], stop: asyncio.Event) -> None:
    """Run `plan` to its end, or until `stop` is set. Raises PlaylistError when its URL is none.

    `report` gets a Tick for every second, the last one too, in order, and must not block.
    """
    await Generator(plan, report).run(stop)


class Generator:
    """One run."""

    def __init__(self, plan: GeneratorPlan, report: Callable[[Tick], None]) -> None:
        self._plan = plan
        self._url = address(plan.url)
        # Read once: the run keeps time by the monotonic clock, whatever is done to the wall clock
        self._wall = time.time() - time.monotonic()  # noqa: TID251
        self._skew = self._wall + plan.clock.seconds
        self._dialer = Dialer(plan.source_addresses, insecure=plan.insecure, timeout_s=plan.timeout_s, http2=plan.http2)
        self._hub = Hub(self._dialer, self._clock, plan.timeout_s, SharedConnections if plan.http2 else Connections)
        self._ticks = Ticks(self._hub.ledger, report)
        self._watch = SelfWatch()
        self._coming = deque(plan.arrivals)
        self._second = max(0, int(self._elapsed()))

    def _clock(self) -> float:
        return time.monotonic() + self._skew

    def _elapsed(self) -> float:
        """Seconds since second 0 of the run."""
        return time.monotonic() + self._wall - self._plan.epoch_monotonic_wall

    async def run(self, stop: asyncio.Event) -> None:
        """To the end."""
        loop = asyncio.get_running_loop()
        due = time.monotonic()
        stopping = loop.create_task(stop.wait())
        try:
            while not stopping.done() and self._elapsed() < self._plan.duration_s:
                due = max(due + TURN_S, time.monotonic())
                await asyncio.wait((stopping,), timeout=due - time.monotonic())
                self._turn(due)
        finally:
            stopping.cancel()
            viewers, playing = self._hub.viewers, self._hub.playing()
            self._hub.finish(self._clock())
            self._hub.turn(self._clock())
            await self._dialer.close()
            self._close_second(viewers, playing)
            self._ticks.finish()

    def _turn(self, due: float) -> None:
        self._watch.turn(due, time.monotonic())
        elapsed = self._elapsed()
        # The last second is closed by `run`, when all viewers have seen its end
        while elapsed >= self._second + 1 < self._plan.duration_s:
            self._close_second(self._hub.viewers, self._hub.playing())
            self._second += 1
        for _ in range(ARRIVALS_PER_TURN):
            if not self._coming or self._coming[0].at > elapsed:
                break
            arrival = self._coming.popleft()
            seed = (self._plan.seed, self._plan.process)
            self._hub.arrive(arrival.viewer, self._url, seed, arrival.stay_s)
        self._hub.turn(self._clock())
        self._ticks.turn()

    def _close_second(self, viewers: int, playing: int) -> None:
        cpu, lag, p99 = self._watch.second()
        self._ticks.close(
            Tick(
                process=self._plan.process,
                second=self._second,
                viewers=viewers,
                playing=playing,
                cpu=round(cpu, 4),
                lag_us=lag,
                lag_p99_us=p99,
            )
        )
