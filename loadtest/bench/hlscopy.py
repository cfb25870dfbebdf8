"""ffmpeg's HLS demuxer as a viewer: a real player's loading without its picture, for a hundredth of a core.

It knows no low latency: it polls the playlists of picture and sound, loads whole segments, and ends where a playlist
fails it. Nothing is decoded.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from .processes import FFMPEG, Peer, step_back

TAIL = 1_000
"""Bytes of ffmpeg's account that have its last entry in them."""


class HlsCopy:
    """Follows a stream until it is stopped. `log`: what ffmpeg says; beside it stands its account of the frames."""

    def __init__(self, url: str, log: Path) -> None:
        self._account = log.with_suffix(".progress")
        command = [FFMPEG, "-nostdin", "-v", "warning", "-nostats", "-stats_period", "0.5"]
        command += ["-progress", str(self._account), "-i", url, "-map", "0", "-c", "copy", "-f", "null", "-"]
        self.peer = Peer(command, log)
        step_back(self.peer.pid)

    @property
    def frames(self) -> int | None:
        """Pictures so far; None: it has ended."""
        if self.peer.returncode is not None:
            return None
        if not self._account.exists():
            return 0
        with self._account.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            return last_frames(file.read().decode(errors="replace"))


def last_frames(account: str) -> int:
    """The frame count of the last whole entry in an account of `-progress`; 0 when there is none."""
    found = re.findall(r"^frame=\s*(\d+)\n", account, re.MULTILINE)
    return int(found[-1]) if found else 0
