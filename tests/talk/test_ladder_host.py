"""A stream, its ladder and a real worker, in real time: what goes wrong, and what comes back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from fractions import Fraction

import pytest
from tests.ladder_kit import SECOND, SOURCE, Cutter, Judge, Show, until
from tests.worker_kit import Clip, decoded, rung, video

from headwater.config.settings_encode import Encode, Overload, Worker
from headwater.ingest.encode.control import Cause, Change, Skip, describe_level, levels
from headwater.ingest.encode.host import Ladder
from headwater.ingest.encode.model import Plan, Progress
from headwater.ingest.encode.process import Fault
from headwater.ingest.encode.spares import Spares
from headwater.ingest.media import (
    Hole,
    LadderState,
    LadderStatus,
    Offered,
    Planned,
    Rendition,
    Track,
    TrackEnded,
    TrackStarted,
)

pytestmark = pytest.mark.waits

HIGH, LOW = Rendition("120p"), Rendition("90p")
PLAN = Plan(Fraction(25), SOURCE, (rung(120, 214), rung(90, 160)))
CALM = Overload(step_down_speed=0.5, step_up_speed=9, step_down_lag_s=20, max_lag_s=30)
"""Nothing happens by itself, however busy the machine that runs the test is."""


def clip() -> Clip:
    """Two GOPs of a second."""
    return video("testsrc2=size=320x180:rate=25", "-c:v libx264 -preset ultrafast -g 25 -bf 0", 2.0)


def encode(**worker: float) -> Encode:
    """Settings with a worker that may take its time to say that it lives, as the machine is busy with other tests."""
    limits = Worker.model_validate({"hang_s": 3, "queue_s": 30, "restart_min_s": 0.1, **worker})
    return Encode(enabled=True, worker=limits, overload=CALM)


@asynccontextmanager
async def show(
    settings: Encode | None = None, plan: Plan | None = PLAN, *, spare: bool = True
) -> AsyncIterator[tuple[Show, Ladder, Judge, Cutter]]:
    """A ladder with its source on air."""
    spares = Spares()
    if spare:
        spares.start()
        await until(lambda: spares.ready)
    sink, cutter = Judge(), Cutter()

    def planner(tracks: Mapping[Rendition, Track]) -> Plan | None:
        return plan

    ladder = Ladder("demo", settings or encode(), planner, sink, cutter, spares)
    try:
        with Show(ladder, sink, clip(), spares) as playing:
            yield playing, ladder, sink, cutter
    finally:
        ladder.close()
        await spares.close()


def pid_of(ladder: Ladder) -> int:
    assert ladder.crew.worker is not None
    return ladder.crew.worker.pid


async def test_rungs_start_with_the_stream_and_touch_in_time() -> None:
    async with show() as (playing, ladder, sink, cutter):
        await until(lambda: sink.count(LOW) >= 60)
        assert sink.of(Planned)[0] == Planned((HIGH, LOW))
        assert cutter.allowed == [True]
        begun = {started.rendition: started for started in sink.of(TrackStarted)[1:]}
        assert set(begun) == {HIGH, LOW}
        for name in (HIGH, LOW):
            samples = sink.samples(name)
            assert samples[0].pts == playing.start
            assert begun[name].independent
            assert begun[name].bitrate == 230_000
            assert len(decoded(begun[name].track, samples)) == len(samples)
        assert sink.of(Hole) == []
        assert ladder.state is LadderState.RUNNING
        assert ladder.lag_s < 3
        assert sink.of(LadderStatus)[-1].state is LadderState.RUNNING


async def test_a_cold_start_loses_nothing() -> None:
    """Without a worker ahead of need the source waits in the replay."""
    async with show(spare=False) as (playing, _, sink, _):
        await until(lambda: sink.count(LOW) >= 10)
        assert sink.samples(HIGH)[0].pts == playing.start


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_worker_that_is_lost_is_replaced(how: signal.Signals) -> None:
    async with show() as (playing, ladder, sink, _):
        await until(lambda: sink.count(LOW) >= 30 and playing.spares.ready)
        gone = pid_of(ladder)
        os.kill(gone, how)
        noticed = await until(lambda: ladder.state is LadderState.RECOVERING)
        assert noticed < 1.0
        at = sink.end(LOW)
        recovered = await until(lambda: ladder.state is LadderState.RUNNING)
        assert recovered < 3.0
        assert pid_of(ladder) != gone
        await until(lambda: sink.end(LOW) > at + 2 * SECOND)
        assert len(sink.of(TrackStarted)) == 3  # the configuration is the same: nobody is told anything
        assert sum(ladder.crew.restarts.values()) == 1
        tracks = {started.rendition: started.track for started in sink.of(TrackStarted)}
        assert len(decoded(tracks[LOW], sink.samples(LOW))) == sink.count(LOW)
    with pytest.raises(ProcessLookupError):
        os.kill(gone, 0)


async def test_an_exception_in_the_worker_is_a_crash_that_says_why() -> None:
    async with show() as (playing, ladder, sink, _):
        await until(lambda: sink.count(LOW) >= 10 and playing.spares.ready)
        assert ladder.crew.worker is not None
        ladder.crew.worker.write(Progress(0, 0, 0, 0, 0, 0, 0, 0, 0, 0))  # type: ignore[arg-type]  # not for a worker
        await until(lambda: ladder.crew.restarts[Fault.CRASH] == 1)
        count = sink.count(LOW)
        await until(lambda: sink.count(LOW) > count + 10)


async def test_workers_that_take_too_much_memory_are_given_up_after_a_storm() -> None:
    """Only the source goes on; the rungs list their time as GAP and are not offered."""
    async with show(encode(memory_bytes=1_000_000, restart_max_s=0.2)) as (_, ladder, sink, _):
        await until(lambda: ladder.state is LadderState.PAUSED, 60)
        assert ladder.crew.restarts[Fault.MEMORY] == 6
        assert sink.of(Planned)[-1] == Planned(())
        said = {offer.rendition: offer.offered for offer in sink.of(Offered)}
        assert said.get(SOURCE, True)
        started = {event.rendition for event in sink.of(TrackStarted)} - {SOURCE}
        assert all(not said[name] for name in started)
        ends = {name: sink.end(name) for name in started}
        await until(lambda: all(sink.end(name) > ends[name] + SECOND for name in started))
        assert sink.of(TrackEnded) == []


async def test_a_rung_is_shed_at_a_cut_and_comes_back_at_one() -> None:
    async with show() as (_, ladder, sink, _):
        await until(lambda: sink.count(LOW) >= 30)
        assert ladder._controller is not None
        last = len(levels(PLAN)) - 1
        ladder._controller.level = last
        ladder.act(Change(0, describe_level(PLAN, last), "test", Cause.SPEED), time.monotonic())
        assert sink.of(Offered) == [Offered(HIGH, False)]
        await until(lambda: any(hole.rendition == HIGH for hole in sink.of(Hole)))
        count = sink.count(HIGH)
        hidden = sink.end(HIGH)
        await until(lambda: sink.end(HIGH) > hidden + 2 * SECOND)
        assert sink.count(HIGH) == count
        ladder._controller.level = 0
        ladder.act(Change(last, describe_level(PLAN, 0), "test", Cause.CALM), time.monotonic())
        await until(lambda: sink.count(HIGH) > count + 10)
        assert sink.of(Offered) == [Offered(HIGH, False), Offered(HIGH, True)]
        assert ladder.numbers.changes == {("down", "speed"): 1, ("up", "calm"): 1}
        back = sink.samples(HIGH)[count]
        assert back.independent
        assert (back.pts - sink.samples(HIGH)[0].pts) % (2 * SECOND) < 8_000
        assert not any(hole.rendition == LOW for hole in sink.of(Hole))


async def test_a_jump_leaves_out_what_is_late() -> None:
    async with show() as (playing, ladder, sink, _):
        await until(lambda: sink.count(LOW) >= 30)
        os.kill(pid_of(ladder), signal.SIGSTOP)
        ladder.crew.look = lambda now: None  # type: ignore[method-assign]  # nobody notices
        began = playing.end
        await until(lambda: playing.end > began + 2 * SECOND)
        ladder.act(Skip(2.0, "test"), time.monotonic())
        os.kill(pid_of(ladder), signal.SIGCONT)
        position = sink.end(LOW)
        assert position > began + SECOND
        count = sink.count(LOW)
        await until(lambda: sink.count(LOW) > count + 20)
        assert {hole.rendition for hole in sink.of(Hole)} == {HIGH, LOW}
        assert ladder.numbers.skips == 1
        assert ladder.crew.restarts[Fault.CRASH] == 0


async def test_the_end_gives_out_what_the_worker_holds() -> None:
    async with show() as (playing, ladder, sink, _):
        await until(lambda: sink.count(LOW) >= 30)
        playing.stop()
        await ladder.drain(10.0)
        for name in (HIGH, LOW):
            assert abs(sink.end(name) - playing.end) <= 3_600
        assert ladder.crew.worker is None


async def test_the_end_waits_only_so_long() -> None:
    async with show() as (playing, ladder, sink, _):
        await until(lambda: sink.count(LOW) >= 5)
        playing.stop()
        os.kill(pid_of(ladder), signal.SIGSTOP)
        began = time.monotonic()
        await ladder.drain(0.3)
        assert time.monotonic() - began < 2.0


async def test_a_ladder_that_is_refused_leaves_the_source_alone() -> None:
    async with show(plan=None) as (_, ladder, sink, cutter):
        await until(lambda: len(sink.events) > 20)
        assert ladder.state is LadderState.REFUSED
        assert ladder.crew.worker is None
        assert sink.of(LadderStatus)[-1].state is LadderState.REFUSED
        assert (sink.of(Planned), cutter.allowed) == ([], [])


async def test_rungs_end_with_their_source_and_return_with_it() -> None:
    async with show() as (playing, ladder, sink, _):
        await until(lambda: sink.count(LOW) >= 10)
        playing.mute(TrackEnded(SOURCE))
        assert {ended.rendition for ended in sink.of(TrackEnded)} == {SOURCE, HIGH, LOW}
        await until(lambda: playing.msn >= 2)
        count = sink.count(LOW)
        playing.unmute()
        await until(lambda: sink.count(LOW) > count + 10)
        assert [started.rendition for started in sink.of(TrackStarted)].count(HIGH) == 2
        assert ladder.crew.restarts[Fault.HANG] == 0


async def test_an_encoder_in_hardware_that_does_not_open_gives_way_to_software() -> None:
    plan = replace(PLAN, video=(replace(PLAN.video[0], encoder="h264_nvenc", preset="p4"), PLAN.video[1]))
    async with show(plan=plan) as (playing, ladder, sink, _):
        await until(lambda: sink.count(HIGH) >= 30 and sink.count(LOW) >= 30)
        assert ladder.plan is not None
        assert [rung.encoder for rung in ladder.plan.video] == ["libx264", "libx264"]
        assert sink.samples(HIGH)[0].pts == playing.start
        assert sum(ladder.crew.restarts.values()) == 0
        assert all(offer.offered for offer in sink.of(Offered))
