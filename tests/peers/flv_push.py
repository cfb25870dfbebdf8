"""Pushes FLV files one behind the other over a single RTMP connection, in real time: what changes between them changes
in the middle of the stream, as when an operator changes the encoder's settings while it sends.

It uses the tests' own RTMP client.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.rtmp_client import AUDIO, VIDEO, Publisher


def tags(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """(type, timestamp in ms, body) of each audio and video tag."""
    data = path.read_bytes()
    at = int.from_bytes(data[5:9]) + 4
    while at + 11 <= len(data):
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 4])
        stamp = int.from_bytes(data[at + 4 : at + 7]) | data[at + 7] << 24
        if kind in (AUDIO, VIDEO):
            yield kind, stamp, data[at + 11 : at + 11 + size]
        at += 11 + size + 4


class FlvPush:
    """A publisher in a thread; `with` ends it."""

    def __init__(self, port: int, stream: str, files: Sequence[Path]) -> None:
        self._address = ("127.0.0.1", port)
        self._stream = stream
        self._files = files
        self._stop = threading.Event()
        self.error: OSError | None = None
        self.began_file: list[float] = []
        """Monotonic seconds at which each file began."""
        self._thread = threading.Thread(target=self._run, name=f"push {stream}")

    def __enter__(self) -> FlvPush:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def join(self, timeout_s: float) -> None:
        """Wait for its end."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            with socket.create_connection(self._address, 5) as connection:
                self._push(connection)
        except OSError as error:
            self.error = error

    def _push(self, connection: socket.socket) -> None:
        publisher = Publisher()
        connection.sendall(publisher.opening(self._stream))
        connection.settimeout(0)
        began, offset, last = time.monotonic(), 0, 0
        for path in self._files:
            self.began_file.append(time.monotonic())
            for kind, stamp, body in tags(path):
                wait_s = began + (offset + stamp) / 1000 - time.monotonic()
                if wait_s > 0 and self._stop.wait(wait_s):
                    return
                self._drain(connection)
                connection.settimeout(5)
                connection.sendall(publisher.media(kind, body, offset + stamp))
                connection.settimeout(0)
                last = max(last, offset + stamp)
            offset = last + 33
        connection.settimeout(5)
        connection.sendall(publisher.unpublish(self._stream))

    @staticmethod
    def _drain(connection: socket.socket) -> None:
        """Read away what the server says."""
        try:
            while connection.recv(65_536):
                pass
        except BlockingIOError:
            pass
