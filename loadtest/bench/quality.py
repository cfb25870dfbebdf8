"""SSIM and PSNR of an encoded file against what it was made from, by ffmpeg's filters.

Both files begin with the same picture. They are brought to one frame rate, so that a frame that one of them repeats or
leaves out does not shift all that follows, and the reference is scaled to the other's size.
"""

from __future__ import annotations

import math
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .processes import FFMPEG


@dataclass(frozen=True)
class Quality:
    """Of all planes of all frames, in decibels; more is better."""

    ssim_db: float
    """-10 log10(1 - SSIM)."""
    psnr_db: float
    bitrate: float
    """bit/s of the measured stream."""


def compare(path: Path, reference: Path, *, size: tuple[int, int], fps: int, seconds: float, skip_s: float) -> Quality:
    """Compare `seconds` of both files after the first `skip_s`; RuntimeError when ffmpeg cannot."""
    even = f"setpts=PTS-STARTPTS,fps={fps}:round=near,trim=start={skip_s}:duration={seconds},setpts=PTS-STARTPTS"
    graph = (
        f"[0:v]{even},split[a][b];[1:v]{even},scale={size[0]}:{size[1]}:flags=bicubic,split[c][d];"
        "[a][c]ssim[s];[b][d]psnr[p]"
    )
    command = [FFMPEG, "-hide_banner", "-nostdin", "-v", "info", "-i", str(path), "-i", str(reference)]
    command += ["-filter_complex", graph, "-map", "[s]", "-map", "[p]", "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    ssim = re.search(r"SSIM .*All:([0-9.]+)", done.stderr)
    psnr = re.search(r"PSNR .*average:([0-9.]+|inf)", done.stderr)
    if done.returncode or ssim is None or psnr is None:
        raise RuntimeError(f"no figures: {done.stderr[-2_000:]}")
    return Quality(decibels(float(ssim[1])), float(psnr[1]), _bitrate(path))


def decibels(ssim: float) -> float:
    """SSIM as libx264 and ffmpeg print it; infinite for equal pictures."""
    return math.inf if ssim >= 1 else -10 * math.log10(1 - ssim)


def _bitrate(path: Path) -> float:
    """Of the video packets of a file."""
    command = [FFMPEG, "-hide_banner", "-nostdin", "-v", "error", "-i", str(path), "-map", "0:v", "-c", "copy"]
    listing = subprocess.run([*command, "-f", "framecrc", "-"], capture_output=True, text=True, timeout=60, check=True)
    base = re.search(r"#tb 0: (\d+)/(\d+)", listing.stdout)
    rows = [line.split(",") for line in listing.stdout.splitlines() if not line.startswith("#")]
    if base is None or len(rows) < 2:
        raise RuntimeError(f"no packets in {path}")
    span = (int(rows[-1][1]) - int(rows[0][1])) * int(base[1]) / int(base[2]) * len(rows) / (len(rows) - 1)
    return 8 * sum(int(row[4]) for row in rows) / span
