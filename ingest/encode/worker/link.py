"""The worker's end of the socket pair: messages in through a thread and a bounded queue, messages out at once."""

from __future__ import annotations

import os
import socket
import threading
from collections import deque

from headwater.ingest.encode import wire
from headwater.ingest.encode.model import FromWorker, ToWorker
from headwater.ingest.media import Sample

READ_BYTES = 256 * 1024
"""One read. Why: a keyframe of a 6 Mbit/s source in one or two."""
MOST_BYTES = 256 * 1024
"""Payload that waits to be worked on. Why: a third of a second of 6 Mbit/s keeps the worker busy; what is more waits in
the host, which can still leave it out."""
MOST_MESSAGES = 32
"""The same for messages. Why: half a second of 30 frames/s with sound."""
END_S = 3.0
"""From the end of the socket to the end of the process, whatever it is doing. Why: libav may hang."""


class LinkClosed(Exception):
    """The host is gone."""


class Link:
    """The socket.

    Args:
        end: connected; owned from now on.
        exits: end the process when the host is gone and the worker does not end by itself.
    """

    def __init__(self, end: socket.socket, *, exits: bool = True) -> None:
        self._socket = end
        self._exits = exits
        self._waiting: deque[ToWorker] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closed: str | None = None
        self._over = threading.Event()
        threading.Thread(target=self._read, name="reader", daemon=True).start()

    @property
    def queued(self) -> int:
        """Messages that wait."""
        return len(self._waiting)

    def get(self, timeout_s: float) -> ToWorker | None:
        """The next message, or None after `timeout_s`. Raises LinkClosed."""
        with self._changed:
            if not self._waiting and self._closed is None:
                self._changed.wait(timeout_s)
            if self._closed is not None:
                raise LinkClosed(self._closed)
            if not self._waiting:
                return None
            message = self._waiting.popleft()
            self._bytes -= _size(message)
            self._changed.notify()
            return message

    def send(self, message: FromWorker) -> None:
        """Write one message; waits while the host does not read. Raises LinkClosed."""
        try:
            self._socket.sendall(b"".join(wire.encode(message)))
        except OSError as error:
            raise LinkClosed(str(error)) from None

    def close(self) -> None:
        """Nothing more is read or written."""
        self._over.set()
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
        finally:
            self._socket.close()

    def _read(self) -> None:
        decoder = wire.Decoder()
        reason = "the host closed the socket"
        try:
            while data := self._socket.recv(READ_BYTES):
                for message in decoder.receive_data(data):
                    self._put(message)  # type: ignore[arg-type]  # what the host sends; the loop refuses others
        except (OSError, wire.WireError) as error:
            reason = str(error)
        with self._changed:
            self._closed = reason
            self._changed.notify_all()
        if self._exits and not self._over.wait(END_S):
            os._exit(1)

    def _put(self, message: ToWorker) -> None:
        with self._changed:
            while self._bytes >= MOST_BYTES or len(self._waiting) >= MOST_MESSAGES:
                self._changed.wait()
            self._waiting.append(message)
            self._bytes += _size(message)
            self._changed.notify()


def _size(message: ToWorker) -> int:
    return len(message.payload) if isinstance(message, Sample) else 0
