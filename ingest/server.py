"""The ingest server: listeners, publish authorisation, takeover, limits; drives sessions and timelines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from headwater.config.settings import Ingest, Origin
from headwater.ingest.media import Sink, Track


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """One stream as `/streams.json` and the log tell it."""

    name: str
    publisher: str | None
    """Remote address without port; None while the stream has no publisher."""
    protocol: str | None
    """`rtmp`, `rtmps`, or None without a publisher."""
    since_unix: float
    """Unix seconds at which the stream was opened."""
    kilobits_per_s: float
    """What the publisher sends, averaged over the last few seconds."""
    tracks: tuple[Track, ...]


class IngestServer:
    """RTMP and RTMPS listeners on the running loop; every accepted publisher feeds a stream of `sink`.

    Args:
        settings: listeners, keys and limits.
        origin: the targets of the timelines.
        state_dir: folder of the state files, made when it is not there.
        sink: receives the streams.
        registry: of the metrics.
    """

    def __init__(
        self, settings: Ingest, origin: Origin, state_dir: Path, sink: Sink, registry: CollectorRegistry
    ) -> None:
        self.ports: dict[str, int] = {}
        """The bound ports: `rtmp`, `rtmps`. Filled by `start`."""

    async def start(self) -> None:
        """Load the state files, open the streams that were alive a short while ago, bind the listeners.

        Raises:
            IngestStartError: a listener cannot be bound, a certificate or the state folder cannot be used.
        """
        raise NotImplementedError

    def streams(self) -> list[StreamStatus]:
        """The streams known now, those without a publisher included, by name."""
        raise NotImplementedError

    async def drain(self) -> None:
        """Take no more publishers and close those there are; streams stay open, so that a restart goes on."""
        raise NotImplementedError

    async def close(self) -> None:
        """`drain`, then let everything go. Streams are not ended: their state files say where to go on."""
        raise NotImplementedError


class IngestStartError(Exception):
    """The ingest server cannot start; the message names what and why, in one line for the user."""
