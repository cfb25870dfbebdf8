"""A generator process against a real server: short runs, in the loop of the test."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable

import pytest
from tests.live_server import LiveServer

from headwater.loadtest.generator.plan import Arrival, GeneratorPlan
from headwater.loadtest.generator.process import generate
from headwater.loadtest.records import ClockOffset, Cmcd, Count, Mode, Tick, Timing, ViewerClass


def plan(
    server: LiveServer, url: str, arrivals: tuple[Arrival, ...], seconds: float = 1.3, **more: object
) -> GeneratorPlan:
    clock = ClockOffset(server.clock_offset, 0.0, "given")
    return GeneratorPlan(
        process=0,
        url=url,
        seed=1,
        epoch_monotonic_wall=time.time(),  # noqa: TID251  (as the controller says it)
        clock=clock,
        duration_s=seconds,
        arrivals=arrivals,
        **more,  # type: ignore[arg-type]
    )


async def run(
    made: GeneratorPlan, stop: asyncio.Event | None = None, until: Callable[[], bool] | None = None
) -> tuple[list[Tick], Counter[Count]]:
    """Run to the end of the plan, or until the server has seen enough."""
    ticks: list[Tick] = []
    stop = stop or asyncio.Event()

    loop = asyncio.get_running_loop()

    def look(enough: Callable[[], bool]) -> None:
        if enough():
            loop.call_later(0.15, stop.set)
        else:
            loop.call_later(0.01, look, enough)

    if until is not None:
        look(until)
    await generate(made, ticks.append, stop)
    sums: Counter[Count] = Counter()
    for tick in ticks:
        sums.update(tick.counts)
    return ticks, sums


async def test_viewers_of_all_kinds() -> None:
    server = LiveServer()
    begin = time.monotonic()
    arrivals = tuple(
        Arrival(0.01 * n, ViewerClass(mode.value, mode, cmcd=cmcd, headers=(("X-Test", "yes"),)), None)
        for n, (mode, cmcd) in enumerate(zip(Mode, Cmcd, strict=True))
    )
    async with server.serve() as base:
        ticks, sums = await run(
            plan(
                server, f"{base}/t/TOKEN/live/index.m3u8", arrivals, 20.0, source_addresses=("127.0.0.2", "127.0.0.3")
            ),
            until=lambda: server.seen("/p") >= 50 and server.seen("/s") >= 8 and time.monotonic() > begin + 1.1,
        )
    assert [tick.second for tick in ticks] == list(range(len(ticks)))
    assert ticks[-1].viewers == 3
    assert sums[Count.JOINED] == sums[Count.STARTED] == 3
    assert sums[Count.FATAL] == sums[Count.LEFT] == 0
    assert not any(tick.errors for tick in ticks)
    assert sums[Count.PARTS] > 10
    assert sums[Count.SEGMENTS] >= 4
    # Audio and video: two connections, and Safari two for each
    assert sums[Count.CONNECTIONS] == 2 + 4 + 2
    assert server.peers == {"127.0.0.2", "127.0.0.3"}
    assert {Timing.PART, Timing.PLAYLIST, Timing.STARTUP, Timing.LATENCY} <= {t for tick in ticks for t in tick.timings}
    assert all(target.startswith("/t/TOKEN/live/") for target in server.requests), "a token in the path is kept"
    assert all(b"\r\nX-Test: yes\r\n" in head for head in server.heads)
    assert any("CMCD=" in target for target in server.requests)
    assert any(b"\r\nCMCD-Session: " in head for head in server.heads)
    assert sum(tick.cpu for tick in ticks) > 0


async def test_leavers_leave_and_the_run_can_be_stopped() -> None:
    server = LiveServer()
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.6, stop.set)
    arrivals = (Arrival(0.0, ViewerClass(), 0.3), Arrival(0.0, ViewerClass(), None))
    async with server.serve() as base:
        ticks, sums = await run(plan(server, f"{base}/live/720p/index.m3u8", arrivals, 60.0), stop)
    assert sums[Count.JOINED] == 2
    assert sums[Count.LEFT] == 1
    assert ticks[-1].viewers == 1


async def test_connections_that_end_are_made_again() -> None:
    server = LiveServer(close_each=True)
    async with server.serve() as base:
        made = plan(server, f"{base}/live/720p/index.m3u8", (Arrival(0.0, ViewerClass(), None),), 20.0)
        ticks, sums = await run(made, until=lambda: server.seen("/p") > 5)
    assert not any(tick.errors for tick in ticks)
    # The last one may not have been asked anything when the run ended
    assert 0 <= sums[Count.CONNECTIONS] - len(server.requests) <= 1
    assert len(server.requests) > 5


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "status 404 part"),
        (b"nonsense\r\n\r\n", "malformed part"),
        (b"", "reset part"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfar too long", "malformed part"),
    ],
)
async def test_broken_answers_are_told_apart(answer: bytes, error: str) -> None:
    server = LiveServer(fault=lambda target: answer if "/p" in target else None)
    async with server.serve() as base:
        made = plan(server, f"{base}/live/720p/index.m3u8", (Arrival(0.0, ViewerClass(), None),), 20.0)
        ticks, _ = await run(made, until=lambda: server.seen("/p") > 0)
    assert {kind for tick in ticks for kind in tick.errors} == {error}


async def test_nobody_there() -> None:
    server = LiveServer()
    async with server.serve() as base:
        pass
    ticks, sums = await run(plan(server, f"{base}/live/index.m3u8", (Arrival(0.0, ViewerClass(), None),), 0.3))
    assert {kind for tick in ticks for kind in tick.errors} == {"refused multivariant"}
    assert sums[Count.RETRIES] == 1


async def test_an_answer_that_does_not_come_times_out() -> None:
    server = LiveServer(silent=lambda target: "/p" in target)
    async with server.serve() as base:
        made = plan(server, f"{base}/live/720p/index.m3u8", (Arrival(0.0, ViewerClass(), None),), 1.3, timeout_s=0.3)
        ticks, _ = await run(made)
    assert {kind for tick in ticks for kind in tick.errors} == {"timeout part"}


async def test_an_answer_that_goes_on_slowly_does_not() -> None:
    server = LiveServer(
        fault=lambda target: b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx" if "/p" in target else None
    )
    async with server.serve() as base:
        made = plan(server, f"{base}/live/720p/index.m3u8", (Arrival(0.0, ViewerClass(), None),), 1.3, timeout_s=0.3)
        ticks, sums = await run(made)
    assert not any(tick.errors for tick in ticks)
    assert sums[Count.PARTS] == 0


async def test_slow_readers_read_slowly() -> None:
    server = LiveServer(part=b"x" * 400_000)
    viewer = ViewerClass(read_bps=800_000)
    async with server.serve() as base:
        _, sums = await run(plan(server, f"{base}/live/720p/index.m3u8", (Arrival(0.0, viewer, None),), 0.9))
        begun = server.seen("/p")
        made = plan(server, f"{base}/live/720p/index.m3u8", (Arrival(0.0, ViewerClass(), None),), 20.0)
        _, fast = await run(made, until=lambda: server.seen("/p") >= begun + 6)
    assert fast[Count.PARTS] >= 4
    # 100,000 bytes a second: no whole part, and the answer goes on
    assert sums[Count.PARTS] == 0
    assert sums[Count.FATAL] == sums[Count.RETRIES] == 0


async def test_many_at_once_do_not_share_what_they_receive() -> None:
    server = LiveServer(part=b"x" * 90_000)
    arrivals = tuple(Arrival(0.0, ViewerClass(), None) for _ in range(8))
    async with server.serve() as base:
        made = plan(server, f"{base}/live/720p/index.m3u8", arrivals, 20.0)
        ticks, sums = await run(made, until=lambda: server.seen("/p") >= 8 * 6)
    assert not any(tick.errors for tick in ticks)
    assert sums[Count.JOINED] == sums[Count.STARTED] == 8
