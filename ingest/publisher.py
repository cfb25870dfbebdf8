"""What a stream, its metrics and its takeover know of a publisher, whatever protocol brings it. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class Publisher(Protocol):
    """A connected encoder: an RTMP connection, an SRT session, a stream that we pull."""

    @property
    def address(self) -> str:
        """Remote address without port."""

    @property
    def protocol(self) -> str:
        """`rtmp`, `rtmps`, `srt` or `srt-pull`: the label of metrics and logs."""

    @property
    def received_bytes(self) -> int:
        """Of this connection."""

    @property
    def bitrate(self) -> float:
        """Bits per second, smoothed over some seconds."""

    @property
    def silent_since(self) -> float:
        """Monotonic seconds of the last media; now, for a publisher that is not read because it is ahead."""

    @property
    def late_s(self) -> float:
        """How long the transport may hold media back that comes in time otherwise, by its own rules, seconds: the
        latency of SRT, in which what was lost comes again. 0: it has no such rules."""

    def shut(self, detail: str) -> None:
        """End the connection for a reason of the server: plain words for the log."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a publisher asks for. The text form leaves the query out: it holds the publish key."""

    app: str
    name: str
    """May be anything that the peer wrote: the authority checks it."""
    query: dict[str, str] = field(repr=False)
    """Parameters with their percent-encoding as sent; the key is `key`."""
    by: str = ""
    """What the encoder calls itself, printable, at most 64 characters."""
    proven: bool = False
    """The transport has proven a secret that opens this name (an SRT passphrase of `[[ingest.publish]]`)."""


def printable(text: str, limit: int = 64) -> str:
    """`text` as it may stand in a log: printable ASCII, at most `limit` characters."""
    return "".join(c if " " <= c <= "~" else "?" for c in text[:limit])
