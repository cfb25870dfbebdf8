"""The work of one worker, message by message, in one thread, and its report to the host twice a second.

`Progress` is sent by the thread that decodes and encodes, between two pieces of work: when libavcodec hangs it stops,
and the host knows.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

from headwater.ingest.encode.model import (
    Adjust,
    Configure,
    Drain,
    Drained,
    Failed,
    FromWorker,
    Progress,
    Resume,
    ToWorker,
)
from headwater.ingest.media import Cut, Hole, Sample, TrackEnded, TrackStarted

from .audio import AudioRungs
from .link import Link, LinkClosed
from .pictures import Ladder

REPORT_S = 0.4
"""Between two reports. Why: the host wants two a second, and takes the worker for dead after one second without."""
IDLE_S = 0.2
"""Longest wait for a message."""

_PAGE = resource.getpagesize()


class Worker:
    """Everything between the messages.

    Args:
        say: takes the messages to the host.
        cores: CPUs to use.
        queued: messages that wait, for the report.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        say: Callable[[FromWorker], None],
        cores: int,
        queued: Callable[[], int] = lambda: 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._cores = cores
        self._queued = queued
        self._clock = clock
        self._level = 0
        self._wanted = 0
        self._ladder: Ladder | None = None
        self._audio: AudioRungs | None = None
        self._reported = clock()
        self._busy = 0.0
        self._since: float | None = None

    def handle(self, message: ToWorker) -> None:
        """Do what a message asks for."""
        self._since = self._clock()
        try:
            self._do(message)
        finally:
            self._busy += self._clock() - self._since
            self._since = None
        self.breathe()

    def breathe(self) -> None:
        """Report when it is time. Called between pieces of work."""
        now = self._clock()
        if now - self._reported < REPORT_S:
            return
        if self._since is not None:
            self._busy += now - self._since
            self._since = now
        self._reported = now
        busy, self._busy = self._busy, 0.0
        ladder, audio = self._ladder, self._audio
        self._say(
            Progress(
                position=ladder.position if ladder else 0,
                media_s=ladder.take_media() if ladder else 0.0,
                busy_s=busy,
                cpu_s=time.process_time(),
                resident_bytes=resident_bytes(),
                queued=self._queued(),
                duplicated=ladder.duplicated if ladder else 0,
                dropped=ladder.dropped if ladder else 0,
                errors=(ladder.errors if ladder else 0) + (audio.errors if audio else 0),
                level=self._level,
            )
        )

    def _do(self, message: ToWorker) -> None:
        if isinstance(message, Configure):
            self._ladder = Ladder(message.plan, self._say, self._cores, self.breathe)
            self._audio = AudioRungs(message.plan.audio, self._say)
            return
        ladder, audio = self._ladder, self._audio
        if ladder is None or audio is None:
            raise ProtocolError(f"{type(message).__name__} before Configure")
        if isinstance(message, Sample | Hole | TrackStarted | TrackEnded):
            self._pass_on(ladder if message.rendition == ladder.source else audio, message)
            return
        match message:
            case Cut():
                self._cut(ladder, message)
            case Resume(position=position):
                ladder.resume(position)
                audio.resume(position)
            case Adjust(level=level):
                self._wanted = level
            case Drain(token=token):
                ladder.drain()
                audio.drain()
                self._say(Drained(token))
            case _:
                raise ProtocolError(f"{type(message).__name__} is not for a worker")

    def _pass_on(self, part: Ladder | AudioRungs, message: Sample | Hole | TrackStarted | TrackEnded) -> None:
        match message:
            case Sample():
                part.sample(message)
            case Hole(rendition=rendition, until=until):
                part.hole(rendition, until)
            case TrackStarted(rendition=rendition, track=track):
                part.track(rendition, track)
            case TrackEnded(rendition=rendition):
                part.end_track(rendition)

    def _cut(self, ladder: Ladder, cut: Cut) -> None:
        if self._wanted != self._level:
            self._level = self._wanted
            ladder.adjust(self._level)
        ladder.cut(cut.time)


class ProtocolError(Exception):
    """The host sent what it must not."""


def run(link: Link, cores: int) -> int:
    """Serve one host until it is gone; the exit code."""
    worker = Worker(link.send, cores, lambda: link.queued)
    try:
        while True:
            message = link.get(IDLE_S)
            if message is None:
                worker.breathe()
            else:
                worker.handle(message)
    except LinkClosed:
        return 0
    except Exception as error:  # whatever it is, the host should hear it rather than guess
        try:
            link.send(Failed(None, f"{type(error).__name__}: {error}"))
        except LinkClosed:
            return 1
        raise
    finally:
        link.close()


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * _PAGE
