"""CPU and memory of passthrough streams: N publishers of 1080p30 at 6 Mbit/s, beside nginx-rtmp with HLS.

Both servers get the same packets from the same file in the same run, one after the other, each alone.
The file is encoded once; pushing it costs a copy. CPU is what the kernel counted for the serving process
(Headwater: the origin process; nginx: its worker) over the measured time.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .nginx import NginxRtmp
from .processes import FFMPEG, Peer, cpu_seconds, resident_bytes
from .server import Headwater

SOURCE_S = 20
SOURCE = (
    *("-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=30", "-f", "lavfi", "-i", "sine=sample_rate=48000"),
    *("-t", str(SOURCE_S), "-vf", "noise=alls=20:allf=t", "-pix_fmt", "yuv420p", "-c:v", "libx264"),
    *("-preset", "ultrafast", "-tune", "zerolatency", "-g", "60", "-b:v", "6M", "-minrate", "6M", "-maxrate", "6M"),
    *("-bufsize", "6M", "-x264-params", "nal-hrd=cbr", "-c:a", "aac", "-b:a", "128k"),
)


@dataclass(frozen=True)
class Usage:
    """What a server used per stream."""

    cpu_percent: float
    """Percent of one core."""
    resident_mib: float
    """Growth of resident memory since before the first publisher."""


def encode_source(folder: Path) -> Path:
    """The 1080p30 file at 6 Mbit/s with noise and AAC, encoded into `folder` once."""
    path = folder / "1080p30-6M.mp4"
    if not path.exists():
        temporary = path.with_suffix(".tmp.mp4")
        subprocess.run([FFMPEG, "-v", "error", "-y", *SOURCE, str(temporary)], check=True, timeout=300)
        temporary.rename(path)
    return path


@contextlib.contextmanager
def publishers(source: Path, url: Callable[[str], str], count: int, folder: Path) -> Iterator[list[Peer]]:
    """`count` ffmpegs that push `source` in a loop, started 0.2 s apart; RuntimeError when one gives up."""
    peers: list[Peer] = []
    try:
        for index in range(count):
            command = [FFMPEG, "-hide_banner", "-v", "warning", "-re", "-stream_loop", "-1", "-i", str(source)]
            command += ["-c", "copy", "-f", "flv", url(f"bench{index}")]
            peers.append(Peer(command, folder / f"push{index}.log"))
            time.sleep(0.2)
        yield peers
        dead = [peer for peer in peers if peer.returncode is not None]
        if dead:
            raise RuntimeError(f"{len(dead)} of {count} publishers ended early: {dead[0].text()[-500:]}")
    finally:
        for peer in peers:
            peer.kill()


def measure(pid: int, seconds: float, count: int, resident_before: int) -> Usage:
    """Watch process `pid` for `seconds`."""
    cpu, began = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    busy = (cpu_seconds(pid) - cpu) / (time.monotonic() - began)
    return Usage(100 * busy / count, (resident_bytes(pid) - resident_before) / count / (1 << 20))


def headwater(source: Path, folder: Path, *, count: int, warm_s: float, seconds: float) -> Usage:
    """Headwater's origin process under `count` publishers."""
    server = Headwater(folder / "headwater").start()
    try:
        pid = server.pid
        before = resident_bytes(pid)
        with publishers(source, server.rtmp, count, folder):
            time.sleep(warm_s)
            return measure(pid, seconds, count, before)
    finally:
        server.stop()


def nginx(source: Path, folder: Path, *, count: int, warm_s: float, seconds: float) -> Usage:
    """nginx-rtmp's worker under the same publishers; its media files are in `folder`, not in its memory."""
    server = NginxRtmp(folder / "nginx").start()
    try:
        pid = server.worker()
        before = resident_bytes(pid)
        with publishers(source, server.rtmp, count, folder):
            time.sleep(warm_s)
            return measure(pid, seconds, count, before)
    finally:
        server.stop()
