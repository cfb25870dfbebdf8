"""ffmpeg making the same ladder: the same encoders, sizes, rates and settings, keyframes forced every two seconds."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .processes import FFMPEG

SEGMENT_S = 2


@dataclass(frozen=True)
class Rung:
    """One video rendition of the benchmark. Bits and bit/s."""

    name: str
    width: int
    height: int
    bitrate: int

    @property
    def maxrate(self) -> int:
        return self.bitrate * 115 // 100

    @property
    def toml(self) -> str:
        """For `headwater.toml`."""
        return (
            f'[[ingest.encode.rungs]]\nname = "{self.name}"\nheight = {self.height}\nbitrate = {self.bitrate}\n'
            f'maxrate = {self.maxrate}\nbufsize = {self.bitrate}\npreset = "veryfast"\nencoder = "libx264"\n'
        )


RUNGS = (
    Rung("720p", 1280, 720, 2_800_000),
    Rung("480p", 854, 480, 1_400_000),
    Rung("360p", 640, 360, 800_000),
)


@dataclass(frozen=True)
class Made:
    """What a run of ffmpeg left, and what it took."""

    files: Mapping[str, Path]
    cpu_s: float
    """User and system time, as the kernel counted it."""
    media_s: float


def command(source: Path, outputs: Mapping[str, Path], rungs: Sequence[Rung], *, threads: int) -> list[str]:
    """One ffmpeg that reads `source` in real time, decodes it once, and writes a file per rung."""
    names = "".join(f"[i{n}]" for n in range(len(rungs)))
    scales = ";".join(f"[i{n}]scale={rung.width}:{rung.height}[o{n}]" for n, rung in enumerate(rungs))
    made = [FFMPEG, "-hide_banner", "-nostdin", "-y", "-v", "info", "-benchmark", "-re", "-i", str(source), "-an"]
    made += ["-filter_complex", f"[0:v]split={len(rungs)}{names};{scales}"]
    for n, rung in enumerate(rungs):
        made += ["-map", f"[o{n}]", "-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency"]
        made += ["-profile:v", "high", "-threads", str(threads), "-b:v", str(rung.bitrate)]
        made += ["-maxrate", str(rung.maxrate), "-bufsize", str(rung.bitrate)]
        made += [
            "-x264-params",
            "keyint=infinite:min-keyint=1:scenecut=0:open-gop=0:bframes=0:nal-hrd=none",
            "-forced-idr",
            "1",
        ]
        made += ["-force_key_frames", f"expr:gte(t,n_forced*{SEGMENT_S})", "-f", "mp4", str(outputs[rung.name])]
    return made


def make(source: Path, folder: Path, *, media_s: float, threads: int) -> Made:
    """Run it to the end of `source`, which is `media_s` long. RuntimeError when ffmpeg fails."""
    files = {rung.name: folder / f"peer-{rung.name}.mp4" for rung in RUNGS}
    done = subprocess.run(
        command(source, files, RUNGS, threads=threads), capture_output=True, text=True, timeout=600, check=False
    )
    took = re.search(r"bench: utime=([0-9.]+)s stime=([0-9.]+)s", done.stderr)
    if done.returncode or took is None:
        raise RuntimeError(f"ffmpeg ended with {done.returncode}: {done.stderr[-2_000:]}")
    return Made(files, float(took[1]) + float(took[2]), media_s)
