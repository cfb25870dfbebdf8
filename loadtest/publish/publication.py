"""One publication over one connection: the pace, the clock, and a line about it every few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from .amf import Value
from .flv import TagKind
from .options import PublishOptions
from .rtmp import Event, Lost, Ready, Refused
from .source import FileSource, Source, TestSource

POLL_S = 0.1
"""Between looks at the stop signal."""
REPORT_S = 5.0
LATE_S = 1.0
"""So far behind, frames are left out; nearer, they are made up for. Why: a busy moment costs no frame, and a machine
that is too slow for the picture stays within a second of the clock."""
LOST_TIME_S = 2.0
"""So far behind (the machine slept), the schedule starts over. Why: nobody waits for a burst of old sound."""
CLOCK_STEP_NS = 20_000_000
"""The burnt-in clock follows the system's when they differ by more. Why: less than a frame nobody sees."""
BACKLOG_S = 2.0
"""Of media that the server has not taken: no more is made until it does."""
FILE_BITRATE = 20_000_000


class PublishFailed(Exception):
    """The publication ended in a way that the user should hear of; the text says how."""


class Link(Protocol):
    """What media goes through: an RTMP connection, or an ffmpeg that sends SRT."""

    @property
    def shown(self) -> str:
        """The target, for people."""

    @property
    def bytes_sent(self) -> int:
        """So far."""

    @property
    def unsent(self) -> int:
        """Bytes that were not taken yet."""

    def send_metadata(self, values: Mapping[str, Value]) -> None:
        """`onMetaData`."""

    def send_media(self, kind: TagKind, timestamp: int, payload: bytes) -> None:
        """One FLV tag; `timestamp` in ms."""

    def exchange(self, until: float) -> list[Event]:
        """Work until the monotonic time `until`, or until something happened."""


def heed(connection: Link, until: float) -> None:
    """Lets the connection work until the monotonic time `until`. Raises PublishFailed."""
    for event in connection.exchange(until):
        match event:
            case Refused(code, description):
                reason = ": ".join(filter(None, (code, description))) or "no reason given"
                raise PublishFailed(f"the server refused {connection.shown}: {reason}")
            case Lost(detail):
                raise PublishFailed(f"{connection.shown}: {detail}")
            case Ready():
                return


def open_source(options: PublishOptions, title: str) -> Source:
    """What the options ask for. Raises SourceError."""
    return TestSource(options, title, time.time_ns()) if options.file is None else FileSource(options)


def backlog_bytes(options: PublishOptions) -> int:
    """How much may wait for the server before no more is made; a file's bit rate is not known, so a generous one."""
    bitrate = options.bitrate if options.file is None else FILE_BITRATE
    return int(BACKLOG_S * bitrate / 8)


class Publication:
    """Sends one source at its pace over a connection that is ready for media."""

    def __init__(
        self,
        source: Source,
        connection: Link,
        backlog_bytes: int,
        stop: threading.Event,
        say: Callable[[str], None],
    ) -> None:
        self._source, self._connection, self._stop, self._say = source, connection, stop, say
        self._live = source if isinstance(source, TestSource) else None
        self._backlog_bytes = backlog_bytes
        self._start = time.monotonic()
        self._steps = 0
        self._reported = self._start, connection.bytes_sent, 0, 0.0

    def play(self) -> None:
        """Returns when the source is at its end or `stop` is set. Raises PublishFailed, SourceError."""
        connection = self._connection
        connection.send_metadata(self._source.metadata())
        while not self._stop.is_set() and (due := self._source.due_s()) is not None:
            now = time.monotonic()
            if self._start + due > now or self._connection.unsent > self._backlog_bytes:
                wake = self._start + due if self._start + due > now else now + POLL_S
                heed(self._connection, min(wake, now + POLL_S))
                continue
            due = self._catch_up(due, now)
            for tag in self._source.step():
                connection.send_media(tag.kind, tag.timestamp, tag.payload)
            self._steps += 1
            heed(self._connection, 0)
            self._report(due)
        for tag in self._source.finish():
            connection.send_media(tag.kind, tag.timestamp, tag.payload)

    def _catch_up(self, due: float, now: float) -> float:
        """Deals with lateness; the media time of the step that comes next."""
        late = now - self._start - due
        if self._live is None or late < LATE_S:
            if self._live is not None:
                self._set_clock()
            return due
        if late > LOST_TIME_S:
            self._start += late
            self._set_clock()
            return due
        self._source.skip_to(due + late)
        return due + late

    def _set_clock(self) -> None:
        assert self._live is not None
        anchor = time.time_ns() - int((time.monotonic() - self._start) * 1e9)
        if abs(anchor - self._live.anchor_ns) > CLOCK_STEP_NS:
            self._live.anchor_ns = anchor

    def _report(self, media_s: float) -> None:
        now = time.monotonic()
        then, sent, steps, media_then = self._reported
        elapsed = now - then
        if elapsed < REPORT_S:
            return
        rate = (self._connection.bytes_sent - sent) * 8 / elapsed / 1000
        speed = (media_s - media_then) / elapsed
        unit = "fps" if self._live is not None else "packets/s"
        pace = (self._steps - steps) / elapsed
        self._say(f"{media_s:.0f} s, {pace:.1f} {unit}, {rate:.0f} kbit/s, speed {speed:.2f}x")
        self._reported = now, self._connection.bytes_sent, self._steps, media_s
