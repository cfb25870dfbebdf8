"""TLS, a server that stops reading, and names that lead nowhere."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.publish_server import CONNECTED, CREATED, HANDSHAKE, PUBLISHED

from headwater.loadtest.bench.certificates import self_signed
from headwater.loadtest.publish import connection as module
from headwater.loadtest.publish.connection import ConnectFailed, Connection
from headwater.loadtest.publish.flv import TagKind
from headwater.loadtest.publish.options import parse_target
from headwater.loadtest.publish.rtmp import Lost, Ready

WELCOME = HANDSHAKE + CONNECTED + CREATED + PUBLISHED


@contextmanager
def serving(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """One connection, handled in a thread; the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    handle(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listener.getsockname()[1])
    thread.join()


def tls_server(certificate: Path) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def handle(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            wrapped.sendall(WELCOME)
            while wrapped.recv(65_536):
                pass

    return handle


def test_tls_is_checked(tmp_path: Path) -> None:
    with serving(tls_server(self_signed(tmp_path))) as port:
        target = parse_target(f"rtmps://127.0.0.1:{port}/live/x")
        with pytest.raises(ConnectFailed, match=r"TLS failed: CERTIFICATE_VERIFY_FAILED"):
            Connection(target)


def test_tls_carries_media(tmp_path: Path) -> None:
    with serving(tls_server(self_signed(tmp_path))) as port:
        connection = Connection(parse_target(f"rtmps://127.0.0.1:{port}/live/x"), tls_verify=False)
        assert connection.exchange(time.monotonic() + 10) == [Ready()]
        connection.client.send_media(TagKind.VIDEO, 0, bytes(300_000))
        while connection.unsent or connection.bytes_sent < 300_000:
            assert connection.exchange(time.monotonic() + 0.05) == []
        connection.close(politely=True)


def test_a_server_that_stops_reading_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STALL_S", 0.2)
    done = threading.Event()

    def handle(connection: socket.socket) -> None:
        connection.sendall(WELCOME)
        done.wait(30)

    with serving(handle) as port:
        connection = Connection(parse_target(f"rtmp://127.0.0.1:{port}/live/x"))
        assert connection.exchange(time.monotonic() + 10) == [Ready()]
        for _ in range(16):
            connection.client.send_media(TagKind.VIDEO, 0, bytes(1_000_000))
        (event,) = connection.exchange(time.monotonic() + 20)
        assert isinstance(event, Lost) and "took no data" in event.detail
        connection.close(politely=False)
        done.set()


def test_no_such_host() -> None:
    with pytest.raises(ConnectFailed, match="no such host name"):
        Connection(parse_target(f"rtmp://{'x' * 70}/live/x"))
