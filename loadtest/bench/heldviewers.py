"""Viewers that all hold the next playlist of one rendition, on a connection each: `... heldviewers JOB.json`.

Each asks for the playlist with the next part as a delta update (`_HLS_msn`, `_HLS_part`, `_HLS_skip`), and once its
last byte is there for the one after it; with `media` for the part itself in between. It prints what it found as JSON.

Why not the harness: this does as little as a client can do for each answer, so that one core follows thousands of
viewers and the delays are those of the server.

What a delay means: the kernel stamps what it puts into a viewer's socket (SO_TIMESTAMPNS, with the clock that `wall`
reads), and a delay ends with the stamp of the last byte. How long the bytes then wait until this process has a
processor for them is not in it, but in `behind`. What is: a viewer asks for its part only when the process has taken
the playlist, so the delay of a part has the playlist's `behind` in it.
"""

from __future__ import annotations

import json
import os
import re
import select
import socket
import struct
import sys
import time
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from errno import EINPROGRESS
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from headwater.loadtest.scenario.offset import wall
from headwater.origin.hls import reader

from .delay import Delay, summary

JOINS_PER_S = 500
SETTLE_S = 4.0
"""After the last viewer came."""
RETRY_S = 0.2
"""After an answer that is no playlist."""
READ_BYTES = 256 * 1024
HEAD_BYTES = 1024
"""Read of what may begin with the head of a part. Why: the rest of a part is dropped, which costs no copy."""
SOCKET_BYTES = 256 * 1024
"""Of receive buffer. Why: a part is to fit in, else its last bytes come only when this process has read the first."""
KEPT = 16
"""Playlists whose newest part, and numbers whose request, are remembered."""

SO_TIMESTAMPNS = 35
"""Of Linux (asm-generic/socket.h), for the option and its control message. `socket` has no name for it."""
_TIMESPEC = struct.Struct("@ll")
_CONTROL_BYTES = socket.CMSG_SPACE(_TIMESPEC.size)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

Control = list[tuple[int, int, bytes]]
"""What the kernel says of a read, beside the bytes: level, type, data."""


@dataclass(frozen=True)
class Job:
    """What to do."""

    url: str
    """Of the media playlist."""
    parts: int
    """Of a segment."""
    part_s: float
    """Part N is due at Unix time (N + 1) x this."""
    viewers: int
    seconds: float
    """That are measured, once all are there."""
    media: bool = False
    """Parts are asked for as well."""


@dataclass(frozen=True)
class Found:
    """Of the measured time."""

    playlists: Delay
    """From when a part is due to the last byte of the playlist with it in the viewer's socket."""
    parts: Delay | None
    """The same to the last byte of the part; None without `media`."""
    behind: Delay
    """From the last byte of an answer in the socket to when this process took it."""
    late: int
    """Parts that were there only when the next one was due."""
    errors: int
    """Answers other than 200, and connections that ended, before it too."""
    cpu: float
    """Of this process, cores."""


class NoStamp(Exception):
    """The system does not say when bytes came: there is nothing to measure with."""


def newest(text: str, parts: int) -> tuple[int, str]:
    """Number and URI of the newest part of a playlist whose segments have `parts` each, counted from segment 0.

    Raises ValueError: it is no media playlist, or has no part.
    """
    playlist = reader.read(text)
    listed = [part for segment in playlist.all_segments for part in segment.parts]
    if not listed:
        raise ValueError("no EXT-X-PART")
    at = playlist.position
    return (at.last_msn + 1) * parts + at.open_parts - 1, listed[-1].uri


def body_at(answer: bytes) -> tuple[int, int] | None:
    """Where the body of an answer with a length begins and ends; None: more of its head is to come.

    Raises ValueError: it has no length.
    """
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return None
    length = _LENGTH.search(answer, 0, head + 2)
    if length is None:
        raise ValueError("an answer without a length")
    return head + 4, head + 4 + int(length[1])


def arrival(control: Control) -> float:
    """When the last byte of a read was put into the socket, Unix seconds. Raises NoStamp."""
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            return float(seconds + nanoseconds / 1e9)
    raise NoStamp("this kernel put no receive timestamp (SO_TIMESTAMPNS) on what came over TCP")


def opened(family: int = socket.AF_INET) -> socket.socket:
    """A TCP socket, not connected, that does not block and stamps what comes. Raises NoStamp: not on this system."""
    if sys.platform != "linux":
        raise NoStamp("the viewers need Linux: it alone says when bytes came over TCP (SO_TIMESTAMPNS)")
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)
    return sock


class Audience:
    """What all viewers share: what they ask, their loop, and what was found."""

    def __init__(self, job: Job, clock: Callable[[], float]) -> None:
        """`clock`: Unix seconds, as the kernel's stamps."""
        self.job = job
        self.clock = clock
        self.measuring = False
        self.delays, self.parts, self.behind = array("d"), array("d"), array("d")
        """Seconds."""
        self.late = self.errors = 0
        self.epoll = select.epoll()
        self.viewers: dict[int, Viewer] = {}
        """Those with a connection, by its file descriptor."""
        self.again: deque[tuple[float, Viewer]] = deque()
        """Who asks for the playlist anew, and when on the monotonic clock."""
        # What came last, of whichever viewer: it is taken out at once.
        self.room = memoryview(bytearray(READ_BYTES))
        self.head = self.room[:HEAD_BYTES]
        self._path = urlsplit(job.url).path
        self._rest = f" HTTP/1.1\r\nHost: {urlsplit(job.url).netloc}\r\nAccept: */*\r\n\r\n"
        # All viewers see the same few.
        self.request = lru_cache(KEPT)(self._request)
        self.newest = lru_cache(KEPT)(self._newest)

    def close(self) -> None:
        """End all connections."""
        for viewer in self.viewers.values():
            viewer.sock.close()
        self.viewers.clear()
        self.epoll.close()

    def _request(self, number: int) -> bytes:
        """For the playlist with that part; below 0: for the playlist as it is."""
        msn, part = divmod(number, self.job.parts)
        query = f"?_HLS_msn={msn}&_HLS_part={part}&_HLS_skip=YES" if number >= 0 else ""
        return f"GET {self._path}{query}{self._rest}".encode()

    def _newest(self, body: bytes) -> tuple[int, bytes]:
        """The newest part of a playlist: its number, and the request for it. Raises ValueError: it has none."""
        number, uri = newest(body.decode(), self.job.parts)
        return number, f"GET {urljoin(self._path, uri)}{self._rest}".encode()

    def attend(self, until: float) -> None:
        """Serve the viewers until then, on the monotonic clock; one turn also where that is past. Raises NoStamp."""
        while True:
            wake = min(until, self.again[0][0]) if self.again else until
            for fd, events in self.epoll.poll(max(0.0, wake - time.monotonic())):
                self.viewers[fd].ready(events)
            now = time.monotonic()
            while self.again and self.again[0][0] <= now:
                self.again.popleft()[1].ask(-1)
            if now >= until:
                return

    def listed(self, number: int, control: Control) -> None:
        """A viewer has the playlist with that part, which it waited for."""
        if self.measuring:
            self.delays.append(self._delay(number, control))

    def loaded(self, number: int, control: Control) -> None:
        """A viewer has that part."""
        if self.measuring:
            delay = self._delay(number, control)
            self.parts.append(delay)
            self.late += delay >= self.job.part_s

    def _delay(self, number: int, control: Control) -> float:
        at = arrival(control)
        self.behind.append(self.clock() - at)
        return at - (number + 1) * self.job.part_s


class Viewer:
    """One of them."""

    __slots__ = ("_answer", "_audience", "_awaited", "_control", "_left", "_loading", "_open", "_unsent", "sock")

    def __init__(self, audience: Audience, sock: socket.socket) -> None:
        """`sock`: of `opened`; its connection may be still to come. Asks for the first playlist."""
        self.sock = sock
        self._audience = audience
        self._open = True
        self._unsent = b""
        self._awaited = -1
        """The part whose playlist is asked for; while `_loading`, that is asked for itself."""
        self._loading = False
        self._answer = b""
        """What came of the playlist, or of the head of a part."""
        self._left = 0
        """Bytes of a part that are to come."""
        self._control: Control = []
        """Of the last read."""
        audience.viewers[sock.fileno()] = self
        audience.epoll.register(sock, select.EPOLLIN)
        self.ask(-1)

    def ready(self, events: int) -> None:
        """Send what could not be sent, take what came: as epoll says."""
        if events & select.EPOLLOUT:
            unsent, self._unsent = self._unsent, b""
            self._audience.epoll.modify(self.sock, select.EPOLLIN)
            self._send(unsent)
        if events & ~select.EPOLLOUT and self._open:
            self._take()

    def _take(self) -> None:
        """Take what came; when the answer is whole, ask for the next thing."""
        audience, drops = self._audience, self._left > 0
        room = audience.head if self._loading and not drops else audience.room
        try:
            # On TCP, MSG_TRUNC takes bytes away and copies none (tcp(7)): nobody looks at the media.
            flags = socket.MSG_TRUNC if drops else 0
            count, self._control, _, _ = self.sock.recvmsg_into((room,), _CONTROL_BYTES, flags)
        except BlockingIOError:
            return
        except OSError:
            count = 0
        if not count:
            self._lost()
        elif drops:
            self._left -= count
            if self._left <= 0:
                self._loaded()
        else:
            answer, self._answer = self._answer + room[:count], b""
            try:
                self._read(answer)
            except ValueError:
                audience.errors += 1
                audience.again.append((time.monotonic() + RETRY_S, self))

    def _read(self, answer: bytes) -> None:
        place = body_at(answer)
        if place is None:
            self._answer = answer
            return
        begin, end = place
        good, missing = answer.startswith(b"HTTP/1.1 200 "), end - len(answer)
        if missing > 0:
            if self._loading and good:
                self._left = missing
                self._take()  # most often the rest is there as well
            else:
                self._answer = answer
        elif not good:
            raise ValueError("another status than 200")
        elif self._loading:
            self._loaded()
        else:
            self._listed(answer[begin:end])

    def _listed(self, body: bytes) -> None:
        number, request = self._audience.newest(body)
        if self._awaited >= 0:
            self._audience.listed(self._awaited, self._control)
        if self._audience.job.media:
            self._awaited, self._loading = number, True
            self._send(request)
        else:
            self.ask(number + 1)

    def _loaded(self) -> None:
        self._audience.loaded(self._awaited, self._control)
        self._left = 0
        self.ask(self._awaited + 1)

    def ask(self, number: int) -> None:
        """For the playlist with that part; below 0: for the playlist as it is."""
        self._awaited, self._loading = number, False
        if self._open:
            self._send(self._audience.request(number))

    def _send(self, request: bytes) -> None:
        try:
            sent = self.sock.send(request)
        except BlockingIOError:  # no room, or not connected yet
            sent = 0
        except OSError:
            self._lost()
            return
        if sent < len(request):
            self._unsent = request[sent:]
            self._audience.epoll.modify(self.sock, select.EPOLLIN | select.EPOLLOUT)

    def _lost(self) -> None:
        """It does not come back: that is an error."""
        self._open = False
        del self._audience.viewers[self.sock.fileno()]
        self.sock.close()
        self._audience.errors += 1


def watch(job: Job, clock: Callable[[], float]) -> Found:
    """Let all come, settle, and measure. Raises NoStamp, or ValueError where nothing came."""
    audience = Audience(job, clock)
    address = urlsplit(job.url)
    family, _, _, _, place = socket.getaddrinfo(address.hostname, address.port or 80, type=socket.SOCK_STREAM)[0]
    try:
        began = time.monotonic()
        for count in range(job.viewers):
            _join(audience, opened(family), place)
            audience.attend(began + (count + 1) / JOINS_PER_S)
        audience.attend(time.monotonic() + SETTLE_S)
        audience.measuring, audience.errors = True, job.viewers - len(audience.viewers)
        cpu, at = time.process_time(), time.monotonic()
        audience.attend(at + job.seconds)
        busy = (time.process_time() - cpu) / (time.monotonic() - at)
    finally:
        audience.close()
    loaded = summary(audience.parts) if job.media else None
    behind = summary(audience.behind)
    return Found(summary(audience.delays), loaded, behind, audience.late, audience.errors, busy)


def _join(audience: Audience, sock: socket.socket, place: Any) -> None:
    if (code := sock.connect_ex(place)) not in (0, EINPROGRESS):
        sock.close()
        raise OSError(code, os.strerror(code))
    Viewer(audience, sock)


if __name__ == "__main__":
    print(json.dumps(asdict(watch(Job(**json.loads(Path(sys.argv[1]).read_text())), wall))))
