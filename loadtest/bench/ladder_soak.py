"""Twenty minutes of the ladder 1080p30 -> 720p, 480p, 360p: in real time, aligned, whole, in flat memory.

One publisher, one client per rendition that reads every part. What must hold:

    speed       the ladder's own figure is at least 1.0 in every minute, no step of quality was given up, and the rungs
                are not later behind the source at the end than at the beginning
    boundaries  of all renditions, sound included, within one sample
    tfdt        each chunk starts where the one before it ended
    decoding    ffmpeg reads each rung whole without a word, frame by frame as many as were delivered
    memory      resident memory of the encoder process is flat once it runs
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from headwater.loadtest.follow import PartFollower

from .capture import Heard, added_delays, common, follow
from .ingest import publishers
from .ladder import STREAM, offered, settings, workers
from .ladder_peer import RUNGS
from .processes import FFMPEG, cpu_seconds, resident_bytes, wait_until
from .server import Headwater

LOOK_S = 5.0
"""Between two looks at speed and memory."""
TELL_S = 60.0
"""Between two lines of progress; a change of quality is told at once."""
MEMORY_GROWTH = 1.05
"""Allowed ratio of the last quarter's median to the first quarter's."""
WARM_S = 60
"""Until memory is what it stays at: pools, caches, reference frames of every level."""
LATER_S = 0.1
"""By which the rungs may be later at the end than at the beginning."""
FRAME_S = 1 / 30
SOUND_S = 1024 / 48_000


@dataclass
class Findings:
    """What the run saw; `problems` is empty when all of it held."""

    seconds: float = 0
    parts: int = 0
    speeds: list[float] = field(default_factory=list)
    """Of the ladder, one every `LOOK_S`."""
    levels: set[int] = field(default_factory=set)
    memory_mib: list[float] = field(default_factory=list)
    cpu: float = 0
    """Cores that the encoder process used."""
    misalignment_ms: dict[str, float] = field(default_factory=dict)
    """Largest distance of a segment's beginning from the source's, per rendition."""
    frames: dict[str, int] = field(default_factory=dict)
    """Decoded, per rung."""
    problems: list[str] = field(default_factory=list)


def run(source: Path, folder: Path, *, seconds: float, say: Callable[[str], None]) -> Findings:
    """Run it for `seconds`; files of the rungs go to `folder`."""
    server = Headwater(folder / "soak", extra=settings(thumbnails_s=5)).start()
    found = Findings(seconds=seconds)
    names = ["source", *(rung.name for rung in RUNGS), "audio"]
    try:
        with publishers(source, server.rtmp, 1, folder):
            server.wait_playable(STREAM)
            wait_until(lambda: offered(server) >= {*names[:-1]}, timeout_s=30, what="every rung is offered")
            heard = asyncio.run(_watch(server, names, seconds, folder, found, say))
    finally:
        server.stop()
    _judge(heard, found)
    for rung in RUNGS:
        _decode(folder / f"{rung.name}.mp4", heard[rung.name], found)
        say(f"{rung.name}: {found.frames.get(rung.name, 0)} frames decoded")
    return found


async def _watch(
    server: Headwater, names: list[str], seconds: float, folder: Path, found: Findings, say: Callable[[str], None]
) -> Mapping[str, Heard]:
    heard = {name: Heard(name) for name in names}
    deadline = time.monotonic() + seconds
    wanted = {rung.name for rung in RUNGS}
    async with aiohttp.ClientSession() as session:
        with contextlib.ExitStack() as files:
            async with asyncio.TaskGroup() as group:
                group.create_task(_look(server, deadline, found, say))
                for name, one in heard.items():
                    file = files.enter_context((folder / f"{name}.mp4").open("wb")) if name in wanted else None
                    follower = PartFollower(session, server.url(f"/live/{STREAM}/{name}/index.m3u8"))
                    group.create_task(follow(follower, one, deadline, keep=False, file=file))
    return heard


async def _look(server: Headwater, deadline: float, found: Findings, say: Callable[[str], None]) -> None:
    pids = workers(server)
    cpu, began = sum(map(cpu_seconds, pids)), time.monotonic()
    level, told = 0, began
    while time.monotonic() < deadline:
        _, body = await asyncio.to_thread(server.get, "/streams.json", at="origin")
        ladder = next(entry["ladder"] for entry in json.loads(body)["streams"] if entry["name"] == STREAM)
        if ladder["speed"] > 0:
            found.speeds.append(ladder["speed"])
        found.levels.add(ladder["level"])
        if workers(server) != pids:
            found.problems.append("the encoder process was replaced")
            pids = workers(server)
        found.memory_mib.append(sum(map(resident_bytes, pids)) / (1 << 20))
        if ladder["level"] != level or time.monotonic() - told >= TELL_S:
            level, told = ladder["level"], time.monotonic()
            say(f"{told - began:.0f} s: {ladder['speed']:.2f}x, level {level}, {found.memory_mib[-1]:.0f} MiB")
        await asyncio.sleep(LOOK_S)
    found.cpu = (sum(map(cpu_seconds, pids)) - cpu) / (time.monotonic() - began)


def _judge(heard: Mapping[str, Heard], found: Findings) -> None:
    for name, one in heard.items():
        found.parts += len(one.parts)
        found.problems += one.errors
        found.problems += [f"{name}: GAP at {msn}.{index}" for msn, index in one.gaps]
    shared = common(heard)
    starts = {name: one.starts() for name, one in heard.items()}
    for name in heard:
        off = [starts[name][msn] - starts["source"][msn] for msn in shared]
        found.misalignment_ms[name] = 1e3 * max(map(abs, off), default=float("inf"))
        if found.misalignment_ms[name] > 1e3 * (SOUND_S if name == "audio" else FRAME_S):
            found.problems.append(f"{name} begins up to {found.misalignment_ms[name]:.1f} ms off")
    for rung in RUNGS:
        if (problem := later(added_delays(heard["source"], heard[rung.name], ordered=False))) is not None:
            found.problems.append(f"{rung.name}: {problem}")
    found.problems += filter(None, (too_slow(found.speeds), memory_problem(found.memory_mib)))
    if found.levels - {0}:
        found.problems.append(f"quality was given up: levels {sorted(found.levels)}")


def too_slow(speeds: list[float]) -> str | None:
    """What is wrong with the readings of the ladder's speed; None: nothing."""
    per_minute = int(60 / LOOK_S)
    minutes = [speeds[at : at + per_minute] for at in range(0, len(speeds), per_minute)]
    if not speeds:
        return "no speed was told"
    slowest = min(statistics.median(minute) for minute in minutes)
    return f"encoding at {slowest:.2f}x of real time in one minute" if slowest < 1 else None


def later(delays: list[float]) -> str | None:
    """What is wrong with the delays of a rung behind the source, seconds, in order of time; None: nothing."""
    if len(delays) < 8:
        return "too few parts to judge its delay"
    quarter = len(delays) // 4
    first, last = statistics.median(delays[:quarter]), statistics.median(delays[-quarter:])
    return f"{1e3 * (last - first):.0f} ms later at the end than at the beginning" if last - first > LATER_S else None


def memory_problem(memory_mib: list[float]) -> str | None:
    """What is wrong with readings of memory, one every `LOOK_S`; None: nothing."""
    full = memory_mib[int(WARM_S / LOOK_S) :]
    if len(full) < 8:
        return "too short to judge memory"
    quarter = len(full) // 4
    first, last = statistics.median(full[:quarter]), statistics.median(full[-quarter:])
    return f"the encoder's memory grew from {first:.0f} to {last:.0f} MiB" if last > first * MEMORY_GROWTH else None


def _decode(path: Path, heard: Heard, found: Findings) -> None:
    """Decode all that came of a rung with ffmpeg."""
    command = [FFMPEG, "-hide_banner", "-nostdin", "-v", "warning", "-i", str(path)]
    done = subprocess.run(
        [*command, "-fps_mode", "passthrough", "-f", "framecrc", "-"],
        capture_output=True,
        text=True,
        timeout=1_800,
        check=False,
    )
    frames = sum(1 for _ in _rows(done.stdout))
    wanted = sum(part.frames for part in heard.parts)
    found.frames[heard.rendition] = frames
    if done.returncode or done.stderr.strip():
        found.problems.append(f"{heard.rendition}: ffmpeg says {done.stderr.strip()[:500]}")
    if frames != wanted:
        found.problems.append(f"{heard.rendition}: {frames} frames of {wanted} were decoded")
    path.unlink()


def _rows(listing: str) -> Iterator[str]:
    return (line for line in listing.splitlines() if line and not line.startswith("#"))
