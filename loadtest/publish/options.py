"""What `headwater publish` can be told, and where it pushes to. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

CODECS = ("h264", "hevc", "av1")
DEFAULT_PORTS = {"rtmp": 1935, "rtmps": 443}


class UsageError(ValueError):
    """An option has a value that cannot work; the text is for the user. Exit code 2."""


class BadTarget(ValueError):
    """The URL is not one that can be published to; the text is for the user. Exit code 1."""


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """Everything `run` needs. Sizes in pixels, rates in 1/s and bit/s, times in seconds."""

    url: str
    width: int = 1280
    height: int = 720
    fps: Fraction = Fraction(30)
    bitrate: int = 2_500_000
    gop_s: float = 1.0
    """Between keyframes. Why 1 s: half a segment, so a segment always ends within reach of its aim of 2 s."""
    audio: bool = True
    duration_s: float | None = None
    """Stop after this much media; None: until a signal."""
    file: Path | None = None
    """Push this file at real time, as it is, instead of the test picture."""
    codec: str = "h264"
    reconnect: bool = False
    """Try again, with growing pauses, when the server is not there or goes away."""
    quiet: bool = False
    tls_verify: bool = True
    """Check the server's certificate (rtmps only)."""

    def check(self) -> None:
        """Raises UsageError for the first value that cannot work."""
        # 160 x 90 is the smallest picture with room for the stripes (3 pixels a cell) and a legible clock.
        if not (160 <= self.width <= 3840 and 90 <= self.height <= 2160):
            raise UsageError(f"size {self.width}x{self.height}: from 160x90 to 3840x2160")
        if self.width % 2 or self.height % 2:
            raise UsageError(f"size {self.width}x{self.height}: 4:2:0 pictures need even numbers")
        if not 1 <= self.fps <= 120:
            raise UsageError(f"frame rate {self.fps}: from 1 to 120")
        if not 50_000 <= self.bitrate <= 100_000_000:
            raise UsageError(f"bit rate {self.bitrate}: from 50000 to 100000000 bit/s")
        if not 0.1 <= self.gop_s <= 60:
            raise UsageError(f"keyframe interval {self.gop_s}: from 0.1 to 60 s")
        if self.duration_s is not None and self.duration_s <= 0:
            raise UsageError(f"duration {self.duration_s}: must be more than 0 s")
        if self.codec not in CODECS:
            raise UsageError(f"codec {self.codec!r}: one of {', '.join(CODECS)}")
        if self.file is not None and not self.file.is_file():
            raise UsageError(f"file {self.file}: not found")


@dataclass(frozen=True, slots=True)
class Target:
    """A publish URL taken apart as encoders do it: the last path element, query included, is the stream key."""

    secure: bool
    host: str
    port: int
    app: str
    key: str

    @property
    def tc_url(self) -> str:
        """`tcUrl` of the connect command: the URL without the stream key."""
        scheme = "rtmps" if self.secure else "rtmp"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[scheme] else f":{self.port}"
        return f"{scheme}://{host}{port}/{self.app}"

    @property
    def shown(self) -> str:
        """For people and logs: the query, where the secret is, is left out."""
        return f"{self.tc_url}/{self.key.partition('?')[0]}"


def parse_target(url: str) -> Target:
    """`rtmp[s]://host[:port]/app/name[?query]`. Raises BadTarget with a reason for people."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadTarget(f"bad URL: {error}") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise BadTarget(
            f"bad URL: cannot publish to {parts.scheme or url!r}; use rtmp://HOST/live/NAME, rtmps:// or srt://"
        )
    if not parts.hostname:
        raise BadTarget("bad URL: no host; use rtmp://HOST/live/NAME")
    if parts.username is not None:
        raise BadTarget("bad URL: user names are not supported; send the key as ?key=SECRET")
    app, _, name = parts.path.strip("/").rpartition("/")
    if not app or not name:
        raise BadTarget("bad URL: the path needs an application and a stream name, as in rtmp://HOST/live/NAME")
    key = f"{name}?{parts.query}" if parts.query else name
    return Target(parts.scheme == "rtmps", parts.hostname, port or DEFAULT_PORTS[parts.scheme], app, key)
