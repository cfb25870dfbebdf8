"""Frames of a transport stream in SRT datagrams."""

from __future__ import annotations

import subprocess
from pathlib import Path

from headwater.loadtest.bench.processes import FFMPEG
from headwater.loadtest.bench.tsframes import SRT_HEADER, FrameEnds, video_sizes


def packet(pid: int, *, start: bool = False) -> bytes:
    return bytes((0x47, start << 6 | pid >> 8, pid & 0xFF, 0x10)) + bytes(184)


def data(*packets: bytes) -> bytes:
    return bytes(SRT_HEADER) + b"".join(packets)


def test_a_frame_ends_with_its_last_datagram() -> None:
    ends = FrameEnds()
    ends.datagram(data(packet(0x100), packet(0x100, start=True), packet(0x101, start=True)), 1.0)
    ends.datagram(data(packet(0x101), packet(0x100)), 2.0)
    ends.datagram(data(packet(0x101)), 3.0)
    ends.datagram(b"\x80" + data(packet(0x100))[1:], 4.0)
    ends.datagram(b"short", 5.0)
    ends.datagram(data(packet(0x100, start=True), packet(0x100, start=True)), 6.0)
    assert ends.times() == [2.0, 6.0]


def test_as_many_frames_as_the_file_has(tmp_path: Path) -> None:
    source, stream = tmp_path / "a.mp4", tmp_path / "a.ts"
    make = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30", "-t", "2", "-c:v", "libx264"]
    subprocess.run([*make, "-bf", "2", str(source)], check=True, timeout=60)
    subprocess.run([FFMPEG, "-v", "error", "-i", str(source), "-c", "copy", str(stream)], check=True, timeout=60)
    ends, content = FrameEnds(), stream.read_bytes()
    for at in range(0, len(content), 1_316):
        ends.datagram(bytes(SRT_HEADER) + content[at : at + 1_316], float(at))
    assert len(ends.times()) + 1 == len(video_sizes(source)) == 60
