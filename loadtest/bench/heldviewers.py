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
from collections.abc import Callable, Sequence
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
READ_BYTES = 256 * 1024
KEPT = 16
"""Playlists whose number, and numbers whose request, are remembered: all viewers see the same few."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_FIRST = re.compile(r"^#EXT-X-MEDIA-SEQUENCE:(\d+)", re.MULTILINE)
_PART = re.compile(r'^#EXT-X-PART:.*\bURI="([^"]+)"', re.MULTILINE)
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
    media: bool = False
    """Parts are asked for as well."""


@dataclass(frozen=True)
class Found:
    """Of the measured time."""

    delays_ms: dict[str, float]
    """p50, p99 and most: from when a part is due to the last byte of the playlist with it."""
    parts_ms: dict[str, float]
    """The same to the last byte of the part."""
    updates: int
    """Playlists that came."""
    late: int
    """Parts that were there only when the next one was due."""
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
        self.late = self.errors = 0
        self.room = memoryview(bytearray(READ_BYTES))
        """What came last, of whichever viewer."""
        self._path = urlsplit(job.url).path
        self._rest = f" HTTP/1.1\r\nHost: {urlsplit(job.url).netloc}\r\nAccept: */*\r\n\r\n"
        self._seen: dict[bytes, tuple[int, bytes]] = {}
        self._requests: dict[int, bytes] = {}

    def request(self, number: int) -> bytes:
        """For the playlist with that part; below 0: for the playlist as it is."""
        request = self._requests.get(number)
        if request is None:
            msn, part = divmod(number, self.job.parts)
            query = f"?_HLS_msn={msn}&_HLS_part={part}&_HLS_skip=YES" if number >= 0 else ""
            request = f"GET {self._path}{query}{self._rest}".encode()
            _remember(self._requests, number, request)
        return request

    def newest(self, body: bytes) -> tuple[int, bytes]:
        """The newest part of a playlist: its number, and the request for it. Raises ValueError: it has none."""
        found = self._seen.get(body)
        if found is None:
            text = body.decode()
            names = _PART.findall(text)
            if not names:
                raise ValueError("no EXT-X-PART")
            request = f"GET {self._path.rpartition('/')[0]}/{names[-1]}{self._rest}".encode()
            found = newest(text, self.job.parts), request
            _remember(self._seen, body, found)
        return found

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


def _remember(known: dict[K, V], key: K, value: V) -> None:
    if len(known) >= KEPT:
        del known[next(iter(known))]
    known[key] = value


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
    listed, loaded = _spread(audience.delays), _spread(audience.parts)
    return Found(listed, loaded, len(audience.delays), audience.late, audience.errors, busy)


def _spread(delays: Sequence[float]) -> dict[str, float]:
    ordered = sorted(delays) or [0.0]
    return {
        name: 1e3 * ordered[round(share * (len(ordered) - 1))]
        for name, share in (("p50", 0.5), ("p99", 0.99), ("most", 1.0))
    }


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(watch(Job(**json.loads(Path(sys.argv[1]).read_text())), wall)))))
