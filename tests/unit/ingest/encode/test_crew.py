"""The worker of one stream, whichever process it is: small programs that speak as workers do, and then fail."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.ladder_kit import PLAN, SOURCE, until

from headwater.config.settings_encode import Worker
from headwater.ingest.encode import restarts
from headwater.ingest.encode.crew import Crew
from headwater.ingest.encode.feed import Feed
from headwater.ingest.encode.model import Configure, FromWorker, Progress
from headwater.ingest.encode.process import Fault
from headwater.ingest.encode.progress import ProtocolError
from headwater.ingest.encode.restarts import Again, Rest
from headwater.ingest.encode.spares import Spares

SAYS = """
import socket, sys, time
from headwater.ingest.encode import wire
from headwater.ingest.encode.model import Drained, Progress
end = socket.socket(fileno=int(sys.argv[1]))
def say(message): end.sendall(b"".join(wire.encode(message)))
def progress(memory=1): say(Progress(0, 0.0, 0.0, 0.0, memory, 0, 0, 0, 0, 0))
"""


class Stream:
    """Owns a crew."""

    def __init__(self) -> None:
        self.begun = 0
        self.said: list[FromWorker] = []
        self.losses: list[tuple[Fault, Again | Rest]] = []
        self.refuse = False

    def beginning(self) -> Feed:
        self.begun += 1
        feed = Feed(SOURCE, 1_000_000, 10.0)
        feed.put(Configure(PLAN))
        return feed

    def received(self, messages: Sequence[FromWorker], now: float) -> None:
        self.said += messages
        if self.refuse:
            raise ProtocolError("nonsense")

    def lost(self, fault: Fault, detail: str, again: Again | Rest, now: float) -> None:
        self.losses.append((fault, again))


@asynccontextmanager
async def crew(code: str, **limits: float) -> AsyncIterator[tuple[Crew, Stream]]:
    spares = Spares((sys.executable, "-c", SAYS + code))
    stream = Stream()
    made = Crew("demo", Worker.model_validate({"hang_s": 0.5, "start_s": 10, **limits}), spares, stream)
    made.start()
    made.start()
    try:
        yield made, stream
    finally:
        made.close()
        await spares.close()


async def watched(made: Crew, stream: Stream, losses: int = 1) -> None:
    """Look at it until it was lost so many times."""

    def lost() -> bool:
        made.look(time.monotonic())
        return len(stream.losses) >= losses

    await until(lost)


async def test_one_that_falls_silent_is_replaced() -> None:
    async with crew("progress(); time.sleep(60)") as (made, stream):
        await watched(made, stream)
        assert stream.losses == [(Fault.HANG, Again(0.0))]
        assert made.restarts[Fault.HANG] == 1
        await until(lambda: stream.begun == 2)


async def test_one_that_never_speaks_has_its_time_to_start() -> None:
    async with crew("time.sleep(60)", start_s=0.3) as (made, stream):
        await watched(made, stream)
        assert stream.losses[0][0] is Fault.HANG


async def test_one_that_speaks_is_left_alone() -> None:
    async with crew("while True: progress(); time.sleep(0.1)") as (made, stream):
        await until(lambda: made.worker is not None)
        for _ in range(8):
            heard = len(stream.said)
            await until(lambda heard=heard: len(stream.said) > heard)  # type: ignore[misc]
            made.look(time.monotonic())
        assert stream.losses == []
        assert made.resident_bytes == 1


async def test_one_that_takes_too_much_memory_is_replaced() -> None:
    async with crew("while True: progress(2_000_000); time.sleep(0.1)", memory_bytes=1_000_000) as (made, stream):
        await until(lambda: stream.losses)
        assert stream.losses[0][0] is Fault.MEMORY
        assert made.resident_bytes == 0


async def test_one_that_says_what_it_may_not_is_replaced() -> None:
    async with crew("while True: progress(); time.sleep(0.1)") as (_, stream):
        stream.refuse = True
        await until(lambda: stream.losses)
        assert stream.losses[0][0] is Fault.PROTOCOL


async def test_a_storm_ends_in_a_rest() -> None:
    async with crew("sys.exit(1)", restart_min_s=0.01, restart_max_s=0.05) as (made, stream):
        await until(lambda: len(stream.losses) == restarts.STORM)
        assert stream.losses[-1][1] == Rest(restarts.FIRST_REST_S)
        assert made.restarts[Fault.CRASH] == restarts.STORM
        assert made.worker is None


async def test_another_plan_is_no_fault() -> None:
    async with crew("while True: progress(); time.sleep(0.1)") as (made, stream):
        await until(lambda: stream.said)
        made.replace()
        await until(lambda: stream.begun == 2)
        assert [fault for fault, _ in stream.losses] == [Fault.DONE]
        assert sum(made.restarts.values()) == 0


async def test_a_drain_ends_with_its_answer() -> None:
    async with crew("end.recv(1 << 20); progress(); end.recv(1 << 20); say(Drained(1)); time.sleep(60)") as (
        made,
        stream,
    ):
        await until(lambda: stream.said)
        await made.drain(20.0)
        assert made.worker is None
        assert (made.waiting_bytes, made.waiting_messages) == (0, 0)
        made.start()
        assert made.worker is None


async def test_nothing_is_started_again_once_it_is_not_wanted() -> None:
    async with crew("while True: progress(); time.sleep(0.1)") as (made, stream):
        await until(lambda: stream.said)
        made.stop()
        assert made.worker is None
        assert stream.begun == 1
        made.start()
        await until(lambda: stream.begun == 2)
        assert isinstance(stream.said[0], Progress)
