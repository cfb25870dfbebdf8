"""SRT: many callers at once, CPU beside srt-live-transmit, delay beside RTMP.

    callers     50 encrypted callers of 2 Mbit/s at one port of `headwater origin`, every stream followed part by part
                at its listener. Why no edge: it would have a third of a core that the callers need on two of them
    cpu         a few encrypted callers of 8 Mbit/s: our server down to the parts, over SRT and over RTMP, and
                srt-live-transmit, which receives and writes the bytes to nowhere; each alone, one after the other
    delay       from the last datagram of the frame that closes a part to that part at a client of the edge

CPU is what the kernel counted for the receiving process (Headwater: the origin process).
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from headwater.loadtest.follow import PartFollower
from headwater.loadtest.udpproxy import UdpProxy

from .delay import Delay, follow, pair, summary
from .metrics import samples
from .processes import FFMPEG, Peer, cpu_seconds, free_udp_port
from .server import Headwater
from .srtcallers import APART_S, CROWD_APART_S, Job, start
from .srtpeers import Call, ffmpeg_caller, transmit_listener
from .tsframes import FrameEnds, video_sizes

PASSPHRASE = "of-the-benchmark"
KEY_BYTES = 32
CROWD_LATENCY_MS = 500
"""Of each of many callers. Why: what the kernel drops while the origin is busy elsewhere comes again in that time."""
LISTENS_S = 1.0
"""From the start of an srt-live-transmit until it listens."""
SRT_SETTINGS = f'passphrase = "{PASSPHRASE}"\n[ingest.srt.limits]\nconnections_per_address = 256'


@dataclass(frozen=True)
class Crowd:
    """What many callers cost, and what became of them."""

    callers: int
    cpu_percent: float
    """Of one core, all callers together."""
    parts: int
    """Received at the origin's listener, of all streams together."""
    gaps: int
    packets: int
    lost: int
    dropped: int
    kernel_drops: int


@dataclass(frozen=True)
class Cost:
    """Percent of one core per caller of 8 Mbit/s."""

    srt: float
    rtmp: float
    transmit: float


def encode(folder: Path, name: str, size: str, kilobits: int) -> Path:
    """A file of 20 s with noise at a constant rate, and AAC; made once."""
    path = folder / f"{name}.mp4"
    if not path.exists():
        rate = f"{kilobits - 128}k"
        command = [FFMPEG, "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate=30"]
        command += ["-f", "lavfi", "-i", "sine=sample_rate=48000", "-t", "20", "-vf", "noise=alls=20:allf=t"]
        command += ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"]
        command += ["-g", "60", "-b:v", rate, "-minrate", rate, "-maxrate", rate, "-bufsize", rate]
        command += ["-x264-params", "nal-hrd=cbr", "-c:a", "aac", "-b:a", "128k", str(path)]
        subprocess.run(command, check=True, timeout=300)
    return path


def call(server: Headwater, index: int, latency_ms: int = 120) -> Call:
    """How the caller of stream `bench<index>` calls."""
    return server.srt(f"bench{index}", latency_ms=latency_ms, passphrase=PASSPHRASE, key_bytes=KEY_BYTES)


def _complaints(log: str, *, late: bool) -> str:
    """What ffmpeg said. `late`: but for that it was late itself, as a crowd leaves the processors to the server."""
    lines = [line for line in log.splitlines() if line.strip()]
    return "\n".join(line for line in lines if not (late and "Resumed reading at pts" in line))


@contextlib.contextmanager
def callers(source: Path, calls: list[Call], folder: Path, name: str, *, crowd: bool = False) -> Iterator[None]:
    """ffmpegs that push `source` in a loop; RuntimeError when one said anything in the end. `crowd`: see `start`."""
    logs = [folder / f"{name}{index}.log" for index in range(len(calls))]
    jobs = [Job(tuple(ffmpeg_caller(source, one, loop=True)), str(log)) for one, log in zip(calls, logs, strict=True)]
    peer = start(jobs, folder, name, crowd=crowd)
    try:
        time.sleep((CROWD_APART_S if crowd else APART_S) * len(jobs))
        yield
        said = [text for log in logs if (text := _complaints(log.read_text(errors="replace"), late=crowd))]
        if said:
            raise RuntimeError(f"{len(said)} of {len(calls)} callers complained: {said[0][-500:]}")
    finally:
        peer.kill()


# -- many ------------------------------------------------------------------------------------------------------------


def crowd(folder: Path, *, count: int, seconds: float) -> Crowd:
    """`count` callers of 2 Mbit/s; every video rendition is followed for `seconds`."""
    source = encode(folder, "640x360-2M", "640x360", 2_000)
    room = f"max_streams = {count + 10}"
    server = _Roomy(folder / "crowd", srt_settings=SRT_SETTINGS, room=room, role="origin").start()
    calls = [call(server, index, CROWD_LATENCY_MS) for index in range(count)]
    try:
        with callers(source, calls, folder, "crowd", crowd=True):
            for index in range(count):
                server.wait_playable(f"bench{index}", timeout_s=60)
            cpu, began = cpu_seconds(server.pid), time.monotonic()
            parts, gaps = asyncio.run(_follow_all(server, count, seconds))
            busy = (cpu_seconds(server.pid) - cpu) / (time.monotonic() - began)
            return Crowd(
                callers=count,
                cpu_percent=100 * busy,
                parts=parts,
                gaps=gaps,
                packets=_counted(server, "packets"),
                lost=_counted(server, "lost_packets"),
                dropped=_counted(server, "dropped_packets"),
                kernel_drops=_kernel_drops(server),
            )
    finally:
        server.stop()


@dataclass
class _Roomy(Headwater):
    """With room for many streams."""

    room: str = ""

    def _toml(self) -> str:
        return super()._toml().replace("[ingest.rtmp]", f"[ingest]\n{self.room}\n[ingest.rtmp]")


async def _follow_all(server: Headwater, count: int, seconds: float) -> tuple[int, int]:
    async def one(session: aiohttp.ClientSession, index: int) -> tuple[int, int]:
        follower = PartFollower(session, server.url(f"/live/bench{index}/source/index.m3u8", at="origin"))
        deadline, parts, gaps = time.monotonic() + seconds, 0, 0
        async for part in follower.parts():
            parts += 1
            gaps += part.download is None
            if time.monotonic() > deadline:
                break
        return parts, gaps

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        found = await asyncio.gather(*(one(session, index) for index in range(count)))
    return sum(parts for parts, _ in found), sum(gaps for _, gaps in found)


def _counted(server: Headwater, name: str) -> int:
    return int(server.metric(f"headwater_srt_{name}_total"))


def _kernel_drops(server: Headwater) -> int:
    found = samples(server.metrics(), "headwater_srt_datagrams_dropped_total", reason="socket_buffer")
    if not found:
        raise RuntimeError("the server does not say what its socket dropped")
    return int(found[0].value)


# -- CPU -------------------------------------------------------------------------------------------------------------


def cost(folder: Path, *, count: int, warm_s: float, seconds: float) -> Cost:
    """The same `count` callers at our server, and each at an srt-live-transmit of its own."""
    name = f"cost{count}"
    source = encode(folder, "1080p30-8M", "1920x1080", 8_000)
    transmit = _transmit(source, folder, count, warm_s, seconds)
    server = Headwater(folder / name, srt_settings=SRT_SETTINGS).start()
    try:
        with callers(source, [call(server, index) for index in range(count)], folder, name):
            time.sleep(warm_s)
            srt = _busy([server.pid], seconds)
        time.sleep(2)
        push = (FFMPEG, "-v", "warning", "-re", "-stream_loop", "-1", "-i", str(source), "-c", "copy", "-f", "flv")
        jobs = [
            Job((*push, server.rtmp(f"over-rtmp{index}")), str(folder / f"{name}-rtmp{index}.log"))
            for index in range(count)
        ]
        peer = start(jobs, folder, f"{name}-rtmp")
        try:
            time.sleep(warm_s)
            rtmp = _busy([server.pid], seconds)
        finally:
            peer.kill()
    finally:
        server.stop()
    return Cost(srt / count, rtmp / count, transmit / count)


def _transmit(source: Path, folder: Path, count: int, warm_s: float, seconds: float) -> float:
    calls = [Call(free_udp_port(), 120, "", PASSPHRASE, KEY_BYTES) for _ in range(count)]
    with contextlib.ExitStack() as stack:
        pids = []
        for one in calls:
            process = subprocess.Popen(
                transmit_listener(one), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            pids.append(process.pid)
        time.sleep(LISTENS_S)
        stack.enter_context(callers(source, calls, folder, "transmit"))
        time.sleep(min(warm_s, 5))
        return _busy(pids, seconds)


def _busy(pids: list[int], seconds: float) -> float:
    """Percent of one core that the processes use together."""
    cpu, began = sum(map(cpu_seconds, pids)), time.monotonic()
    time.sleep(seconds)
    return 100 * (sum(map(cpu_seconds, pids)) - cpu) / (time.monotonic() - began)


# -- delay -----------------------------------------------------------------------------------------------------------


def delay(source: Path, folder: Path, *, seconds: float) -> Delay:
    """Push the video of `source` over SRT, plain so that the network can see its frames, and follow it."""
    server = Headwater(folder / "srt-delay").start()
    try:
        return summary(asyncio.run(_delays(server, source, folder, seconds)))
    finally:
        server.stop()


async def _delays(server: Headwater, source: Path, folder: Path, seconds: float) -> list[float]:
    ends = FrameEnds()
    proxy = UdpProxy(("127.0.0.1", server.ports["srt"]), tap=ends.datagram)
    port = await proxy.start()
    command = ffmpeg_caller(source, replace(server.srt("delay"), port=port), loop=True)
    command[command.index("-map") + 1] = "0:v"
    push = await asyncio.to_thread(Peer, command, folder / "srt-delay.log")
    try:
        await asyncio.to_thread(server.wait_playable, "delay")
        received = await follow(server.url("/live/delay/source/index.m3u8"), seconds)
        await asyncio.sleep(0.5)
    finally:
        await asyncio.to_thread(push.kill)
        await proxy.close()
    sizes = await asyncio.to_thread(video_sizes, source)
    times = ends.times()
    sent = [(sizes[index % len(sizes)], at) for index, at in enumerate(times)]
    return pair(sent, received)
