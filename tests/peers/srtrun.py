"""Runs the matrix of SRT: the same bytes through the same bad network to our listener and to srt-live-transmit.

All callers of one run call one port of ours at the same time. Beside each, the same caller sends the same bytes to an
srt-live-transmit of its own, through a network with the same seed. Only the first `CUT` bytes count, so that nothing
depends on how a sender ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.encoded import encoded
from tests.srt_receiver import Receiver

from headwater.ingest.srt.limits import Limits
from headwater.ingest.srt.stats import Stats
from headwater.loadtest.bench.processes import free_udp_port
from headwater.loadtest.bench.srtcallers import Job, start
from headwater.loadtest.bench.srtpeers import (
    MUXER,
    Call,
    ffmpeg_caller,
    transmit_caller,
    transmit_listener,
)
from headwater.loadtest.udpproxy import Counts, UdpProxy

from .srtmatrix import CALLERS, FAULTS, KEYS, Case

RATE = 2_000_000
"""Bits per second of the file."""
CUT = 800_000
"""Bytes of each stream that are compared: 3.2 s."""
PATIENCE_S = 25
"""For the first `CUT` bytes."""
LISTENS_S = 0.5
"""From the start of an srt-live-transmit until it listens."""
LOOK_S = 0.02
TS_PACKET = 188
LIMITS = Limits(latency_s=0.02, sessions=512, sessions_per_address=512, half_open_per_address=128, allowance=1e6)
"""All callers come from one address."""
SOURCE = (
    *("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30", "-f", "lavfi", "-i", "sine=sample_rate=48000"),
    *("-t", "40", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"),
    *("-g", "30", "-b:v", "1750k", "-minrate", "1750k", "-maxrate", "1750k", "-bufsize", "600k"),
    *("-x264-params", "nal-hrd=cbr", "-c:a", "aac", "-b:a", "96k"),
)
"""Longer than everybody's patience: no sender comes to its end."""


@dataclass
class Arrived:
    """What a receiver got of one case."""

    data: bytes
    """The first `CUT` bytes that it delivered; fewer when it did not in time."""
    missing: int
    """TS packets of the first `CUT` sent bytes that are not in it."""
    log: str
    """What the caller printed."""
    network: dict[str, Counts]
    stats: Stats | None
    """Ours, when the last of `data` had come."""


@dataclass
class Outcome:
    """Ours, and what srt-live-transmit made of the same."""

    case: Case
    expected: bytes
    """The first `CUT` bytes that were sent."""
    ours: Arrived
    reference: Arrived
    lag_s: float
    """Longest time for which the networks and our receiver stood still, for want of a processor."""


@dataclass
class Line:
    """One caller, its network, and where its receiver puts what comes."""

    case: Case
    name: str
    proxy: UdpProxy
    received: Callable[[], bytes | bytearray]
    measure: Callable[[], Stats | None]
    stream_id: str = ""
    stats: Stats | None = field(default=None)

    @property
    def done(self) -> bool:
        """Enough has come."""
        if len(self.received()) < CUT:
            return False
        self.stats = self.stats or self.measure()
        return True

    def arrived(self, expected: bytes, folder: Path) -> Arrived:
        """The result."""
        data = bytes(self.received()[:CUT])
        network = {"there": self.proxy.there.counts, "back": self.proxy.back.counts}
        return Arrived(data, missing(expected, data), said(folder, self.name), network, self.stats or self.measure())


def make_source(folder: Path) -> bytes:
    """Make the file that ffmpeg pushes; the bytes of the transport stream that it makes of it, which others send."""
    media, stream = folder / "matrix.mp4", folder / "matrix.ts"
    if not stream.exists():
        made = encoded(SOURCE)
        media.symlink_to(made)
        stream.symlink_to(encoded(["-i", str(made), *MUXER], ".ts"))
    return stream.read_bytes()


def job(caller: str, call: Call, folder: Path, name: str) -> Job:
    """How a caller is run."""
    log = str(folder / f"{name}.log")
    if caller == "ffmpeg":
        return Job(tuple(ffmpeg_caller(folder / "matrix.mp4", call)), log)
    return Job(tuple(transmit_caller(call)), log, str(folder / "matrix.ts"), RATE / 8)


def said(folder: Path, name: str) -> str:
    """What a caller has printed so far."""
    path = folder / f"{name}.log"
    return path.read_text(errors="replace") if path.exists() else ""


async def run_cases(cases: Sequence[Case], folder: Path) -> dict[str, Outcome]:
    """All at once, each with its twin."""
    sent = (await asyncio.to_thread(make_source, folder))[:CUT]
    receiver = Receiver(LIMITS, {case.name: case.passphrase for case in cases})
    port = await receiver.start()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(receiver.close)
        pairs = [(_to_us(case, port, receiver), await _to_transmit(case, folder, stack)) for case in cases]
        lines = [line for pair in pairs for line in pair]
        for line in lines:
            await line.proxy.start()
            stack.push_async_callback(line.proxy.close)
        await asyncio.sleep(LISTENS_S)
        jobs = [job(line.case.caller, line.case.call(line.proxy.port, line.stream_id), folder, line.name)
                for line in lines]  # fmt: skip
        stack.callback((await asyncio.to_thread(start, jobs, folder, "matrix")).kill)
        lag_s = await until(lambda: not [line for line in lines if not line.done])
        return {
            mine.case.name: Outcome(mine.case, sent, mine.arrived(sent, folder), theirs.arrived(sent, folder), lag_s)
            for mine, theirs in pairs
        }


def _to_us(case: Case, port: int, receiver: Receiver) -> Line:
    return Line(
        case,
        f"{case.name}.ours",
        UdpProxy(("127.0.0.1", port), there=case.network.link, back=case.network.link, seed=case.name),
        partial(receiver.data, case.name),
        partial(receiver.stats, case.name),
        f"publish:live/{case.name}",
    )


async def _to_transmit(case: Case, folder: Path, stack: contextlib.AsyncExitStack) -> Line:
    port, name = free_udp_port(), f"{case.name}.reference"
    listen = Call(port, 20, "", case.passphrase, case.key_bytes)
    data = await stack.enter_async_context(_transmit(listen, folder / f"{name}.listener.log"))
    proxy = UdpProxy(("127.0.0.1", port), there=case.network.link, back=case.network.link, seed=case.name)
    return Line(case, name, proxy, lambda: data, lambda: None)


@contextlib.asynccontextmanager
async def _transmit(call: Call, log: Path) -> AsyncIterator[bytearray]:
    """An srt-live-transmit that listens; what it receives."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *transmit_listener(call), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=output
        )
    data = bytearray()
    reading = asyncio.ensure_future(_read(process, data))
    try:
        yield data
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await reading


async def _read(process: asyncio.subprocess.Process, into: bytearray) -> None:
    assert process.stdout is not None
    while data := await process.stdout.read(1 << 16):
        into += data


async def until(enough: Callable[[], bool]) -> float:
    """Wait for it, but not longer than `PATIENCE_S`; the longest time for which the loop stood still meanwhile."""
    clock, lag_s = asyncio.get_running_loop().time, 0.0
    deadline = clock() + PATIENCE_S
    while clock() < deadline and not enough():
        before = clock()
        await asyncio.sleep(LOOK_S)
        lag_s = max(lag_s, clock() - before - LOOK_S)
    return lag_s


def missing(expected: bytes, received: bytes) -> int:
    """How many TS packets of `expected` are not in `received`, which is the same with packets left out."""
    coming = [expected[at : at + TS_PACKET] for at in range(0, len(expected), TS_PACKET)]
    found = position = 0
    for at in range(0, len(received), TS_PACKET):
        with contextlib.suppress(ValueError):
            position = coming.index(received[at : at + TS_PACKET], position) + 1
            found += 1
    return len(coming) - found


async def refusals(folder: Path) -> dict[tuple[str, str, int, str], str]:
    """What callers print that are turned away, by (receiver, caller, key length, fault)."""
    await asyncio.to_thread(make_source, folder)
    receiver = Receiver(LIMITS, {fault: theirs for fault, (theirs, _) in FAULTS.items()})
    port = await receiver.start()
    jobs: dict[tuple[str, str, int, str], Job] = {}
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(receiver.close)
        for caller, key_bytes, fault in itertools.product(CALLERS, KEYS[1:], FAULTS):
            theirs, mine = FAULTS[fault]
            target, name = free_udp_port(), f"{caller}-{key_bytes}-{fault}"
            listen = Call(target, 120, "", theirs, key_bytes if theirs else 0)
            await stack.enter_async_context(_transmit(listen, folder / f"{name}.listener.log"))
            for at, to, stream_id in (("ours", port, f"publish:live/{fault}"), ("reference", target, "")):
                call = Call(to, 120, stream_id, mine, key_bytes if mine else 0)
                jobs[at, caller, key_bytes, fault] = job(caller, call, folder, f"{name}.{at}")
        await asyncio.sleep(LISTENS_S)
        stack.callback((await asyncio.to_thread(start, list(jobs.values()), folder, "refusals")).kill)
        await until(lambda: all("REJECT" in log for log in _logs(jobs).values()))
        return _logs(jobs)


def _logs(jobs: dict[tuple[str, str, int, str], Job]) -> dict[tuple[str, str, int, str], str]:
    return {key: Path(job.log).read_text() if Path(job.log).exists() else "" for key, job in jobs.items()}
