"""One run of every publisher against one server, seen by three kinds of viewers at the edge.

All cases run at the same time: pushes only copy packets, so a small machine carries them all. Each case is

    pushed      by ffmpeg, in real time, over RTMP, RTMPS or SRT
    followed    by a part client per rendition (blocking reload, hint, part)
    decoded     by `ffmpeg -i URL`, which reads segments and never parts
"""

from __future__ import annotations

import asyncio
import io
import itertools
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import av

from headwater.loadtest.bench.processes import FFMPEG, Peer
from headwater.loadtest.bench.server import Headwater
from headwater.loadtest.follow import PartFollower, ReceivedPart
from headwater.origin.hls import reader
from headwater.origin.hls.model import MediaPlaylist

from .sources import Source, digest, payload_hashes

HARMLESS = "Found duplicated MOOV Atom. Skipped it"
"""libavformat reads the init section again after each reload of a live fMP4 playlist, from any server."""

FOLLOW_S = 9
DECODE_S = 6
RECORDED_BYTES = 100_000


@dataclass
class Watched:
    """One rendition as the part client saw it."""

    init: bytes = b""
    parts: list[ReceivedPart] = field(default_factory=list)
    segments: dict[str, bytes] = field(default_factory=dict)
    """Bodies of the complete segments whose parts were all received, by URI."""
    part_target: float = 0

    def segment_parts(self) -> dict[int, list[ReceivedPart]]:
        """The received parts by MSN."""
        found: dict[int, list[ReceivedPart]] = {}
        for part in self.parts:
            found.setdefault(part.msn, []).append(part)
        return found

    def hashes(self) -> list[str]:
        """Fingerprint of every sample in the parts, as libavformat reads them."""
        media = b"".join(part.download.body for part in self.parts if part.download)
        with av.open(io.BytesIO(self.init + media), "r") as container:
            return [digest(bytes(packet)) for packet in container.demux() if packet.size]


@dataclass
class Frames:
    """What `ffmpeg -i` decoded: per output stream the presentation times in seconds; and what it complained of."""

    times: dict[int, list[float]]
    complaints: str
    returncode: int


@dataclass
class Outcome:
    """All that one case showed."""

    source: Source
    expected: dict[str, list[str]]
    renditions: dict[str, Watched]
    frames: Frames
    push_log: str
    multivariant: str
    sent: bytes
    """The start of what the publisher sent; empty over TLS and SRT."""


class Relay:
    """Passes TCP on to a server and keeps what the client sent, up to `RECORDED_BYTES`."""

    def __init__(self, port: int) -> None:
        self.recorded = b""
        self._to = port
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen; the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop, and wait for the connections to end."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, back, record=True))
                group.create_task(self._pump(there, writer, record=False))
        finally:
            back.close()
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, record: bool) -> None:
        while data := await reader.read(1 << 16):
            if record and len(self.recorded) < RECORDED_BYTES:
                self.recorded += data
            writer.write(data)
            await writer.drain()
        writer.close()


async def run_case(server: Headwater, source: Source, folder: Path, name: str, *, tls: bool) -> Outcome:
    """Push `source` as stream `name` over RTMP or RTMPS, watch it, and stop."""
    relay = Relay(server.ports["rtmp"])
    port = await relay.start()
    url = server.rtmps(name) if tls else f"rtmp://127.0.0.1:{port}/live/{name}"
    path = await asyncio.to_thread(source.make, folder)
    try:
        return await watch(
            server, source, folder, name, source.push_command(path, url, trust=server.certificate), relay
        )
    finally:
        await relay.close()


async def watch(
    server: Headwater, source: Source, folder: Path, name: str, command: Sequence[str], relay: Relay | None = None
) -> Outcome:
    """Run the push `command` of `source`, watch what it publishes as `name`, and stop it."""
    expected = await asyncio.to_thread(payload_hashes, source.make(folder))
    push = Peer(command, folder / f"{name}.push.log")
    try:
        async with aiohttp.ClientSession() as session:
            master = server.url(f"/live/{name}/index.m3u8")
            multivariant = await playable(session, master, push)
            names = list(dict.fromkeys(re.findall(r"([\w-]+)/index\.m3u8", multivariant)))
            watched = {rendition: Watched() for rendition in names}
            async with asyncio.TaskGroup() as group:
                for rendition, seen in watched.items():
                    group.create_task(_follow(session, server.url(f"/live/{name}/{rendition}/index.m3u8"), seen))
                decoding = group.create_task(decode(master))
        sent = relay.recorded if relay is not None else b""
        return Outcome(source, expected, watched, decoding.result(), push.text(), multivariant, sent)
    finally:
        push.kill()


async def playable(session: aiohttp.ClientSession, url: str, push: Peer, *, timeout_s: float = 40) -> str:
    """The multivariant playlist as soon as there is one; RuntimeError when the publisher gives up before."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if push.returncode is not None:
            raise RuntimeError(f"the publisher ended with {push.returncode}: {push.text()}")
        async with session.get(url) as answer:
            if answer.status == 200:
                return await answer.text()
        await asyncio.sleep(0.2)
    raise TimeoutError(f"{url} never became playable: {push.text()}")


async def _follow(session: aiohttp.ClientSession, url: str, seen: Watched) -> None:
    follower = PartFollower(session, url)
    playlist = await follower.reload()
    seen.part_target = playlist.part_target or 0
    seen.init = await follower.init()
    deadline = time.monotonic() + FOLLOW_S
    async for part in follower.parts():
        seen.parts.append(part)
        if time.monotonic() > deadline:
            break
    playlist = await follower.reload()
    whole = {part.msn for part in seen.parts if part.msn < seen.parts[-1].msn}
    for segment in playlist.segments:
        if segment.uri and segment.msn in whole and not segment.gap:
            seen.segments[segment.uri] = (await follower.get(segment.uri)).body


async def decode(url: str) -> Frames:
    """Decode `DECODE_S` seconds with a plain `ffmpeg -i`; every warning is a complaint."""
    command = [FFMPEG, "-hide_banner", "-nostdin", "-v", "level+warning", "-copyts", "-i", url]
    process = await asyncio.create_subprocess_exec(
        *command,
        *("-map", "0", "-copyts", "-fps_mode", "passthrough", "-f", "framecrc", "-"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        return await _decoded(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _decoded(process: asyncio.subprocess.Process) -> Frames:
    assert process.stdout is not None and process.stderr is not None
    errors = asyncio.ensure_future(process.stderr.read())
    times: dict[int, list[float]] = {}
    bases: dict[int, float] = {}
    async for line in process.stdout:
        text = line.decode()
        if match := re.match(r"#tb (\d+): (\d+)/(\d+)", text):
            bases[int(match[1])] = int(match[2]) / int(match[3])
        elif not text.startswith("#"):
            stream, _, pts = (int(value) for value in text.split(",")[:3])
            times.setdefault(stream, []).append(pts * bases[stream])
            if len(times) >= len(bases) and all(seen[-1] - seen[0] > DECODE_S for seen in times.values()):
                break
    process.terminate()
    complaints = [line for line in (await errors).decode().splitlines() if not line.endswith(HARMLESS)]
    await process.stdout.read()
    return Frames(times, "\n".join(complaints), await process.wait())


def largest_step(times: list[float]) -> float:
    """The largest distance between two frames that follow each other in time, seconds."""
    ordered = sorted(times)
    return max((later - earlier for earlier, later in itertools.pairwise(ordered)), default=0.0)


def playlist_of(server: Headwater, path: str) -> MediaPlaylist:
    """The current playlist at the edge."""
    status, body = server.get(path)
    assert status == 200, body
    return reader.read(body.decode())
