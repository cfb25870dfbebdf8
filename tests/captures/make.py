"""Record what real FFmpeg publishers send: the captured sessions that the talk and fuzz tests replay.

    .venv/bin/python tests/captures/make.py            # writes tests/captures/*.rtmp
    .venv/bin/python tests/captures/make.py --player   # FFmpeg as player checks our digest handshake

Each file holds the bytes of one connection, from C0 to the end, as they came in. Small on purpose.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import imageio_ffmpeg

from headwater.ingest.media import Packet
from headwater.ingest.rtmp.events import Closed, PublishRequested, SessionEvent
from headwater.ingest.rtmp.limits import Limits
from headwater.ingest.rtmp.session import PublishSession

HERE = Path(__file__).parent
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()

VIDEO = ["-f", "lavfi", "-i", "testsrc=size=160x90:rate=25"]
AUDIO = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
X264 = ["-c:v", "libx264", "-preset", "veryfast", "-g", "25", "-pix_fmt", "yuv420p", "-b:v", "100k"]
AAC = ["-c:a", "aac", "-b:a", "48k"]

CASES: dict[str, list[str]] = {
    "h264-aac": [*VIDEO, *AUDIO, "-t", "2", *X264, "-bf", "2", *AAC],
    "hevc-aac": [*VIDEO, *AUDIO, "-t", "2", "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=0",
                 "-g", "25", "-pix_fmt", "yuv420p", "-b:v", "100k", *AAC],
    "av1-opus": [*VIDEO, *AUDIO, "-t", "2", "-c:v", "libsvtav1", "-preset", "12", "-g", "25", "-pix_fmt", "yuv420p",
                 "-c:a", "libopus", "-b:a", "48k"],
    "multitrack": [*VIDEO, *AUDIO, *AUDIO, "-t", "2", "-map", "0", "-map", "1", "-map", "2", *X264, *AAC],
    "extended-timestamps": [*VIDEO, *AUDIO, "-t", "2", "-output_ts_offset", "16790", *X264, *AAC],
    "audio-only": [*AUDIO, "-t", "2", *AAC],
}  # fmt: skip


class Recorder(asyncio.Protocol):
    """A shell around one session: accepts every publish, keeps the bytes and the events."""

    def __init__(self, done: asyncio.Future[Recorder]) -> None:
        self.received = bytearray()
        self.events: list[SessionEvent] = []
        self.cpu_s = 0.0
        self._done = done
        self._session = PublishSession(Limits(), time.monotonic(), os.urandom(32))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        start = time.process_time()
        self._session.receive_data(data, time.monotonic())
        self.cpu_s += time.process_time() - start
        self._act()

    def eof_received(self) -> None:
        self._session.receive_eof(time.monotonic())
        self._act()

    def connection_lost(self, exc: Exception | None) -> None:
        self._session.receive_eof(time.monotonic())
        self._act()
        if not self._done.done():
            self._done.set_result(self)

    def _act(self) -> None:
        while events := self._session.events_received():
            self.events += events
            if any(isinstance(event, PublishRequested) for event in events):
                self._session.accept(time.monotonic())
        self._transport.write(self._session.data_to_send())
        if self._session.closed:
            self._transport.close()


async def serve(command: list[str]) -> tuple[Recorder, bytes]:
    """Run FFmpeg with `command` (URL appended by `{url}`) against one session."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Recorder] = loop.create_future()
    server = await loop.create_server(lambda: Recorder(done), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"rtmp://127.0.0.1:{port}/live/demo?key=test-secret"
    process = await asyncio.create_subprocess_exec(
        *[part.replace("{url}", url) for part in command], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        _, errors = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
    recorder = await asyncio.wait_for(done, 5)
    server.close()
    return recorder, errors


async def capture(name: str, arguments: list[str]) -> None:
    """Record one case."""
    command = [FFMPEG, "-hide_banner", "-loglevel", "warning", "-re", *arguments, "-f", "flv", "{url}"]
    recorder, errors = await serve(command)
    (HERE / f"{name}.rtmp").write_bytes(recorder.received)
    kinds = Counter(type(event).__name__ for event in recorder.events)
    tracks = Counter(event.track for event in recorder.events if isinstance(event, Packet))
    last = next(event for event in recorder.events if isinstance(event, Closed))
    print(f"{name}: {len(recorder.received)} bytes, {dict(kinds)}, {dict(tracks)}, {last.reason}: {last.detail}")
    print("".join(line for line in errors.decode().splitlines(True) if "Svt[" not in line), end="")


async def player() -> None:
    """FFmpeg reads from us: it checks S1 and S2 of the digest handshake, then is told that it cannot play."""
    recorder, errors = await serve([FFMPEG, "-hide_banner", "-loglevel", "debug", "-i", "{url}", "-f", "null", "-"])
    print(errors.decode())
    print(recorder.events)


async def main() -> None:
    if "--player" in sys.argv:
        await player()
        return
    chosen = sys.argv[1:] or CASES
    for name in chosen:
        await capture(name, CASES[name])


if __name__ == "__main__":
    asyncio.run(main())
