"""One run, from the first publisher to the last tick: what it found.

publishers start -> the URL answers -> the clock's offset -> generators get their plans -> second 0
then: ticks, chaos steps, publishers' faults, the server's metrics, the view -> the last tick -> all undone
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import typing
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from headwater.loadtest.doctor.client import HttpClient
from headwater.loadtest.generator.plan import Arrival, GeneratorPlan
from headwater.loadtest.records import (
    NO_HTTP2,
    ChaosEvent,
    ClockOffset,
    PhaseSpan,
    Protocol,
    ServerSample,
    Tick,
)
from headwater.loadtest.results.collector import Collector, Snapshot
from headwater.loadtest.results.invariants import series_of
from headwater.loadtest.results.model import RunResult
from headwater.loadtest.results.scrape import scrape

from .arrivals import divided, spans
from .chaos import Chaos, steps_of
from .encoders import Encoders
from .generators import Generators
from .machine import this_machine
from .offset import UNKNOWN, NoAnswer, estimate, reach, wall
from .settings import Scenario

PUBLISHED_S = 30.0
"""For the stream to be there once its publishers have started."""
SCRAPE_S = 1.0
LAST_SCRAPE_S = 5.0
"""For the last sample of the server's metrics. Why: longer than a scrape may take."""
MAX_EVENTS = 10_000
"""Kept for the report. Why: a fault that comes back every second for hours."""
CLOCK_NOTE = (
    "the server's clock is not known (no Date in its answers): delays since publication hold only where both clocks "
    "agree; say so with --clock-offset 0"
)

HTTP2_NOTE = (
    "a server did not choose HTTP/2 (ALPN), or a playlist names an http:// address: what viewers asked there failed as "
    f"{NO_HTTP2!r}"
)


class View(typing.Protocol):
    """What shows the run while it goes on."""

    def update(self, snapshot: Snapshot) -> None:
        """The last second."""

    def say(self, text: str) -> None:
        """Something happened."""


@dataclass(frozen=True, slots=True)
class Order:
    """A run to be done."""

    scenario: Scenario
    url: str
    arrivals: tuple[Arrival, ...]
    command: str
    """How to run the same again."""
    profiler: tuple[str, ...] = ()
    """Words in front of the first generator's command."""


class Controller:
    """Does one order."""

    def __init__(self, order: Order, view: View) -> None:
        self._order, self._scenario, self._view = order, order.scenario, view
        self._collector = Collector()
        self._events: list[ChaosEvent] = []
        self._failed: list[str] = []
        self._samples: list[ServerSample] = []
        self._generators = Generators(self._take)
        self._encoders = Encoders(self._event)
        self._chaos = Chaos(self.now, self._step)
        self._epoch = 0.0
        """Monotonic time of second 0; 0: not known yet."""
        self._without_http2 = False
        """Somebody asked for HTTP/2 and did not get it."""
        self._over = asyncio.Event()

    @property
    def begun(self) -> bool:
        """There is something to report."""
        return bool(self._epoch) and self.now() > 0

    def now(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._epoch

    @property
    def finishing(self) -> bool:
        """It is ending already."""
        return self._over.is_set()

    def finish(self) -> None:
        """End now, with what there is."""
        self._over.set()
        self._generators.finish()

    async def run(self) -> RunResult:
        """The whole run. Raises NoAnswer, NoHost, OSError. Cancelled: all processes are ended, all chaos undone."""
        try:
            clock = await self._prepare()
            epoch_wall = wall() + self._generators.ready_in_s()
            self._epoch = time.monotonic() + epoch_wall - wall()
            async with self._beside(epoch_wall):
                await self._generators.play(self._plans(epoch_wall, clock))
                seconds = min(self._scenario.duration_s, max(0.0, self.now()))
                self._over.set()
        finally:
            await asyncio.gather(self._generators.close(), self._encoders.close(), self._chaos.undo())
        return self._result(epoch_wall, seconds, clock)

    async def _prepare(self) -> ClockOffset:
        scenario, url = self._scenario, self._order.url
        await self._encoders.start(scenario.publishers, scenario.seed)
        headers = dict(scenario.viewers[0].headers) if scenario.viewers else {}
        async with HttpClient(insecure=scenario.insecure, headers=headers) as client:
            await self._reach(client)
            if scenario.http2 and await client.offers_http2(url) is False:
                raise NoAnswer("the server does not choose HTTP/2 (ALPN); without http2 viewers speak HTTP/1.1")
            await self._generators.start(scenario.processes, self._order.profiler)
            if scenario.clock_offset_s is not None:
                return ClockOffset(scenario.clock_offset_s, 0.0, "given")
            return await estimate(client, url)

    async def _reach(self, client: HttpClient) -> None:
        try:
            await reach(client, self._order.url, PUBLISHED_S if self._scenario.publishers else 0.0)
        except NoAnswer as error:
            failed = [f"{event.what}: {event.detail}" for event in self._events if not event.ok]
            raise NoAnswer("; ".join([str(error), *failed[:3]])) from None

    def _plans(self, epoch_wall: float, clock: ClockOffset) -> list[GeneratorPlan]:
        scenario = self._scenario
        return [
            GeneratorPlan(
                process=process,
                url=self._order.url,
                seed=scenario.seed,
                epoch_monotonic_wall=epoch_wall,
                clock=clock,
                duration_s=scenario.duration_s,
                arrivals=arrivals,
                source_addresses=scenario.source_addresses,
                insecure=scenario.insecure,
                http2=scenario.http2,
                timeout_s=scenario.timeout_s,
            )
            for process, arrivals in enumerate(divided(self._order.arrivals, scenario.processes))
        ]

    @contextlib.asynccontextmanager
    async def _beside(self, epoch_wall: float) -> AsyncIterator[None]:
        """What goes on while the generators play."""
        scenario = self._scenario
        works = [self._encoders.begin(epoch_wall, self.now), self._chaos.play(steps_of(scenario)), self._show()]
        tasks = [asyncio.ensure_future(work) for work in works]
        metrics = [asyncio.ensure_future(self._scrape())] if scenario.metrics else []
        try:
            yield
            if metrics:
                await asyncio.wait(metrics, timeout=LAST_SCRAPE_S)
        finally:
            for task in (*tasks, *metrics):
                task.cancel()
            ended = await asyncio.gather(*tasks, *metrics, return_exceptions=True)
        # Nobody's hour of measuring is thrown away for a mistake of ours beside it.
        self._failed += [
            f"{type(error).__name__} beside the run: {error}" for error in ended if isinstance(error, Exception)
        ]

    async def _scrape(self) -> None:
        scenario = self._scenario
        await asyncio.sleep(max(0.0, -self.now()))
        series = series_of(text for phase in scenario.phases for text in phase.invariants)
        began = asyncio.get_running_loop().time() - self.now()
        await scrape(
            scenario.metrics, SCRAPE_S, self._samples.append, self._over, began=began, series=series, say=self._view.say
        )

    async def _show(self) -> None:
        """The view each second, and each phase as it begins."""
        phases = list(spans(self._scenario))
        while not self._over.is_set():
            second = self.now()
            await asyncio.sleep(1.0 - second % 1.0)
            while phases and phases[0].start <= self.now():
                phase = phases.pop(0)
                if len(self._scenario.phases) > 1:
                    self._view.say(f"{phase.start:.0f} s: phase {phase.name}")
            self._view.update(self._collector.snapshot())

    def _take(self, tick: Tick) -> None:
        self._collector.add(tick)
        if not self._without_http2 and any(kind.startswith(NO_HTTP2) for kind in tick.errors):
            self._without_http2 = True
            self._view.say(f"{tick.second} s: {HTTP2_NOTE}")

    def _event(self, event: ChaosEvent) -> None:
        if len(self._events) < MAX_EVENTS:
            self._events.append(event)
            result = "" if event.ok else f": {event.detail}"
            self._view.say(f"{event.second:.1f} s: {event.what}{result}")

    def _step(self, event: ChaosEvent) -> None:
        self._event(event)
        if not event.ok:
            self._failed.append(f"the chaos step {event.what!r} failed: {event.detail}")

    def _result(self, epoch_wall: float, seconds: float, clock: ClockOffset) -> RunResult:
        invalid = [*self._generators.failures, *self._failed]
        if clock is UNKNOWN:
            invalid.append(CLOCK_NOTE)
        if self._without_http2:
            invalid.append(HTTP2_NOTE)
        return self._collector.result(
            url=self._order.url,
            started=epoch_wall,
            seconds=seconds,
            scenario=self._scenario.name,
            command=self._order.command,
            machine=this_machine(),
            clock=clock,
            phases=within(spans(self._scenario), seconds),
            server=self._samples,
            chaos=sorted(self._events, key=lambda event: event.second),
            invalid=invalid,
            protocol=Protocol.HTTP2 if self._scenario.http2 else Protocol.HTTP1,
        )


def within(phases: Sequence[PhaseSpan], seconds: float) -> tuple[PhaseSpan, ...]:
    """The phases that a run of so many seconds has seen, the last one cut."""
    return tuple(replace(span, end=min(span.end, seconds)) for span in phases if span.start < seconds)
