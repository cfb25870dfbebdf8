"""Real SRT peers: ffmpeg (libsrt of its own build) and Debian's `srt-live-transmit`, as callers and as a listener.

ffmpeg_caller       pushes a file's packets as MPEG-TS, in real time
transmit_caller     sends what is written to its standard input
transmit_listener   takes one caller and writes the payload to its standard output
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from .processes import FFMPEG

TRANSMIT = "srt-live-transmit"
TS_DATAGRAM = 1_316
"""Payload bytes of one SRT packet in live mode: seven TS packets."""
MUXER = ("-map", "0", "-c", "copy", "-f", "mpegts")
"""How `ffmpeg_caller` muxes. libavformat writes the same bytes for the same packets, so a file made with this is what
it will send."""


@dataclass(frozen=True)
class Call:
    """What a caller is told."""

    port: int
    latency_ms: int = 120
    stream_id: str = ""
    passphrase: str = ""
    key_bytes: int = 0
    """16, 24 or 32; 0: whatever the peer takes by itself (16)."""

    def for_ffmpeg(self) -> str:
        """The URL as ffmpeg reads it: microseconds, percent-encoded."""
        return self._url("caller", self.latency_ms * 1_000, lambda text: quote(text, safe="/:,=?"))

    def for_transmit(self, mode: str = "caller") -> str:
        """The URL as srt-live-transmit reads it: milliseconds, and (1.5.1) nothing is decoded."""
        return self._url(mode, self.latency_ms, str)

    def _url(self, mode: str, latency: int, encoded: Callable[[str], str]) -> str:
        pairs = [f"mode={mode}", f"latency={latency}"]
        if self.stream_id:
            pairs.append(f"streamid={encoded(self.stream_id)}")
        if self.passphrase:
            pairs.append(f"passphrase={encoded(self.passphrase)}")
        if self.key_bytes:
            pairs.append(f"pbkeylen={self.key_bytes}")
        host = "127.0.0.1" if mode == "caller" else ""
        return f"srt://{host}:{self.port}?" + "&".join(pairs)


def ffmpeg_caller(path: Path, call: Call, *, loop: bool = False, options: tuple[str, ...] = ()) -> list[str]:
    """The command; `options` go before the muxer's URL."""
    command = [FFMPEG, "-hide_banner", "-v", "warning", "-re"]
    if loop:
        command += ["-stream_loop", "-1"]
    return [*command, "-i", str(path), *MUXER, *options, call.for_ffmpeg()]


def transmit_caller(call: Call) -> list[str]:
    """The command; it does not try again when it is refused."""
    return [transmit(), "-a:no", f"-chunk:{TS_DATAGRAM}", "file://con", call.for_transmit()]


def transmit_listener(call: Call) -> list[str]:
    """The command; it ends with its caller."""
    return [transmit(), "-q", "-a:no", call.for_transmit("listener"), "file://con"]


def transmit() -> str:
    """Where srt-live-transmit is; FileNotFoundError when it is not installed."""
    found = shutil.which(TRANSMIT)
    if found is None:
        raise FileNotFoundError(f"{TRANSMIT}: install srt-tools")
    return found
