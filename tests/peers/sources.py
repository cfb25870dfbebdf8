"""Encoded test files, made once by the real ffmpeg and then pushed without encoding.

Because a push only copies packets, what a viewer gets can be compared with the file, byte for byte.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import av
from tests.encoded import encoded

from headwater.loadtest.bench.processes import FFMPEG

SIZE = "320x180"


@dataclass(frozen=True)
class Source:
    """A file to encode and how to push it."""

    name: str
    video: tuple[str, ...] = ("-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-g", "30")
    audio: tuple[str, ...] = ("-c:a", "aac", "-b:a", "96k")
    fps: str = "30"
    seconds: float = 20
    audio_rate: int = 48_000
    audio_tracks: int = 1
    audio_offset_s: float = 0
    push: tuple[str, ...] = ()
    """Extra output options of the push."""

    def make(self, folder: Path) -> Path:
        """Its file in `folder`, which is a link to what was encoded once."""
        path = folder / f"{self.name}.mp4"
        if not path.exists():
            path.symlink_to(encoded(self._encoding()))
        return path

    def _encoding(self) -> list[str]:
        command: list[str] = []
        maps: list[str] = []
        if self.video:
            command += ["-f", "lavfi", "-i", f"testsrc2=size={SIZE}:rate={self.fps}"]
            maps += ["-map", "0:v"]
        for index in range(self.audio_tracks if self.audio else 0):
            if self.audio_offset_s:
                command += ["-itsoffset", str(self.audio_offset_s)]
            command += ["-f", "lavfi", "-i", f"sine=frequency={440 * (index + 1)}:sample_rate={self.audio_rate}"]
            maps += ["-map", f"{index + bool(self.video)}:a"]
        return [*command, *maps, *self.video, *self.audio, "-t", str(self.seconds), "-pix_fmt", "yuv420p"]

    def push_command(self, path: Path, url: str, *, loop: bool = False, trust: Path | None = None) -> list[str]:
        """An ffmpeg that pushes the file to `url` in real time without touching a packet.

        `trust`: the certificate that an rtmps server shows.
        """
        tls = ("-ca_file", str(trust)) if trust and url.startswith("rtmps") else ()
        command = [FFMPEG, "-hide_banner", "-v", "warning", "-re"]
        if loop:
            command += ["-stream_loop", "-1"]
        return [*command, "-i", str(path), "-map", "0", "-c", "copy", *self.push, *tls, "-f", "flv", url]


def x264(gop: int, *more: str, tune: bool = True) -> tuple[str, ...]:
    """Options of libx264 with a keyframe every `gop` frames."""
    latency = ("-tune", "zerolatency") if tune else ()
    return ("-c:v", "libx264", "-preset", "veryfast", *latency, "-g", str(gop), "-keyint_min", str(gop), *more)


SOURCES = {
    source.name: source
    for source in (
        Source("h264-aac", x264(30)),
        Source("hevc-aac", ("-c:v", "libx265", "-preset", "ultrafast", "-g", "30", "-x265-params",
                            "log-level=error:info=0", "-tag:v", "hvc1")),
        Source("av1-opus", ("-c:v", "libsvtav1", "-preset", "12", "-g", "30", "-svtav1-params", "pred-struct=1"),
               ("-c:a", "libopus", "-b:a", "96k", "-strict", "-2")),
        Source("audio-only", (), ("-c:a", "aac", "-b:a", "96k")),
        Source("video-only", x264(30), ()),
        Source("b-frames", x264(60, "-bf", "3", "-b_strategy", "0", tune=False)),
        Source("fps-29.97", x264(60), fps="30000/1001"),
        Source("fps-59.94", x264(120), fps="60000/1001"),
        Source("fps-25", x264(50), fps="25"),
        Source("fps-5", x264(10), fps="5"),
        Source("gop-10s", x264(300), seconds=30),
        Source("two-audio", x264(30), audio_tracks=2),
        Source("offset", x264(30), push=("-output_ts_offset", "16790")),
        Source("late-audio", x264(30), audio_offset_s=4),
        Source("aac-8k", x264(30), ("-c:a", "aac", "-b:a", "24k"), audio_rate=8_000),
        Source("ac3", x264(30), ("-c:a", "ac3", "-b:a", "128k")),
        Source("flac", x264(30), ("-c:a", "flac", "-strict", "-2")),
    )
}  # fmt: skip


def payload_hashes(path: Path) -> dict[str, list[str]]:
    """Per stream (`v0`, `a0`, `a1`, ...) of an MP4 file: the hash of each packet's bytes, in decode order."""
    hashes: dict[str, list[str]] = {}
    with av.open(str(path)) as container:
        names: dict[int, str] = {}
        counts = {"video": 0, "audio": 0}
        for stream in container.streams:
            names[stream.index] = f"{stream.type[0]}{counts[stream.type]}"
            counts[stream.type] += 1
        for packet in container.demux():
            if packet.size:
                hashes.setdefault(names[packet.stream_index], []).append(digest(bytes(packet)))
    return hashes


def digest(payload: bytes) -> str:
    """A short fingerprint of one access unit."""
    return hashlib.blake2b(payload, digest_size=8).hexdigest()
