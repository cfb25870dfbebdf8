"""The viewers' TLS listener: takes connections, reads whose they are, has the handshake done, chooses the protocol.

    socket ── PROXY header, where one is expected ── limits of the address ── handshake ── ALPN ──> HTTP/2 or HTTP/1.1

Who is refused is refused before the handshake: its arithmetic is what a flood of connections would cost.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Sequence
from functools import partial
from typing import cast

import structlog

from .addresses import canonical
from .caller import Caller
from .core import Core
from .encrypted import Encrypted
from .http1 import Connection as Http1
from .http2.block import Blocks
from .http2.connection import Connection as Http2
from .listener import Limits, Shared
from .proxyproto import MAX_V2_BYTES, BadProxyHeader, read_header
from .tls import Certificates

log = structlog.get_logger("headwater.edge")

ACCEPTS = 64
"""Connections taken in one turn of the loop."""
PAUSE_S = 0.5
"""Without taking any, after the system had no file left for one."""

_REASONS = {
    "HTTP_REQUEST": "not-tls",
    "WRONG_VERSION_NUMBER": "not-tls",
    "UNSUPPORTED_PROTOCOL": "version",
    "VERSION_TOO_LOW": "version",
    "NO_SHARED_CIPHER": "cipher",
    "NO_SUITABLE_KEY_SHARE": "cipher",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "cipher",
}


class TlsServer:
    """One listener."""

    def __init__(
        self,
        core: Core,
        shared: Shared,
        limits: Limits,
        certificates: Certificates,
        listening: Sequence[socket.socket],
    ) -> None:
        """`listening`: sockets that are bound, of which this becomes the owner; it listens from here on."""
        self.connections: dict[tuple[str, str], int] = {}
        """Handshakes done, by protocol and TLS version."""
        self.failed: dict[str, int] = {}
        """Handshakes that were not done, by reason."""
        self._core = core
        self._shared = shared
        self._limits = limits
        self._certificates = certificates
        self._blocks = Blocks(shared.wire)
        self._listening = list(listening)
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[asyncio.Task[None], socket.socket | None] = {}
        """Connections in their handshake, each with its socket until a transport has it."""
        self._paused: asyncio.TimerHandle | None = None

    @property
    def port(self) -> int:
        """What is bound; 0: nothing any more."""
        return int(self._listening[0].getsockname()[1]) if self._listening else 0

    def start(self) -> None:
        """Begin to take connections."""
        self._paused = None
        for listening in self._listening:
            self._loop.add_reader(listening.fileno(), self._accept, listening)

    def stop(self) -> None:
        """Take no more. Idempotent."""
        if self._paused is not None:
            self._paused.cancel()
            self._paused = None
        self._take_none()
        for listening in self._listening:
            listening.close()
        self._listening.clear()

    def cancel(self) -> None:
        """End what is in its handshake."""
        for task in list(self._tasks):
            task.cancel()

    async def settle(self, limit_s: float) -> None:
        """Until no connection is in its handshake, or `limit_s` have passed."""
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=limit_s)

    async def close(self) -> None:
        """Stop, and wait for what was in its handshake."""
        self.stop()
        self.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take_none(self) -> None:
        for listening in self._listening:
            self._loop.remove_reader(listening.fileno())

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTS):
            try:
                sock, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    raise
                self._core.tally.refuse("files")
                self._take_none()
                self._paused = self._loop.call_later(PAUSE_S, self.start)
                return
            sock.setblocking(False)
            if self._shared.connections + len(self._tasks) >= self._limits.connections:
                self._core.tally.refuse("connections")
                sock.close()
                continue
            task = self._loop.create_task(self._serve(sock, canonical(str(address[0]))), name="TLS handshake")
            self._tasks[task] = sock
            task.add_done_callback(self._served)

    async def _serve(self, sock: socket.socket, peer: str) -> None:
        """Until the connection has its protocol."""
        try:
            if self._shared.callers.expects_header(peer):
                peer = await self._told(sock) or peer
            now = self._shared.clock()
            caller = Caller(self._shared.callers, peer, now)
            guard = self._shared.guard
            refused = guard.connect(caller.guest, self._shared.connections + len(self._tasks), now)
            if refused is not None:
                guard.leave(caller.guest)
                return
            encrypted = Encrypted(self._certificates.context, partial(self._welcome, caller))
            try:
                self._tasks[_this_task()] = None  # from here on it is the transport's
                await self._shake_hands(sock, encrypted)
            finally:
                if not encrypted.welcomed:
                    guard.leave(caller.guest)
        except BadProxyHeader:
            self._core.tally.refuse("proxy-header")
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            reason = reason_of(error)
            self.failed[reason] = self.failed.get(reason, 0) + 1

    def _served(self, task: asyncio.Task[None]) -> None:
        sock = self._tasks.pop(task, None)
        if sock is not None:
            sock.close()

    async def _shake_hands(self, sock: socket.socket, encrypted: Encrypted) -> None:
        """Raises ssl.SSLError, ConnectionError, TimeoutError."""
        await self._loop.connect_accepted_socket(lambda: encrypted, sock)
        try:
            async with asyncio.timeout(self._limits.header_s):
                await encrypted.shaken
        except (TimeoutError, asyncio.CancelledError):
            encrypted.abort()
            raise

    async def _told(self, sock: socket.socket) -> str:
        """The address in the PROXY header before the handshake; empty: the peer's own. Raises BadProxyHeader, OSError,
        TimeoutError."""
        data = b""
        async with asyncio.timeout(self._limits.header_s):
            while True:
                # Only looked at: what is behind the header belongs to the handshake.
                seen = await self._peeked(sock)
                if not seen:
                    raise ConnectionResetError("ended inside a PROXY header")
                header = read_header(data + seen)
                if header is not None:
                    sock.recv(header.size - len(data))
                    return header.address
                data += sock.recv(len(seen))

    async def _peeked(self, sock: socket.socket) -> bytes:
        readable = self._loop.create_future()
        self._loop.add_reader(sock.fileno(), partial(_wake, readable))
        try:
            await readable
        finally:
            self._loop.remove_reader(sock.fileno())
        return sock.recv(MAX_V2_BYTES, socket.MSG_PEEK)

    def _welcome(self, caller: Caller, encrypted: Encrypted) -> asyncio.Protocol:
        """A handshake is done: the protocol that was agreed on (RFC 7301)."""
        connection = cast(ssl.SSLObject, encrypted.get_extra_info("ssl_object"))
        protocol = connection.selected_alpn_protocol() or "http/1.1"
        kind = (protocol, (connection.version() or "").removeprefix("TLSv"))
        self.connections[kind] = self.connections.get(kind, 0) + 1
        if protocol == "h2":
            return Http2(self._core, self._shared, self._limits, self._blocks, caller)
        return Http1(self._core, self._shared, self._limits, caller)


def _this_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None  # called inside of one
    return task


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def reason_of(error: BaseException) -> str:
    """Label of the metric: one of timeout, reset, not-tls, version, cipher, certificate, other."""
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        if reason in _REASONS:
            return _REASONS[reason]
        # What the viewer says of us: it does not like the certificate, or the version.
        if "CERTIFICATE" in reason or "UNKNOWN_CA" in reason:
            return "certificate"
        return "version" if "PROTOCOL_VERSION" in reason else "other"
    if isinstance(error, TimeoutError) or (isinstance(error, ConnectionAbortedError) and "handshake" in str(error)):
        return "timeout"
    return "reset" if isinstance(error, ConnectionError) else "other"
