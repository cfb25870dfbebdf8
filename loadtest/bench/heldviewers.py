"""Viewers that all hold the next playlist of one rendition, on a connection each: `... heldviewers JOB.json`.

Each asks for the playlist with the next part as a delta update (`_HLS_msn`, `_HLS_part`, `_HLS_skip`), and once its
last byte is there for the one after it; with `media` for the part itself in between. It prints what it found as JSON.

Why not the harness: this does as little as a client can do for each answer, so that one core follows thousands of
viewers and the delays are those of the server.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from array import array
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import cast
from urllib.parse import urljoin, urlsplit

import uvloop

from headwater.loadtest.scenario.offset import wall
from headwater.origin.hls import reader

from .delay import Delay, summary

JOINS_PER_S = 500
SETTLE_S = 4.0
"""After the last viewer came."""
RETRY_S = 0.2
"""After an answer that is no playlist."""
READ_BYTES = 256 * 1024
KEPT = 16
"""Playlists whose newest part, and numbers whose request, are remembered."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


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
    """From when a part is due to the last byte of the playlist with it."""
    parts: Delay | None
    """The same to the last byte of the part; None without `media`."""
    late: int
    """Parts that were there only when the next one was due."""
    errors: int
    """Answers other than 200, and connections that ended."""
    cpu: float
    """Of this process, cores."""


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


class Audience:
    """What all viewers share."""

    def __init__(self, job: Job, clock: Callable[[], float]) -> None:
        """`clock`: Unix seconds."""
        self.job = job
        self.clock = clock
        self.measuring = False
        self.delays, self.parts = array("d"), array("d")
        """Seconds."""
        self.late = self.errors = 0
        self.room = memoryview(bytearray(READ_BYTES))
        """What came last, of whichever viewer."""
        self._path = urlsplit(job.url).path
        self._rest = f" HTTP/1.1\r\nHost: {urlsplit(job.url).netloc}\r\nAccept: */*\r\n\r\n"
        # All viewers see the same few.
        self.request = lru_cache(KEPT)(self._request)
        self.newest = lru_cache(KEPT)(self._newest)

    def _request(self, number: int) -> bytes:
        """For the playlist with that part; below 0: for the playlist as it is."""
        msn, part = divmod(number, self.job.parts)
        query = f"?_HLS_msn={msn}&_HLS_part={part}&_HLS_skip=YES" if number >= 0 else ""
        return f"GET {self._path}{query}{self._rest}".encode()

    def _newest(self, body: bytes) -> tuple[int, bytes]:
        """The newest part of a playlist: its number, and the request for it. Raises ValueError: it has none."""
        number, uri = newest(body.decode(), self.job.parts)
        return number, f"GET {urljoin(self._path, uri)}{self._rest}".encode()

    def listed(self, number: int) -> None:
        """A viewer has the playlist with that part, which it waited for."""
        if self.measuring:
            self.delays.append(self.clock() - (number + 1) * self.job.part_s)

    def loaded(self, number: int) -> None:
        """A viewer has that part."""
        if self.measuring:
            delay = self.clock() - (number + 1) * self.job.part_s
            self.parts.append(delay)
            self.late += delay >= self.job.part_s


class Viewer(asyncio.BufferedProtocol):
    """One of them."""

    __slots__ = ("_answer", "_audience", "_awaited", "_left", "_loading", "_transport")

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._transport: asyncio.Transport | None = None
        self._awaited = -1
        """The part whose playlist is asked for; while `_loading`, that is asked for itself."""
        self._loading = False
        self._answer = b""
        """What came of the playlist, or of the head of a part."""
        self._left = 0
        """Bytes of a part that are to come."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first playlist."""
        self._transport = cast(asyncio.Transport, transport)
        self._ask(-1)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Everybody's: what comes is taken out at once."""
        return self._audience.room

    def buffer_updated(self, nbytes: int) -> None:
        """Take what came; when the answer is whole, ask for the next thing."""
        if self._left:
            self._left -= nbytes
            if self._left <= 0:
                self._loaded()
            return
        data = bytes(self._audience.room[:nbytes])
        answer = self._answer + data if self._answer else data
        self._answer = b""
        try:
            self._read(answer)
        except ValueError:
            self._audience.errors += 1
            asyncio.get_running_loop().call_later(RETRY_S, self._ask, -1)

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
            self._audience.listed(self._awaited)
        if self._audience.job.media and self._transport is not None:
            self._awaited, self._loading = number, True
            self._transport.write(request)
        else:
            self._ask(number + 1)

    def _loaded(self) -> None:
        self._audience.loaded(self._awaited)
        self._left = 0
        self._ask(self._awaited + 1)

    def connection_lost(self, exc: Exception | None) -> None:
        """It does not come back: that is an error."""
        self._transport = None
        self._audience.errors += 1

    def _ask(self, number: int) -> None:
        self._awaited, self._loading = number, False
        if self._transport is not None:
            self._transport.write(self._audience.request(number))


async def watch(job: Job, clock: Callable[[], float]) -> Found:
    """Let all come, settle, and measure."""
    loop = asyncio.get_running_loop()
    audience = Audience(job, clock)
    address = urlsplit(job.url)
    host, port = address.hostname or "", address.port or 80
    began = loop.time()
    for count in range(job.viewers):
        await loop.create_connection(lambda: Viewer(audience), host, port)
        await asyncio.sleep(max(0.0, began + (count + 1) / JOINS_PER_S - loop.time()))
    await asyncio.sleep(SETTLE_S)
    audience.measuring, audience.errors = True, 0
    cpu, at = time.process_time(), time.monotonic()
    await asyncio.sleep(job.seconds)
    audience.measuring = False
    busy = (time.process_time() - cpu) / (time.monotonic() - at)
    loaded = summary(audience.parts) if job.media else None
    return Found(summary(audience.delays), loaded, audience.late, audience.errors, busy)


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(watch(Job(**json.loads(Path(sys.argv[1]).read_text())), wall)))))
