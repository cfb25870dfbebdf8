"""A made-up load run: two generator processes, a flash crowd, an edge that is killed, and a slow time after it."""

from __future__ import annotations

import math
import random

from headwater.loadtest.records import (
    ChaosEvent,
    ClockOffset,
    Count,
    PhaseSpan,
    ServerSample,
    Tick,
    Timing,
)
from headwater.loadtest.results import Collector, Machine, RunResult
from headwater.loadtest.results.histograms import Histogram

MACHINE = Machine("Linux 6.1", "EPYC 7B13", 2, 8_000_000_000, "CPython 3.11.7")
CLOCK = ClockOffset(-0.0012, 0.0004, "Date")


def tick(
    second: int = 0,
    process: int = 0,
    *,
    part: list[int] | None = None,
    counts: dict[Count, int] | None = None,
    errors: dict[str, int] | None = None,
    viewers: int = 10,
    cpu: float = 0.2,
    lag_us: int = 500,
) -> Tick:
    """One tick; `part`: delays in microseconds."""
    timings = {} if part is None else {Timing.PART: Histogram.of(part).encode()}
    return Tick(process, second, viewers, viewers, counts or {}, errors or {}, timings, cpu, lag_us, lag_us // 2)


def run(
    seconds: int = 120,
    *,
    samples: int = 40,
    url: str = "http://127.0.0.1:8080/live/demo/index.m3u8",
    crowd: int = 4000,
    slow: float = 1.0,
    seed: int = 5,
) -> RunResult:
    """A run of three phases. `slow`: factor on all delays; `samples`: per second and process."""
    dice = random.Random(seed)
    collector = Collector()
    third = seconds // 3
    ends = float(third), 2.0 * third, float(seconds)
    spans = (
        PhaseSpan("warm-up", 0.0, ends[0], ("fatal == 0",)),
        PhaseSpan("flash crowd", ends[0], ends[1], ("part p99 < 250 ms", "stall_ratio < 0.1 %")),
        PhaseSpan("edge killed", ends[1], ends[2], ("errors <= 40", "origin_requests_per_part <= 2", "part p50 < 1 s")),
    )
    killed = 2 * third + third // 4
    server: list[ServerSample] = []
    for second in range(seconds):
        for process in range(2):
            collector.add(_tick(dice, second, process, third, killed, crowd, samples, slow))
        server.append(_server(second, third, crowd))
    return collector.result(
        url=url,
        started=1_790_000_000.0,
        seconds=float(seconds),
        scenario="flash crowd and a lost edge",
        command=f"headwater loadtest {url} --scenario evening.toml",
        machine=MACHINE,
        clock=CLOCK,
        phases=spans,
        server=server,
        chaos=(
            ChaosEvent(float(killed), "kill -9 edge 1", ok=True, detail="pid 4711"),
            ChaosEvent(killed + third / 4, "tc netem delay 50ms", ok=False, detail="not permitted"),
        ),
    )


def _tick(
    dice: random.Random, second: int, process: int, third: int, killed: int, crowd: int, samples: int, slow: float
) -> Tick:
    joining = third <= second < third + 10
    viewers = 500 if second < third else 500 + min(crowd, (second - third + 1) * crowd // 10) // 2
    trouble = killed <= second < killed + max(1, third // 5)
    middle = math.log((0.030 + (0.06 if joining else 0) + (0.9 if trouble else 0)) * slow * 1e6)

    def drawn(number: int, shift: float = 0.0, spread: float = 0.35) -> bytes:
        return Histogram.of(int(dice.lognormvariate(middle + shift, spread)) for _ in range(number)).encode()

    timings = {
        Timing.PART: drawn(samples),
        Timing.PLAYLIST: drawn(samples, -0.5),
        Timing.RESPONSE: drawn(samples // 2 + 1, -1.5),
        Timing.FIRST_BYTE: drawn(samples // 2 + 1, -2),
        Timing.LATENCY: drawn(samples, 4, 0.05),
    }
    if joining:
        timings[Timing.STARTUP] = drawn(samples, 2.5)
    if trouble:
        timings[Timing.STALL] = drawn(5, 0.4)
    joined = crowd // 20 if joining else (500 if second == 0 else dice.randrange(8))
    counts = {
        Count.JOINED: joined,
        Count.LEFT: dice.randrange(8),
        Count.STARTED: joined,
        Count.PARTS: viewers * 2,
        Count.PLAYLISTS: viewers * 2,
        Count.BYTES: int(viewers * 380_000 * (0.7 if trouble else dice.uniform(0.95, 1.05))),
        Count.WATCHED_US: viewers * 1_000_000,
        Count.STALLS: 40 if trouble else 0,
        Count.STALLED_US: 40 * 700_000 if trouble else 0,
        Count.FATAL: 2 if trouble else 0,
    }
    errors = {"reset part": dice.randrange(30), "status 503 playlist": dice.randrange(9)} if trouble else {}
    return Tick(
        process,
        second,
        viewers,
        viewers - (40 if trouble else 0),
        counts,
        {kind: count for kind, count in errors.items() if count},
        timings,
        cpu=min(0.86, 0.1 + viewers / 4000 + dice.uniform(0, 0.05)),
        lag_us=int(dice.lognormvariate(8, 0.5)),
        lag_p99_us=int(dice.lognormvariate(7, 0.4)),
    )


def _server(second: int, third: int, crowd: int) -> ServerSample:
    load = 0.1 if second < third else 0.1 + min(1.0, (second - third) / 10) * crowd / 8000
    values = {
        "cpu": load + 0.03 * math.sin(second / 3),
        "memory": 180e6 + second * 3e5 + load * 1e8,
        "up": 2.0,
        "parts": second * 4.0,
        "origin_requests": second * 6.0,
        "headwater_edge_refused_total": 0.0,
    }
    return ServerSample(float(second), values)
