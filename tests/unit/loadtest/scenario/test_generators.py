"""The real generator process against nobody, and processes that are no generators."""

from __future__ import annotations

import asyncio

import pytest

from headwater.loadtest.bench.processes import free_port
from headwater.loadtest.generator.plan import Arrival, GeneratorPlan
from headwater.loadtest.records import ClockOffset, Count, Tick, ViewerClass
from headwater.loadtest.scenario import generators as module
from headwater.loadtest.scenario.generators import Generators
from headwater.loadtest.scenario.offset import wall


def plan(duration_s: float, *, ago_s: float = 0.0) -> GeneratorPlan:
    return GeneratorPlan(
        process=0,
        url=f"http://127.0.0.1:{free_port()}/live/a/index.m3u8",
        seed=1,
        epoch_monotonic_wall=wall() - ago_s,
        clock=ClockOffset(0, 0, "given"),
        duration_s=duration_s,
        arrivals=(Arrival(0.0, ViewerClass(), None),),
        timeout_s=0.5,
    )


async def played(duration_s: float, *, ago_s: float = 0.0) -> tuple[list[Tick], list[str]]:
    ticks = list[Tick]()
    generators = Generators(ticks.append)
    await generators.start(1)
    try:
        await generators.play([plan(duration_s, ago_s=ago_s)])
    finally:
        await generators.close()
    return ticks, generators.failures


async def test_nobody_is_there_to_be_watched() -> None:
    ticks, failures = await played(60.2, ago_s=60.0)  # its last fifth of a second
    assert not failures
    assert sum(tick.counts.get(Count.JOINED, 0) for tick in ticks) <= 1
    assert ticks[-1].second >= 60


async def test_told_to_end_it_gives_its_last_tick() -> None:
    ticks = list[Tick]()
    generators = Generators(ticks.append)
    await generators.start(1)
    playing = asyncio.ensure_future(generators.play([plan(600)]))
    await asyncio.sleep(0.05)
    generators.finish()
    await playing
    await generators.close()
    assert not generators.failures
    assert ticks


@pytest.mark.parametrize(
    ("generator", "failure"),
    [("quopri", "wrote what is no tick"), ("no.such.module", "ended with exit code 1")],
)
async def test_what_is_no_generator(monkeypatch: pytest.MonkeyPatch, generator: str, failure: str) -> None:
    monkeypatch.setattr(module, "MODULE", generator)
    monkeypatch.setattr(module, "START_S", 0.0)
    monkeypatch.setattr(module, "GRACE_S", 1.0)
    ticks, (found,) = await played(0.1)
    assert not ticks
    assert found.startswith("generator process 0, second 0: ")
    assert failure in found or "did not end in time" in found
