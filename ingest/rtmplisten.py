"""The RTMP and RTMPS listeners: their sockets, their connections, and the answers to a publish."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

import structlog

from headwater.config.settings import Ingest

from .auth import Pause, Refusal, Refused
from .connection import Connection
from .gate import Gate
from .listen import bind_host, open_socket, tls_context
from .metrics import IngestMetrics
from .publisher import Wish
from .rtmp.errors import CloseReason
from .rtmp.events import PublishRequested, RejectCode
from .streams import Streams

log = structlog.get_logger("headwater.ingest")

BACKLOG = 1_024
"""Connections the kernel queues."""

_CODES = {
    Refusal.APPLICATION: RejectCode.INVALID_APP,
    Refusal.NAME: RejectCode.BAD_NAME,
    Refusal.KEY: RejectCode.DENIED,
    Refusal.BUSY: RejectCode.BAD_NAME,
    Refusal.STREAMS: RejectCode.DENIED,
    Refusal.DRAIN: RejectCode.REJECTED,
}


class RtmpListener:
    """Takes connections on the running loop.

    Args:
        settings: listeners, keys and limits.
        streams: what accepted publishers feed.
        metrics: of ingest.
    """

    def __init__(self, settings: Ingest, streams: Streams, metrics: IngestMetrics) -> None:
        self.settings = settings
        self.streams = streams
        self.ports: dict[str, int] = {}
        """The bound ports: `rtmp`, `rtmps`. Filled by `start`."""
        self._metrics = metrics
        limits = settings.rtmp.limits
        self._gate = Gate(limits.connections, limits.connections_per_address, metrics)
        self._connections: set[Connection] = set()
        self._servers: list[asyncio.Server] = []

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bind the listeners.

        Raises:
            IngestStartError: one cannot be bound, or a certificate cannot be used.
        """
        await self._listen("rtmp", self.settings.rtmp.port, "ingest.rtmp.port", None)
        context = tls_context(self.settings.rtmp)
        if context is not None:
            await self._listen("rtmps", self.settings.rtmp.tls_port, "ingest.rtmp.tls_port", context)

    def stop(self) -> None:
        """Take no more publishers and ask those there are to go."""
        self._gate.closed = True
        for server in self._servers:
            server.close()
        self._servers.clear()
        for connection in list(self._connections):
            connection.shut("the server stops; publish again")

    async def gone_all(self, seconds: float) -> None:
        """Wait until every connection is closed, at most this long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._gate.empty.wait(), seconds)

    def abort(self) -> None:
        """Let every connection go at once."""
        for connection in list(self._connections):
            connection.abort()

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
        if not self.streams.authority.open:
            log.info("ingest listens", url=f"{url}?key=KEY", address=host or "every address")
        elif self.settings.rtmp.host is None:
            how = "no publish keys, so only this machine can publish; to open it, add [[ingest.publish]] with a key"
            log.info("ingest listens", url=url, address=host, note=how)
        else:
            log.warning("ingest listens", url=url, address=host or "every address", note="anybody can publish: no keys")

    # -- what connections ask ----------------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> Refusal | None:
        """A connection was made; why it may not stay."""
        refusal = self._gate.enter(connection)
        if refusal is None:
            self._connections.add(connection)
        return refusal

    def gone(self, connection: Connection) -> None:
        """The connection is closed."""
        self._connections.discard(connection)
        self._gate.leave(connection)

    def paused(self, pause: Pause) -> None:
        """Count a pause of reading."""
        self._metrics.paused.labels(pause.value).inc()

    def finished(self, reason: CloseReason) -> None:
        """Count the end of a session."""
        self._metrics.closed.labels(reason.value).inc()

    def requested(self, connection: Connection, request: PublishRequested, now: float) -> None:
        """A publish was asked for: accept it, or reject it with a reason that the broadcaster sees."""
        wish = Wish(request.app, request.name, request.query, request.encoder)
        admitted = self.streams.admit(connection, wish, now)
        if isinstance(admitted, Refused):
            connection.reject(_CODES[admitted.refusal], admitted.description, now)
        else:
            connection.accept(admitted, now)
