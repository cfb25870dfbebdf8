"""The ingest server: listeners, publish authorisation, takeover, limits; drives sessions and timelines."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from headwater.config.settings import Ingest, Origin
from headwater.ingest.media import Sink, Track

from .auth import Authority, Pause, Refusal
from .connection import Connection
from .listen import IngestStartError, bind_host, open_socket, tls_context
from .metrics import IngestMetrics
from .rtmp.commands import printable
from .rtmp.errors import CloseReason
from .rtmp.events import PublishRequested, RejectCode
from .state import MOST_FILES, StateStore
from .stream import LiveStream
from .timeline import Epoch, TimelineSettings

__all__ = ["IngestServer", "IngestStartError", "StreamStatus"]

log = structlog.get_logger("headwater.ingest")

BACKLOG = 1_024
"""Connections the kernel queues."""
REFUSALS_SAID_S = 1.0
"""Between two lines about connections refused for one reason. Why: a flood of them must not fill the disk."""
DRAIN_S = 2.0
"""Seconds that publishers have to take their last bytes when the server stops."""

_CODES = {
    Refusal.APPLICATION: RejectCode.INVALID_APP,
    Refusal.NAME: RejectCode.BAD_NAME,
    Refusal.KEY: RejectCode.DENIED,
    Refusal.BUSY: RejectCode.BAD_NAME,
    Refusal.STREAMS: RejectCode.DENIED,
    Refusal.DRAIN: RejectCode.REJECTED,
}


def wall_clock() -> float:
    """Unix seconds now."""
    return time.time_ns() / 1_000_000_000


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
        wall: Unix seconds now.
    """

    def __init__(
        self,
        settings: Ingest,
        origin: Origin,
        state_dir: Path,
        sink: Sink,
        registry: CollectorRegistry,
        *,
        wall: Callable[[], float] = wall_clock,
    ) -> None:
        self.settings = settings
        self.ports: dict[str, int] = {}
        """The bound ports: `rtmp`, `rtmps`. Filled by `start`."""
        self._authority = Authority(settings)
        self._sink = sink
        self._store = StateStore(state_dir)
        self._wall = wall
        self._metrics = IngestMetrics(registry, lambda: self._streams.values())
        self._streams: dict[str, LiveStream] = {}
        self._epochs: dict[str, Epoch] = {}
        self._connections: set[Connection] = set()
        self._refusals: dict[Refusal, tuple[float, int]] = {}
        """By reason: when a refused connection was last said, and how many were not since."""
        self._empty = asyncio.Event()
        self._addresses: Counter[str] = Counter()
        self._servers: list[asyncio.Server] = []
        self._draining = False
        self._timeline = TimelineSettings(
            part_target_ms=origin.part_target_ms,
            segment_s=origin.segment_s,
            target_duration_s=origin.target_duration_s,
            window_s=origin.window_s,
            late_track_ms=settings.late_track_ms,
        )

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Load the state files, open the streams that were alive a short while ago, bind the listeners.

        Raises:
            IngestStartError: a listener cannot be bound, a certificate or the state folder cannot be used.
        """
        try:
            self._restore()
            if self.settings.rtmp.enabled:
                await self._listen("rtmp", self.settings.rtmp.port, "ingest.rtmp.port", None)
                context = tls_context(self.settings.rtmp)
                if context is not None:
                    await self._listen("rtmps", self.settings.rtmp.tls_port, "ingest.rtmp.tls_port", context)
        except IngestStartError:
            await self.close()
            raise

    def streams(self) -> list[StreamStatus]:
        """The streams known now, those without a publisher included, by name."""
        return [self._status(self._streams[name]) for name in sorted(self._streams)]

    async def drain(self) -> None:
        """Take no more publishers and close those there are; streams stay open, so that a restart goes on."""
        self._draining = True
        for server in self._servers:
            server.close()
        self._servers.clear()
        for connection in list(self._connections):
            connection.shut("the server stops; publish again")
        for stream in self._streams.values():
            stream.suspend(time.monotonic())
        if self._connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), DRAIN_S)

    async def close(self) -> None:
        """`drain`, then let everything go. Streams are not ended: their state files say where to go on."""
        await self.drain()
        for connection in list(self._connections):
            connection.abort()
        await asyncio.sleep(0)
        self._streams.clear()
        self._metrics.close()

    def _restore(self) -> None:
        unix = self._wall()
        try:
            found = self._store.load(unix)
        except OSError as error:
            reason = error.strerror or str(error)
            raise IngestStartError(f"state.dir = {error.filename}: cannot be used: {reason}") from error
        for saved in found.values():
            self._epochs[saved.name] = saved.epoch
            age = unix - saved.saved_unix
            if not saved.epoch.ended and -60 < age < self.settings.linger_s and self._has_room():
                stream = self._open(saved.name)
                self._linger(stream)
                log.info("stream goes on", stream=saved.name, silent_s=round(age, 1))

    async def _listen(self, protocol: str, port: int, key: str, context: ssl.SSLContext | None) -> None:
        host = bind_host(self.settings)
        sock = open_socket(host, port, key)
        handshake_s = self.settings.rtmp.limits.handshake_s if context is not None else None
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self, protocol),
            sock=sock,
            backlog=BACKLOG,
            ssl=context,
            ssl_handshake_timeout=handshake_s,
        )
        self._servers.append(server)
        self.ports[protocol] = int(sock.getsockname()[1])
        app = self.settings.applications[0] if self.settings.applications else "live"
        shown = host or "HOST"
        url = f"{protocol}://{shown}:{self.ports[protocol]}/{app}/NAME"
        if not self._authority.open:
            log.info("ingest listens", url=f"{url}?key=KEY", address=host or "every address")
        elif self.settings.rtmp.host is None:
            how = "no publish keys, so only this machine can publish; to open it, add [[ingest.publish]] with a key"
            log.info("ingest listens", url=url, address=host, note=how)
        else:
            log.warning("ingest listens", url=url, address=host or "every address", note="anybody can publish: no keys")

    # -- what connections ask ----------------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> Refusal | None:
        """A connection was made; why it may not stay."""
        limits = self.settings.rtmp.limits
        refusal: Refusal | None = None
        if self._draining:
            refusal = Refusal.DRAIN
        elif len(self._connections) >= limits.connections:
            refusal = Refusal.CONNECTIONS
        elif self._addresses[connection.address] >= limits.connections_per_address:
            refusal = Refusal.ADDRESS
        if refusal is not None:
            self.refuse(refusal)
            self._say_refused(connection, refusal)
            return refusal
        self._connections.add(connection)
        self._empty.clear()
        self._addresses[connection.address] += 1
        self._metrics.connections.labels(connection.protocol).inc()
        return None

    def gone(self, connection: Connection) -> None:
        """The connection is closed."""
        if connection in self._connections:
            self._connections.remove(connection)
            self._metrics.connections.labels(connection.protocol).dec()
            self._addresses[connection.address] -= 1
            if self._addresses[connection.address] <= 0:
                del self._addresses[connection.address]
            if not self._connections:
                self._empty.set()

    def _say_refused(self, connection: Connection, refusal: Refusal) -> None:
        said_at, unsaid = self._refusals.get(refusal, (float("-inf"), 0))
        now = time.monotonic()
        if now - said_at < REFUSALS_SAID_S:
            self._refusals[refusal] = (said_at, unsaid + 1)
            return
        self._refusals[refusal] = (now, 0)
        log.warning("connection refused", address=connection.address, reason=refusal.value, more_before=unsaid)

    def refuse(self, refusal: Refusal) -> None:
        """Count a refusal."""
        self._metrics.refused.labels(refusal.value).inc()

    def paused(self, pause: Pause) -> None:
        """Count a pause of reading."""
        self._metrics.paused.labels(pause.value).inc()

    def finished(self, reason: CloseReason) -> None:
        """Count the end of a session."""
        self._metrics.closed.labels(reason.value).inc()

    def refused_track(self, connection: Connection, track: Track) -> str | None:
        """Why the sink cannot take a track."""
        return self._sink.check(track)

    def requested(self, connection: Connection, request: PublishRequested, now: float) -> None:
        """A publish was asked for: accept it, or reject it with a reason that the broadcaster sees."""
        refused = self._authority.judge(request.app, request.name, request.query)
        if refused is not None:
            self._reject(connection, request, refused.refusal, refused.description, now)
            return
        name = request.name
        if self._draining:
            self._reject(connection, request, Refusal.DRAIN, "the server stops; publish again", now)
            return
        stream = self._streams.get(name)
        if stream is None and not self._has_room():
            self._reject(connection, request, Refusal.STREAMS, "the server has no room for another stream", now)
            return
        if stream is not None and stream.publisher is not None and not self._take_over(stream, stream.publisher, now):
            silence_s = self.settings.takeover_silence_s
            text = f"{name} has a publisher; it can be replaced once it is silent for {silence_s:g} s"
            self._reject(connection, request, Refusal.BUSY, text, now)
            return
        # Taking over may have ended a stream that had no media.
        stream = self._streams.get(name) or self._open(name)
        log.info("publisher", stream=name, address=connection.address, protocol=connection.protocol, by=request.encoder)
        self._metrics.publishers.labels(connection.protocol).inc()
        connection.accept(stream, now)

    def left(self, connection: Connection, stream: LiveStream, now: float) -> None:
        """The connection publishes `stream` no more."""
        self._metrics.publishers.labels(connection.protocol).dec()
        if stream.publisher is not connection:
            return
        log.info("publisher left", stream=stream.name, address=connection.address)
        stream.leave(now)
        if not self._draining:
            if stream.started or stream.restored:
                self._linger(stream)
            else:
                self._end(stream)

    # -- streams -----------------------------------------------------------------------------------------------------

    def _take_over(self, stream: LiveStream, old: Connection, now: float) -> bool:
        """Replace a silent publisher; False: it is not silent."""
        if now - old.silent_since < self.settings.takeover_silence_s:
            return False
        log.warning("takeover", stream=stream.name, address=old.address, silent_s=round(now - old.silent_since, 1))
        self._metrics.takeovers.inc()
        old.shut("another publisher took the stream over")
        return True

    def _reject(
        self, connection: Connection, request: PublishRequested, refusal: Refusal, text: str, now: float
    ) -> None:
        self.refuse(refusal)
        log.warning("publish refused", address=connection.address, reason=refusal.value, app=printable(request.app))
        connection.reject(_CODES[refusal], text, now)

    def _has_room(self) -> bool:
        return len(self._streams) < self.settings.max_streams

    def _open(self, name: str) -> LiveStream:
        stream = LiveStream(
            name,
            self._timeline,
            self._epochs.get(name),
            self._sink.open(name),
            self._store,
            self._wall,
            self._metrics,
        )
        self._streams[name] = stream
        return stream

    def _linger(self, stream: LiveStream) -> None:
        """Without a publisher the stream ends after a while."""
        if stream.linger is not None:
            stream.linger.cancel()
        loop = asyncio.get_running_loop()
        stream.linger = loop.call_later(self.settings.linger_s, self._end, stream)

    def _end(self, stream: LiveStream) -> None:
        if self._streams.get(stream.name) is not stream:
            return
        stream.end(time.monotonic())
        epoch = stream.timeline.epoch
        if epoch is not None:
            self._epochs[stream.name] = epoch
            while len(self._epochs) > MOST_FILES + self.settings.max_streams:
                forgotten = next(name for name in self._epochs if name not in self._streams)
                del self._epochs[forgotten]
                self._store.forget(forgotten)
        del self._streams[stream.name]
        log.info("stream ended", stream=stream.name)

    def _status(self, stream: LiveStream) -> StreamStatus:
        publisher = stream.publisher
        return StreamStatus(
            name=stream.name,
            publisher=publisher.address if publisher is not None else None,
            protocol=publisher.protocol if publisher is not None else None,
            since_unix=stream.since_unix,
            kilobits_per_s=round(stream.bitrate / 1_000, 1),
            tracks=stream.timeline.tracks,
        )
