"""Callers x encryption x networks, towards our SRT listener and towards srt-live-transmit, and what arrived.

All callers of one run call one port of ours at the same time. Beside each, the same caller sends the same bytes to an
srt-live-transmit of its own, through a network with the same seed. Only the first `CUT` bytes count, so that nothing
depends on how a sender ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.srt_receiver import Receiver

from headwater.ingest.srt.limits import Limits
from headwater.ingest.srt.stats import Stats
from headwater.loadtest.bench.processes import FFMPEG
from headwater.loadtest.bench.srtpeers import (
    MUXER,
    Call,
    feed,
    ffmpeg_caller,
    free_udp_port,
    transmit_caller,
    transmit_listener,
)
from headwater.loadtest.bench.udpproxy import Counts, Link, UdpProxy

PASSPHRASE = "correct-horse-battery-staple"
WRONG = "correct-horse-battery-stapler"
RATE = 2_000_000
"""Bits per second of the file."""
CUT = 800_000
"""Bytes of each stream that are compared: 3.2 s."""
PATIENCE_S = 30
"""For the first `CUT` bytes."""
SOURCE_S = 20
REORDER_S = 0.01
"""How long a datagram is held back that others overtake: five of them, at 2 Mbit/s.

Why not more: libsrt callers ask again after 250 ms. At a round trip of more than that the answers to their two
questions are under way at once, and a caller (1.5.1 and 1.5.7) gives up when these change places.
"""
TS_PACKET = 188
CONNECTED = "SRT target connected"
"""What srt-live-transmit prints when its listener has accepted."""
LISTENS_S = 0.4
"""From the start of an srt-live-transmit until it listens."""
LIMITS = Limits(latency_s=0.02, sessions=512, sessions_per_address=512, half_open_per_address=128, allowance=1e6)
"""All callers come from one address."""

SOURCE = (
    *("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30", "-f", "lavfi", "-i", "sine=sample_rate=48000"),
    *("-t", str(SOURCE_S), "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"),
    *("-g", "30", "-b:v", "1750k", "-minrate", "1750k", "-maxrate", "1750k", "-bufsize", "600k"),
    *("-x264-params", "nal-hrd=cbr", "-c:a", "aac", "-b:a", "96k"),
)


@dataclass(frozen=True)
class Network:
    """Both directions are alike. `loss`, `reorder`, `duplicate`: shares of datagrams."""

    name: str
    rtt_ms: int = 0
    loss: float = 0
    reorder: float = 0
    duplicate: float = 0

    @property
    def link(self) -> Link:
        """One direction."""
        delay_s = self.rtt_ms / 2_000
        return Link(self.loss, self.duplicate, self.reorder, REORDER_S, delay_s, delay_s / 50)

    @property
    def latency_ms(self) -> int:
        """What is promised to be enough: 4 round trips up to 1 % loss, 6 up to 5 %, 8 at 10 %; 120 at the least."""
        trips = 4 if self.loss <= 0.01 else 6 if self.loss <= 0.05 else 8
        return max(120, trips * self.rtt_ms)


NETWORKS = {
    network.name: network
    for network in (
        Network("direct"),
        *(
            Network(f"{name}-{rtt_ms}ms", rtt_ms, *shares)
            for rtt_ms in (50, 200)
            for name, shares in (
                ("clean", ()),
                ("loss1", (0.01,)),
                ("loss5", (0.05,)),
                ("loss10", (0.1,)),
                ("reorder", (0, 0.1)),
                ("duplicate", (0, 0, 0.1)),
            )
        ),
    )
}
CALLERS = ("ffmpeg", "transmit")
KEYS = (0, 16, 24, 32)


@dataclass(frozen=True)
class Case:
    """One caller; its name is also its stream's."""

    caller: str
    key_bytes: int
    network: Network

    @property
    def name(self) -> str:
        return f"{self.caller}-{f'aes{8 * self.key_bytes}' if self.key_bytes else 'plain'}-{self.network.name}"

    @property
    def passphrase(self) -> str:
        return PASSPHRASE if self.key_bytes else ""

    def call(self, port: int, stream_id: str) -> Call:
        return Call(port, self.network.latency_ms, stream_id, self.passphrase, self.key_bytes)


ALL = [Case(*parts) for parts in itertools.product(CALLERS, KEYS, NETWORKS.values())]
"""The whole product, for `make srt-matrix`."""
COVER = [
    Case(caller, KEYS[(turn + 2 * which) % len(KEYS)], network)
    for turn, network in enumerate(NETWORKS.values())
    for which, caller in enumerate(CALLERS)
]
"""Every caller on every network, and every caller with every key length three times or more: for `make test`."""


@dataclass
class Arrived:
    """What a receiver got of one case."""

    data: bytes
    """The first `CUT` bytes that it delivered; fewer when it did not in time."""
    missing: int
    """TS packets of the first `CUT` sent bytes that are not in it."""
    log: str
    network: dict[str, Counts]
    stats: Stats | None = None


@dataclass
class Outcome:
    """Ours, and what srt-live-transmit made of the same."""

    case: Case
    expected: bytes
    """The first `CUT` bytes that were sent."""
    ours: Arrived
    reference: Arrived


@dataclass
class Bench:
    """What the cases of one run share."""

    folder: Path
    receiver: Receiver
    port: int
    media: Path
    expected: bytes
    """What every caller sends."""


def make_source(folder: Path) -> tuple[Path, bytes]:
    """The file that ffmpeg pushes, and the bytes of the transport stream that it makes of it."""
    media, stream = folder / "matrix.mp4", folder / "matrix.ts"
    if not stream.exists():
        quiet = [FFMPEG, "-v", "error", "-y"]
        subprocess.run([*quiet, *SOURCE, str(media)], check=True, timeout=120)
        subprocess.run([*quiet, "-i", str(media), *MUXER, str(stream)], check=True, timeout=60)
    return media, stream.read_bytes()


async def run_cases(cases: Sequence[Case], folder: Path) -> dict[str, Outcome]:
    """All at once, each with its twin."""
    async with _bench({case.name: case.passphrase for case in cases}, folder) as bench:
        ours = asyncio.gather(*(_to_us(bench, case) for case in cases))
        theirs = asyncio.gather(*(_to_transmit(bench, case) for case in cases))
        pairs = zip(cases, await ours, await theirs, strict=True)
        return {case.name: Outcome(case, bench.expected[:CUT], mine, their) for case, mine, their in pairs}


@contextlib.asynccontextmanager
async def _bench(secrets_of: Mapping[str, str], folder: Path) -> AsyncIterator[Bench]:
    media, expected = await asyncio.to_thread(make_source, folder)
    receiver = Receiver(LIMITS, secrets_of)
    bench = Bench(folder, receiver, await receiver.start(), media, expected)
    try:
        yield bench
    finally:
        await receiver.close()


async def _to_us(bench: Bench, case: Case) -> Arrived:
    receiver = bench.receiver
    proxy = UdpProxy(("127.0.0.1", bench.port), there=case.network.link, back=case.network.link, seed=case.name)
    port = await proxy.start()
    call = case.call(port, f"publish:live/{case.name}")
    try:
        log = await send(bench, case.caller, call, f"{case.name}.ours", lambda: receiver.count(case.name) >= CUT)
        stats = receiver.stats(case.name)
    finally:
        await proxy.close()
    found = receiver.streams.get(case.name)
    data = bytes(found.data[:CUT]) if found else b""
    return _arrived(bench, data, log, proxy, stats)


async def _to_transmit(bench: Bench, case: Case) -> Arrived:
    target, data = free_udp_port(), bytearray()
    proxy = UdpProxy(("127.0.0.1", target), there=case.network.link, back=case.network.link, seed=case.name)
    port = await proxy.start()
    try:
        async with _transmit(bench, case.name, Call(target, 20, "", case.passphrase, case.key_bytes), data):
            call = case.call(port, "")
            log = await send(bench, case.caller, call, f"{case.name}.reference", lambda: len(data) >= CUT)
    finally:
        await proxy.close()
    return _arrived(bench, bytes(data[:CUT]), log, proxy, None)


@contextlib.asynccontextmanager
async def _transmit(bench: Bench, name: str, call: Call, data: bytearray) -> AsyncIterator[None]:
    """An srt-live-transmit that listens; what it receives goes to `data`."""
    with (bench.folder / f"{name}.transmit.log").open("wb") as log:
        listener = await asyncio.create_subprocess_exec(
            *transmit_listener(call), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=log
        )
    reading = asyncio.ensure_future(_read(listener, data))
    try:
        await asyncio.sleep(LISTENS_S)
        yield
    finally:
        await end(listener)
        await reading


def _arrived(bench: Bench, data: bytes, log: str, proxy: UdpProxy, stats: Stats | None) -> Arrived:
    counts = {"there": proxy.there.counts, "back": proxy.back.counts}
    return Arrived(data, missing(bench.expected[:CUT], data), log, counts, stats)


async def _read(process: asyncio.subprocess.Process, into: bytearray) -> None:
    assert process.stdout is not None
    while data := await process.stdout.read(1 << 16):
        into += data


async def send(bench: Bench, caller: str, call: Call, name: str, enough: Callable[[], bool]) -> str:
    """Run a caller until `enough()`, until it ends, or for `PATIENCE_S`; what it printed."""
    log = bench.folder / f"{name}.log"
    command = ffmpeg_caller(bench.media, call) if caller == "ffmpeg" else transmit_caller(call)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL if caller == "ffmpeg" else asyncio.subprocess.PIPE,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
        )
    feeding = None
    if caller != "ffmpeg":
        feeding = asyncio.ensure_future(_feed(bench, process, log))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not enough() and process.returncode is None:  # noqa: ASYNC110  # two things, of two kinds
                await asyncio.sleep(0.05)
    except TimeoutError:
        pass
    finally:
        if feeding is not None:
            feeding.cancel()
        await end(process)
    return said(log)


async def _feed(bench: Bench, process: asyncio.subprocess.Process, log: Path) -> None:
    """Once it is connected: what it reads before is thrown away."""
    while CONNECTED not in said(log):  # noqa: ASYNC110  # a process prints it
        await asyncio.sleep(0.02)
    await feed(process, bench.expected, RATE / 8)


def said(log: Path) -> str:
    """What a process has printed so far."""
    return log.read_text(errors="replace")


async def end(process: asyncio.subprocess.Process) -> None:
    """Kill it, and wait."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def missing(expected: bytes, received: bytes) -> int:
    """How many TS packets of `expected` are not in `received`, which is the same with packets left out."""
    coming = [expected[at : at + TS_PACKET] for at in range(0, len(expected), TS_PACKET)]
    found = position = 0
    for at in range(0, len(received), TS_PACKET):
        packet = received[at : at + TS_PACKET]
        with contextlib.suppress(ValueError):
            position = coming.index(packet, position) + 1
            found += 1
    return len(coming) - found


FAULTS = {"wrong": (PASSPHRASE, WRONG), "missing": (PASSPHRASE, ""), "unexpected": ("", PASSPHRASE)}
"""The receiver's passphrase, and the caller's."""


async def refusals(folder: Path) -> dict[tuple[str, str, int, str], str]:
    """What callers print that are turned away, by (receiver, caller, key length, fault)."""
    cases = list(itertools.product(CALLERS, KEYS[1:], FAULTS))
    async with _bench({fault: theirs for fault, (theirs, _) in FAULTS.items()}, folder) as bench:

        async def ours(caller: str, key_bytes: int, fault: str) -> str:
            call = Call(bench.port, 120, f"publish:live/{fault}", FAULTS[fault][1], key_bytes)
            return await refused(bench, caller, call, f"{caller}-{key_bytes}-{fault}.ours")

        async def reference(caller: str, key_bytes: int, fault: str) -> str:
            port, name = free_udp_port(), f"{caller}-{key_bytes}-{fault}.reference"
            theirs, mine = FAULTS[fault]
            async with _transmit(bench, name, Call(port, 120, "", theirs, key_bytes if theirs else 0), bytearray()):
                return await refused(bench, caller, Call(port, 120, "", mine, key_bytes), name)

        said = await asyncio.gather(*(ours(*case) for case in cases), *(reference(*case) for case in cases))
    keys = [(at, *case) for at in ("ours", "reference") for case in cases]
    return dict(zip(keys, said, strict=True))


async def refused(bench: Bench, caller: str, call: Call, name: str) -> str:
    """What a caller prints that is to be refused; it is ended once it has said why."""
    log = bench.folder / f"{name}.log"
    return await send(bench, caller, call, name, lambda: "REJECT" in said(log))
