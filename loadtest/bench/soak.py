"""Thirty minutes of one stream: continuous decode times, dates true to the wall clock, flat memory.

One publisher, one client per rendition that reads every part. What must hold:

    tfdt     each chunk starts where the one before it ended
    date     PROGRAM-DATE-TIME + duration of what is listed, against the wall clock when it was listed, moves
             by less than 50 ms over the run (of each minute the earliest tenth counts: what a busy machine delays
             is late, not adrift)
    memory   resident memory of origin and edge does not grow once the window is full
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from headwater.loadtest.follow import FollowError, PartFollower
from headwater.loadtest.fragments import chunks
from headwater.loadtest.scenario.offset import wall

from .ingest import publishers
from .processes import children, resident_bytes
from .server import Headwater

DATE_DRIFT_MS = 50
MEMORY_GROWTH = 1.05
"""Allowed ratio of the last memory reading to the first one after the window was full."""


@dataclass
class Findings:
    """What the run saw; `problems` is empty when all of it held."""

    parts: int = 0
    seconds: float = 0
    date_drift_ms: float = 0
    memory_mib: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


async def _watch(url: str, deadline: float, findings: Findings, lateness: list[tuple[float, float]]) -> None:
    """Read every part of one rendition; `lateness` takes (elapsed, wall clock − date of the live edge), seconds."""
    began, expected = time.monotonic(), None
    async with aiohttp.ClientSession() as session:
        follower = PartFollower(session, url)
        async for part in follower.parts():
            if part.download is None:
                findings.problems.append(f"{url}: GAP at {part.msn}.{part.index}")
                expected = None
                continue
            for chunk in chunks(part.download.body):
                if expected is not None and chunk.base_time != expected:
                    findings.problems.append(f"{url}: tfdt {chunk.base_time} follows {expected} at {part.msn}")
                expected = chunk.base_time + chunk.duration
            findings.parts += 1
            edge = _edge_date(follower)
            if edge is not None:
                lateness.append((time.monotonic() - began, wall() - edge))
            if time.monotonic() > deadline:
                return
    raise FollowError(f"{url} ended early")


def _edge_date(follower: PartFollower) -> float | None:
    """Unix time of the end of the newest listed part, from PROGRAM-DATE-TIME; None while there is no open segment."""
    playlist = follower.playlist
    if playlist is None or playlist.open is None or playlist.open.date_us is None:
        return None
    return playlist.open.date_us / 1e6 + sum(part.duration for part in playlist.open.parts)


async def _memory(pids: list[int], deadline: float, findings: Findings) -> None:
    while time.monotonic() < deadline:
        findings.memory_mib.append(sum(resident_bytes(pid) for pid in pids) / (1 << 20))
        await asyncio.sleep(15)


def run(source: Path, folder: Path, *, seconds: float, say: Callable[[str], None]) -> Findings:
    """Run it for `seconds`; `say` prints progress."""
    server = Headwater(folder / "soak").start()
    findings = Findings(seconds=seconds)
    lateness: dict[str, list[tuple[float, float]]] = {"source": [], "audio": []}
    try:
        with publishers(source, lambda _: server.rtmp("soak"), 1, folder):
            server.wait_playable("soak")
            asyncio.run(_run(server, seconds, findings, lateness))
    finally:
        server.stop()
    findings.date_drift_ms = max(drift_ms(readings) for readings in lateness.values())
    if findings.date_drift_ms >= DATE_DRIFT_MS:
        findings.problems.append(f"dates drifted by {findings.date_drift_ms:.1f} ms")
    if (problem := memory_problem(findings.memory_mib)) is not None:
        findings.problems.append(problem)
    say(f"{findings.parts} parts in {seconds:.0f} s, date drift {findings.date_drift_ms:.1f} ms")
    return findings


async def _run(
    server: Headwater, seconds: float, findings: Findings, lateness: dict[str, list[tuple[float, float]]]
) -> None:
    deadline = time.monotonic() + seconds
    pids = [server.pid, *children(server.pid)]
    async with asyncio.TaskGroup() as group:
        group.create_task(_memory(pids, deadline, findings))
        for rendition, readings in lateness.items():
            url = server.url(f"/live/soak/{rendition}/index.m3u8")
            group.create_task(_watch(url, deadline, findings, readings))


def drift_ms(readings: list[tuple[float, float]]) -> float:
    """Largest distance between any two minutes, milliseconds; infinite when no minute counts.

    A minute's reading is the end of its earliest tenth: what waits for a busy machine only ever makes parts late,
    so the early ones tell where the dates stand.

    `readings`: (elapsed, lateness), seconds. Minutes with 30 readings or fewer do not count.
    """
    minutes: dict[int, list[float]] = {}
    for elapsed, late in readings:
        minutes.setdefault(int(elapsed // 60), []).append(late)
    early = [statistics.quantiles(values, n=10)[0] for values in minutes.values() if len(values) > 30]
    return 1e3 * (max(early) - min(early)) if early else float("inf")


def memory_problem(memory_mib: list[float]) -> str | None:
    """What is wrong with readings of memory, one every 15 s; None: nothing is.

    The window and its bytes are full after 3 minutes (12 readings).
    """
    full = memory_mib[12:]
    if len(full) < 8:
        return "too short to judge memory"
    quarter = max(1, len(full) // 4)
    first, last = statistics.median(full[:quarter]), statistics.median(full[-quarter:])
    if last > first * MEMORY_GROWTH:
        return f"memory grew from {first:.0f} to {last:.0f} MiB after the window was full"
    return None
