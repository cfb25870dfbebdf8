"""A TLS connection as a transport: what a protocol writes is encrypted onto a TCP transport, and the other way round.

    TCP transport <──> Encrypted (OpenSSL by `ssl.MemoryBIO`) <──> protocol of the viewer

To the TCP transport it is the protocol, to the protocol the transport. Nothing is kept here but part of a record: what
is written is encrypted at once, so what waits is the TCP transport's, and so are its limits and its flow control.

Why not the loop's own TLS: it reads each time into a new buffer, keeps queues of its own, and takes a fifth more of the
processor for a small answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterable
from typing import Any, cast

RECORD_BYTES = 16 << 10
"""RFC 8446 section 5.1: what a record holds at most, and so what one read gives."""
PIECE_BYTES = 64 << 10
"""Encrypted in one go. Why: each connection has a buffer that OpenSSL writes into, and it stays as large as the most
that was ever in it; but a record at a time costs a tenth more."""
ALERT_S = 2.0
"""That an alert may take to be sent."""


class Encrypted(asyncio.Transport, asyncio.Protocol):
    """One connection, server's side."""

    def __init__(self, context: ssl.SSLContext, welcome: Callable[[Encrypted], asyncio.Protocol]) -> None:
        """`welcome` is called when the handshake is done, and gives the protocol."""
        super().__init__()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._welcome = welcome
        self._protocol: asyncio.Protocol | None = None
        self._tcp: asyncio.Transport | None = None
        self.welcomed = False
        """There was a protocol, which knows of the end of the connection."""
        self._reading = True
        self._closing = False
        self._ended = False
        """The peer sends no more."""
        self.shaken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """The handshake is done. Raises ssl.SSLError or ConnectionError."""

    # -- towards TCP (asyncio.Protocol)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """There is a TCP connection."""
        self._tcp = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone: no cycle stays for the collector."""
        self._closing = True
        protocol, self._protocol, self._tcp = self._protocol, None, None
        if not self.shaken.done():
            self.shaken.set_exception(exc or ConnectionResetError("ended inside the handshake"))
        if protocol is not None:
            protocol.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Records, or a part of one."""
        if self._closing:  # it is read so that the kernel does not reset the connection before all is sent
            return
        self._incoming.write(data)
        if self._protocol is not None or self._shake_hands():
            self._read()

    def eof_received(self) -> bool:
        """The peer sends no more, with or without a close_notify before."""
        self._end()
        return False

    def pause_writing(self) -> None:
        """The peer reads slower than it is written to."""
        if self._protocol is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """It has caught up."""
        if self._protocol is not None:
            self._protocol.resume_writing()

    def _shake_hands(self) -> bool:
        """As far as what came allows; whether it is done."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except ssl.SSLError as error:
            self._fail(error)
            return False
        self._flush()
        self._protocol = self._welcome(self)
        self.welcomed = True
        self.shaken.set_result(None)
        self._protocol.connection_made(self)
        return True

    def _read(self) -> None:
        """Hand on what can be decrypted."""
        tls, incoming, protocol = self._tls, self._incoming, self._protocol
        assert protocol is not None  # the handshake is done
        try:
            while self._reading and not self._closing:
                data = tls.read(RECORD_BYTES)
                if not data:  # close_notify (RFC 8446 section 6.1)
                    self._end()
                    return
                protocol.data_received(data)
                if not incoming.pending:  # a read takes a whole record, so none is left inside
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._fail(error)
            return
        if self._outgoing.pending:  # OpenSSL's own answer, to a KeyUpdate (RFC 8446 section 4.6.3)
            self._flush()

    def _end(self) -> None:
        """Nothing more comes: over TLS there is no half of a connection."""
        if not self._ended:
            self._ended = True
            if self._protocol is not None and not self._closing:
                self._protocol.eof_received()
            self.close()

    def _fail(self, error: ssl.SSLError) -> None:
        """What came is no TLS, or not what was agreed on: say so (RFC 8446 section 6.2), and end."""
        self._closing = True
        self._flush()
        if not self.shaken.done():
            self.shaken.set_exception(error)
        if self._tcp is not None:
            self._tcp.close()
            asyncio.get_running_loop().call_later(ALERT_S, self.abort)

    def _flush(self) -> None:
        """Send what OpenSSL has put out."""
        if self._tcp is not None and self._outgoing.pending:
            self._tcp.write(self._outgoing.read())

    # -- towards the protocol (asyncio.Transport)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send all of it."""
        if self._closing or self._tcp is None or not data:
            return
        try:
            if len(data) <= PIECE_BYTES:
                self._tls.write(data)
                self._tcp.write(self._outgoing.read())
            else:
                self._tcp.writelines(self._pieces(memoryview(data)))
        except ssl.SSLError as error:
            self._fail(error)

    def _pieces(self, data: memoryview) -> list[bytes]:
        pieces = []
        for start in range(0, len(data), PIECE_BYTES):
            self._tls.write(data[start : start + PIECE_BYTES])
            pieces.append(self._outgoing.read())
        return pieces

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """As one write: a record for each small piece would cost more than to join them."""
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """Send what was written, and close_notify; then nothing more. What the peer still sends is dropped until it
        ends its side, too. Whoever closes has to `abort` in the end, when the peer does not."""
        if self._closing or self._tcp is None:
            return
        self._closing = True
        with contextlib.suppress(ssl.SSLError):  # "want read": the peer's close_notify, which nobody waits for
            self._tls.unwrap()
        self._flush()
        if self._ended:
            self._tcp.close()
        else:
            self._tcp.write_eof()
            self._tcp.resume_reading()

    def abort(self) -> None:
        """End now; what is not sent is lost."""
        self._closing = True
        if self._tcp is not None:
            self._tcp.abort()

    def is_closing(self) -> bool:
        """Nothing can be written any more."""
        return self._closing

    def pause_reading(self) -> None:
        """Let what comes wait in the kernel."""
        self._reading = False
        if self._tcp is not None:
            self._tcp.pause_reading()

    def resume_reading(self) -> None:
        """Hand on what came, in the next turn of the loop, and read on."""
        if self._reading or self._tcp is None:
            return
        self._reading = True
        self._tcp.resume_reading()
        asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._protocol is not None and not self._closing:
            self._read()

    def is_reading(self) -> bool:
        """Whether what comes is handed on."""
        return self._reading and not self._closing

    def can_write_eof(self) -> bool:
        """Over TLS there is no half of a connection."""
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Bytes of what is encrypted and not sent."""
        if self._tcp is not None:
            self._tcp.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Bytes that are encrypted and not sent."""
        return self._tcp.get_write_buffer_size() if self._tcp is not None else 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`ssl_object`, or what the TCP transport knows."""
        if name == "ssl_object":
            return self._tls
        return self._tcp.get_extra_info(name, default) if self._tcp is not None else default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Who is told from now on."""
        self._protocol = cast(asyncio.Protocol, protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who is told. Raises RuntimeError: nobody yet, or nobody any more."""
        if self._protocol is None:
            raise RuntimeError("no protocol")
        return self._protocol
