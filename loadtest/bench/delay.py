"""Delay from the packet that closes a part to that part's last byte at a client of the edge.

A publisher process pushes H.264 in real time through libavformat's RTMP client and notes the clock when the
last byte of each packet was handed to the socket. A client of the edge follows the playlist with preload
hints. The packet that closes a part is the first one that is not in it. Both clocks are CLOCK_MONOTONIC.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
import av
from av.video.stream import VideoStream

from headwater.loadtest.follow import FollowError, PartFollower
from headwater.loadtest.fragments import chunks

from .server import Headwater


@dataclass(frozen=True)
class Delay:
    """Milliseconds over `parts` parts."""

    parts: int
    p50_ms: float
    p99_ms: float
    worst_ms: float


def push(source: str, url: str, seconds: float, report: Connection) -> None:
    """Push the video track of `source` in a loop, in real time, for `seconds`; reports (payload size, sent at)."""
    sent: list[tuple[int, float]] = []
    with av.open(url, "w", format="flv", options={"flush_packets": "1"}) as output:
        target: VideoStream | None = None
        began, offset = time.monotonic(), 0.0
        while offset < seconds:
            with av.open(source) as file:
                stream = file.streams.video[0]
                target = target or output.add_stream_from_template(stream)
                for packet in file.demux(stream):
                    if packet.dts is None or packet.pts is None or packet.time_base is None:
                        continue
                    shift = round(offset / packet.time_base)
                    packet.dts, packet.pts = packet.dts + shift, packet.pts + shift
                    time.sleep(max(0.0, began + float(packet.dts * packet.time_base) - time.monotonic()))
                    size = packet.size
                    packet.stream = target
                    output.mux_one(packet)
                    sent.append((size, time.monotonic()))
                offset += float((stream.duration or 0) * (stream.time_base or 0))
    report.send(sent)


async def follow(url: str, seconds: float) -> list[tuple[int, float]]:
    """(media bytes, last byte at) of each part in order; media bytes are those of its mdat."""
    received: list[tuple[int, float]] = []
    async with aiohttp.ClientSession() as session:
        follower = PartFollower(session, url)
        deadline = time.monotonic() + seconds
        async for part in follower.parts():
            if part.download is None:
                raise FollowError(f"GAP in a steady stream at {part.msn}.{part.index}")
            size = sum(chunk.media_bytes for chunk in chunks(part.download.body))
            received.append((size, part.download.last_byte))
            if time.monotonic() > deadline:
                return received
    return received


def pair(sent: list[tuple[int, float]], received: list[tuple[int, float]], *, settle: int = 8) -> list[float]:
    """Seconds from each part's closing packet to the part's arrival.

    Parts are matched to packets by their exact sizes, so a lost or altered sample shows as a ValueError; no parts too.
    The first `settle` parts are left out: they were listed before the client came.
    """
    if not received:
        raise ValueError("no parts")
    sizes = [size for size, _ in sent]
    start = _find(sizes, received[0][0])
    delays = []
    for size, arrived in received:
        end, total = start, 0
        while total < size and end < len(sizes):
            total += sizes[end]
            end += 1
        if total != size:
            raise ValueError(f"a part of {size} bytes is not a run of packets at {start}")
        if end >= len(sent):
            break
        delays.append(arrived - sent[end][1])
        start = end
    return delays[settle:]


def summary(delays: Sequence[float]) -> Delay:
    """Of delays in seconds; ValueError when there is none."""
    if not delays:
        raise ValueError("too few parts to measure")
    ordered = sorted(delays)
    return Delay(
        parts=len(ordered),
        p50_ms=1e3 * ordered[len(ordered) // 2],
        p99_ms=1e3 * ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
        worst_ms=1e3 * ordered[-1],
    )


def _find(sizes: list[int], first: int) -> int:
    for start in range(len(sizes)):
        total = 0
        for size in sizes[start : start + 200]:
            total += size
            if total == first:
                return start
            if total > first:
                break
    raise ValueError("the first part is no run of packets")


def measure(source: Path, folder: Path, *, seconds: float) -> Delay:
    """Run server, publisher and client; raises FollowError or ValueError when the stream was not delivered whole."""
    server = Headwater(folder / "delay").start()
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=push, args=(str(source), server.rtmp("delay"), seconds + 10, theirs))
    try:
        process.start()
        server.wait_playable("delay")
        received = asyncio.run(follow(server.url("/live/delay/source/index.m3u8"), seconds))
        if not mine.poll(30):
            raise TimeoutError("the publisher did not end")
        delays = pair(mine.recv(), received)
    finally:
        process.join(5)
        process.kill()
        server.stop()
    return summary(delays)
