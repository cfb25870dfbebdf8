"""Viewers that all hold the next playlist of one rendition, on a connection each: `... heldviewers JOB.json`.

Each asks for the playlist with the next part as a delta update (`_HLS_msn`, `_HLS_part`, `_HLS_skip`), and once its
last byte is there for the one after it. No media is asked for. It prints what it found as JSON.

Why not the harness: this does as little as a client can do for each answer, so that one core follows thousands of
viewers three times a second and the delays are those of the server.
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
from pathlib import Path
from typing import TypeVar, cast
from urllib.parse import urlsplit

import uvloop

from headwater.loadtest.scenario.offset import wall

JOINS_PER_S = 500
SETTLE_S = 4.0
"""After the last viewer came."""
RETRY_S = 0.2
"""After an answer that is no playlist."""
KEPT = 16
"""Playlists whose number, and numbers whose request, are remembered: all viewers see the same few."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_FIRST = re.compile(r"^#EXT-X-MEDIA-SEQUENCE:(\d+)", re.MULTILINE)
_SKIPPED = re.compile(r"^#EXT-X-SKIP:.*\bSKIPPED-SEGMENTS=(\d+)", re.MULTILINE)

K = TypeVar("K")
V = TypeVar("V")


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


@dataclass(frozen=True)
class Found:
    """Of the measured time."""

    delays_ms: dict[str, float]
    """p50, p99 and most: from when a part is due to the last byte of the playlist with it."""
    updates: int
    """Playlists that came."""
    errors: int
    """Answers other than 200, and connections that ended."""
    cpu: float
    """Of this process, cores."""


def newest(playlist: str, parts: int) -> int:
    """Number of the newest part of a playlist whose segments have `parts` each, counted from segment 0.

    Raises ValueError: it is no media playlist.
    """
    first, skipped = _FIRST.search(playlist), _SKIPPED.search(playlist)
    if first is None:
        raise ValueError("no EXT-X-MEDIA-SEQUENCE")
    whole = playlist.count("\n#EXTINF:") + (int(skipped[1]) if skipped else 0)
    opened = playlist[playlist.rfind("\n#EXTINF:") :].count("\n#EXT-X-PART:")
    return (int(first[1]) + whole) * parts + opened - 1


def body_of(answer: bytes) -> tuple[int, int] | None:
    """Where the body of a whole answer begins and ends; None: more of it is to come. Chunks are not taken apart."""
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return None
    begin = head + 4
    length = _LENGTH.search(answer, 0, begin)
    if length is not None:
        end = begin + int(length[1])
        return (begin, end) if len(answer) >= end else None
    chunked = _CHUNKED.search(answer, 0, begin) is not None
    return (begin, len(answer)) if not chunked or answer.endswith(b"\r\n0\r\n\r\n") else None


class Audience:
    """What all viewers share."""

    def __init__(self, job: Job, clock: Callable[[], float]) -> None:
        """`clock`: Unix seconds."""
        self.job = job
        self.clock = clock
        self.measuring = False
        self.delays = array("d")
        self.errors = 0
        self._path = urlsplit(job.url).path
        self._host = urlsplit(job.url).netloc
        self._numbers: dict[bytes, int] = {}
        self._requests: dict[int, bytes] = {}

    def request(self, number: int) -> bytes:
        """For the playlist with that part; below 0: for the playlist as it is."""
        request = self._requests.get(number)
        if request is None:
            msn, part = divmod(number, self.job.parts)
            query = f"?_HLS_msn={msn}&_HLS_part={part}&_HLS_skip=YES" if number >= 0 else ""
            request = f"GET {self._path}{query} HTTP/1.1\r\nHost: {self._host}\r\nAccept: */*\r\n\r\n".encode()
            _remember(self._requests, number, request)
        return request

    def number(self, body: bytes) -> int:
        """The newest part of a playlist."""
        number = self._numbers.get(body)
        if number is None:
            number = newest(body.decode(), self.job.parts)
            _remember(self._numbers, body, number)
        return number

    def seen(self, awaited: int, at: float) -> None:
        """A viewer that waited for that part has its playlist at that Unix time."""
        if self.measuring:
            self.delays.append(at - (awaited + 1) * self.job.part_s)


def _remember(known: dict[K, V], key: K, value: V) -> None:
    if len(known) >= KEPT:
        del known[next(iter(known))]
    known[key] = value


class Viewer(asyncio.Protocol):
    """One of them."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._transport: asyncio.Transport | None = None
        self._awaited = -1
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first playlist."""
        self._transport = cast(asyncio.Transport, transport)
        self._ask(-1)

    def data_received(self, data: bytes) -> None:
        """Take what came; when the answer is whole, ask for the next."""
        answer = self._answer + data if self._answer else data
        found = body_of(answer)
        if found is None:
            self._answer = answer
            return
        audience, awaited = self._audience, self._awaited
        at = audience.clock()
        self._answer = b""
        try:
            number = audience.number(answer[found[0] : found[1]])
        except ValueError:
            audience.errors += 1
            asyncio.get_running_loop().call_later(RETRY_S, self._ask, awaited)
            return
        if awaited >= 0:
            audience.seen(awaited, at)
        self._ask(number + 1)

    def connection_lost(self, exc: Exception | None) -> None:
        """It does not come back: that is an error."""
        self._transport = None
        self._audience.errors += 1

    def _ask(self, number: int) -> None:
        self._awaited = number
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
    delays = sorted(audience.delays)
    shown = {name: 1e3 * delays[round(share * (len(delays) - 1))] if delays else 0.0
             for name, share in (("p50", 0.5), ("p99", 0.99), ("most", 1.0))}  # fmt: skip
    return Found(shown, len(delays), audience.errors, busy)


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(watch(Job(**json.loads(Path(sys.argv[1]).read_text())), wall)))))
