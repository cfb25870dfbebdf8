"""The socket of one publication: connects, moves bytes for the session, waits without losing sight of either."""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
from collections.abc import Mapping

from .amf import Value
from .flv import TagKind
from .options import Target
from .rtmp import HANDSHAKE_BYTES, Event, PublishClient

CONNECT_S = 5.0
"""For the TCP connection and again for TLS."""
STALL_S = 10.0
"""With unsent bytes and not one taken by the server: it is gone. Why: what servers allow us the other way round."""
FAREWELL_S = 2.0
"""For the last bytes and the server's end of the connection. Why: closing with unread data would reset it."""
READ_BYTES = 65_536


class ConnectFailed(Exception):
    """No connection; the text is for the user."""


class Connection:
    """One RTMP(S) connection. Nothing but the name lookup, the connect and the TLS handshake blocks, and all end."""

    def __init__(self, target: Target, *, tls_verify: bool = True) -> None:
        """Connects. Raises ConnectFailed."""
        self.shown = target.shown
        where = f"{target.host}:{target.port}"
        try:
            self._socket = _connect(target, tls_verify)
        except ssl.SSLError as error:
            raise ConnectFailed(f"cannot connect to {where}: TLS failed: {error.reason or error}") from None
        except TimeoutError:
            raise ConnectFailed(f"cannot connect to {where}: no answer within {CONNECT_S:.0f} s") from None
        except OSError as error:
            raise ConnectFailed(f"cannot connect to {where}: {error.strerror or error}") from None
        except UnicodeError:
            raise ConnectFailed(f"cannot connect to {where}: no such host name") from None
        self._socket.setblocking(False)
        self.client = PublishClient(target, time.monotonic(), os.urandom(HANDSHAKE_BYTES))
        self._out = bytearray()
        self._progress = time.monotonic()
        self.bytes_sent = 0

    @property
    def unsent(self) -> int:
        """Bytes that the server has not taken yet."""
        return len(self._out)

    def send_metadata(self, values: Mapping[str, Value]) -> None:
        """`onMetaData`, once the server takes media."""
        self.client.send_metadata(values)

    def send_media(self, kind: TagKind, timestamp: int, payload: bytes) -> None:
        """One FLV tag; `timestamp` in ms."""
        self.client.send_media(kind, timestamp, payload)

    def exchange(self, until: float) -> list[Event]:
        """Sends and receives, once at least, until the monotonic time `until` or until something happened."""
        while True:
            self._send()
            now = time.monotonic()
            if self._out and now - self._progress > STALL_S:
                self._drop(now)
            if not (events := self.client.events_received()):
                self._wait(now, until)
                events = self.client.events_received()
            if events or now >= until:
                return events

    def _wait(self, now: float, until: float) -> None:
        deadline = self.client.next_timeout()
        if deadline is not None:
            until = min(until, deadline)
        if self._out:
            until = min(until, self._progress + STALL_S + 0.001)
        pending = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
        writers = [self._socket] if self._out else []
        readable = pending or select.select([self._socket], writers, [], max(0.0, until - now))[0]
        now = time.monotonic()
        self.client.handle_timeout(now)
        if readable:
            self._receive(now)

    def close(self, *, politely: bool) -> None:
        """Ends the connection; `politely`: takes leave of the server first."""
        try:
            if politely:
                self.client.finish()
                end = time.monotonic() + FAREWELL_S
                while self._send() and time.monotonic() < end:
                    select.select([], [self._socket], [], max(0.0, end - time.monotonic()))
                self._socket.shutdown(socket.SHUT_WR)
                while (left := end - time.monotonic()) > 0:
                    if select.select([self._socket], [], [], left)[0] and not self._socket.recv(READ_BYTES):
                        break
        except OSError:
            pass  # the server was quicker
        finally:
            self._socket.close()

    def _send(self) -> bool:
        """Sends what the socket takes; True while something is left."""
        for piece in self.client.data_to_send():
            if not self._out:
                self._progress = time.monotonic()
            self._out += piece
        while self._out:
            try:
                sent = self._socket.send(self._out)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return True
            except OSError:
                self._out.clear()
                self.client.receive_eof(time.monotonic())
                return False
            del self._out[:sent]
            self.bytes_sent += sent
            self._progress = time.monotonic()
        return False

    def _receive(self, now: float) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            data = b""
        if data:
            self.client.receive_data(data, now)
        else:
            self.client.receive_eof(now)

    def _drop(self, now: float) -> None:
        self._out.clear()
        self.client.lose(f"the server took no data for {STALL_S:.0f} s")


def _connect(target: Target, tls_verify: bool) -> socket.socket:
    connected = socket.create_connection((target.host, target.port), CONNECT_S)
    try:
        # Each frame leaves at once; the delay of Nagle's algorithm would add to the picture's.
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not target.secure:
            return connected
        return _tls_context(tls_verify).wrap_socket(connected, server_hostname=target.host)
    except BaseException:
        connected.close()
        raise


def _tls_context(verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
