"""Test files that take seconds to encode, made once: `.cache/media` keeps them until `make clean`.

What a file depends on is its name, so another command, another version of ffmpeg or another picture is another file.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from headwater.loadtest.bench import avsync
from headwater.loadtest.bench.processes import FFMPEG

FOLDER = Path(__file__).parents[1] / ".cache" / "media"


def encoded(arguments: Sequence[str], suffix: str = ".mp4") -> Path:
    """What `ffmpeg ARGUMENTS FILE` writes."""

    def make(path: Path) -> None:
        command = [FFMPEG, "-hide_banner", "-nostdin", "-v", "error", "-y", *arguments, str(path)]
        subprocess.run(command, check=True, timeout=120)

    return kept(arguments, suffix, make)


def flash_source(seconds: int) -> Path:
    """The source of `avsync`."""

    def make(path: Path) -> None:
        avsync.make_source(path.parent, seconds).replace(path)

    return kept((avsync.SOURCE, seconds), ".mp4", make)


def kept(depends_on: Sequence[object], suffix: str, make: Callable[[Path], object]) -> Path:
    """The file that `make` writes to the path it is given. Several processes may ask at once."""
    words = (FFMPEG, os.stat(FFMPEG).st_size, *depends_on)
    path = FOLDER / f"{hashlib.blake2b(repr(words).encode(), digest_size=12).hexdigest()}{suffix}"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
            made = Path(folder, f"made{suffix}")
            make(made)
            made.replace(path)
    return path
