"""Runs many SRT callers in a process of its own: `python -m headwater.loadtest.bench.srtcallers JOB.json`.

Why a process: to start a program stops its parent for up to 25 ms, and a network or a receiver in that parent with it.
It ends with its standard input, or is killed as a group; its callers go with it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .processes import Peer, step_back
from .srtpeers import TS_DATAGRAM

CONNECTED = b"SRT target connected"
"""What srt-live-transmit prints when its listener has accepted. What it reads before that is thrown away."""
APART_S = 0.02
"""Between two starts."""
CROWD_APART_S = 0.2
"""The same in a crowd, whose callers do not come all at once."""
CROWD = "crowd"


@dataclass(frozen=True)
class Job:
    """One caller. `feed`: a file that is written to its standard input, in a loop, once it is connected."""

    command: tuple[str, ...]
    log: str
    feed: str = ""
    bytes_per_s: float = 0


def start(jobs: Sequence[Job], folder: Path, name: str, *, crowd: bool = False) -> Peer:
    """Run them until the peer is killed. `crowd`: they come a few at a time, and leave the processors to the receiver,
    as other machines do."""
    path = folder / f"{name}.jobs.json"
    path.write_text(json.dumps([asdict(job) for job in jobs]))
    return Peer([sys.executable, "-m", __name__, str(path), *([CROWD] if crowd else ())], folder / f"{name}.jobs.log")


async def _run(job: Job) -> None:
    with await asyncio.to_thread(Path(job.log).open, "wb", buffering=0) as log:
        process = await asyncio.create_subprocess_exec(
            *job.command,
            stdin=asyncio.subprocess.PIPE if job.feed else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert process.stdout is not None
        feeding: asyncio.Task[None] | None = None
        async for line in process.stdout:
            log.write(line)
            if job.feed and feeding is None and CONNECTED in line:
                feeding = asyncio.get_running_loop().create_task(_feed(process, job))
        await process.wait()
        if feeding is not None:
            await feeding


async def _feed(process: asyncio.subprocess.Process, job: Job) -> None:
    assert process.stdin is not None
    data = await asyncio.to_thread(Path(job.feed).read_bytes)
    clock = asyncio.get_running_loop().time
    began, sent = clock(), 0
    try:
        while True:
            at = sent % len(data)
            piece = data[at : at + TS_DATAGRAM]
            process.stdin.write(piece)
            await process.stdin.drain()
            sent += len(piece)
            await asyncio.sleep(max(0.0, began + sent / job.bytes_per_s - clock()))
    except (BrokenPipeError, ConnectionResetError):
        return  # it is gone


async def _main(jobs: list[Job], apart_s: float) -> None:
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(_run(job))
            await asyncio.sleep(apart_s)


if __name__ == "__main__":
    crowded = sys.argv[2:] == [CROWD]
    if crowded:
        step_back(os.getpid())
    found = [Job(**one) for one in json.loads(Path(sys.argv[1]).read_text())]
    asyncio.run(_main(found, CROWD_APART_S if crowded else APART_S))
