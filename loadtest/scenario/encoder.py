"""One publisher of a run in a process of its own: `python -m headwater.loadtest.scenario.encoder`.

Standard input: a line with the job, later a line with the Unix time at which the run begins; its end ends the encoder.
Standard output: a `records.ChaosEvent` per line, for each fault that begins and for each connection that fails.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TextIO

from headwater.config.section import Section
from headwater.loadtest import records_json
from headwater.loadtest.publish.amf import Value
from headwater.loadtest.publish.connection import ConnectFailed
from headwater.loadtest.publish.flv import TagKind
from headwater.loadtest.publish.options import BadTarget
from headwater.loadtest.publish.publication import Link, PublishFailed
from headwater.loadtest.publish.rtmp import Event, Lost
from headwater.loadtest.publish.run import Publisher as Sender
from headwater.loadtest.publish.run import target_of
from headwater.loadtest.publish.source import SourceError
from headwater.loadtest.records import ChaosEvent

from .faults import Faults, filled, what
from .publishing import Disconnect, Loss, Publisher, Stall

STEP_S = 0.1
"""Longest time for which a stalled publisher does not look whether it is to stop."""
AGAIN_S = 1.0
"""Between two attempts to connect."""


class Job(Section):
    """What one process does."""

    publisher: Publisher
    """Of this encoder alone: its number stands in the URL."""
    shown: str
    """What it is called in events."""


class FaultyLink:
    """A connection with faults. Has the face of `publication.Link`."""

    def __init__(self, inner: Link, faults: Faults, clock: Callable[[], float], stopped: Callable[[], bool]) -> None:
        """`clock`: seconds since the run began."""
        self._inner, self._faults, self._clock, self._stopped = inner, faults, clock, stopped

    @property
    def shown(self) -> str:
        """The target, for people."""
        return self._inner.shown

    @property
    def bytes_sent(self) -> int:
        """So far."""
        return self._inner.bytes_sent

    @property
    def unsent(self) -> int:
        """Bytes that were not taken yet."""
        return self._inner.unsent

    def send_metadata(self, values: Mapping[str, Value]) -> None:
        """As it is."""
        self._inner.send_metadata(values)

    def send_media(self, kind: TagKind, timestamp: int, payload: bytes) -> None:
        """With the jumps so far, and the bit rate of now."""
        now = self._clock()
        shift = round(self._faults.shift_s(now) * 1_000)
        self._inner.send_media(kind, timestamp + shift, filled(kind, payload, self._faults.factor(now)))

    def exchange(self, until: float) -> list[Event]:
        """As the connection does, later when there is a stall; a disconnect ends it."""
        while not self._stopped():
            now = self._clock()
            if self._faults.until(Disconnect, now) is not None:
                return [Lost("the scenario disconnects")]
            end = self._faults.until(Stall, now)
            if end is None:
                break
            wait = min(STEP_S, max(0.0, end - now))
            if events := self._inner.exchange(time.monotonic() + wait):
                return events
        return self._inner.exchange(until)


class Encoder:
    """Publishes until it is told to stop, through all faults."""

    def __init__(self, job: Job, stop: threading.Event, out: TextIO) -> None:
        self._options = job.publisher.options()
        self._name = job.shown
        self._faults = Faults([fault for fault in job.publisher.faults if not isinstance(fault, Loss)])
        self._stop, self._out = stop, out
        self._failed = False
        self.epoch = -math.inf
        """Monotonic time of the run's begin; -inf: not known yet."""

    def now(self) -> float:
        """Seconds since the run began; -inf before that is known."""
        now = time.monotonic() - self.epoch if math.isfinite(self.epoch) else -math.inf
        for begun in self._faults.begun(now):
            self._tell(what(begun.fault), ok=True)
        return now

    def run(self) -> int:
        """The exit code."""
        try:
            sender = Sender(self._options, target_of(self._options.url), self._stop, self._out, self._through)
            while not self._stop.is_set():
                self._once(sender)
        except (SourceError, BadTarget) as error:
            self._tell("cannot publish", ok=False, detail=str(error))
            return 1
        return 0

    def _once(self, sender: Sender) -> None:
        now = self.now()
        if (until := self._faults.until(Disconnect, now)) is not None:
            self._stop.wait(min(until - now, AGAIN_S))
            return
        try:
            sender.once()
        except (PublishFailed, ConnectFailed) as error:
            if self._faults.until(Disconnect, self.now()) is not None:
                return
            if not self._failed:  # once, until it is connected again
                self._failed = True
                self._tell("connection failed", ok=False, detail=str(error))
            self._stop.wait(AGAIN_S)

    def _through(self, link: Link) -> Link:
        self._failed = False
        return FaultyLink(link, self._faults, self.now, self._stop.is_set)

    def _tell(self, text: str, *, ok: bool, detail: str = "") -> None:
        second = time.monotonic() - self.epoch if math.isfinite(self.epoch) else 0.0
        event = ChaosEvent(round(second, 3), f"{self._name}: {text}", ok, detail[:500])
        self._out.write(records_json.to_text(event) + "\n")
        self._out.flush()


def _listen(encoder: Encoder, stop: threading.Event) -> None:
    """The begin of the run, then the end of standard input."""
    for line in sys.stdin:
        encoder.epoch = time.monotonic() + float(line) - time.time_ns() / 1e9
    stop.set()


def main() -> int:
    """Until standard input ends."""
    stop = threading.Event()
    encoder = Encoder(Job.model_validate_json(sys.stdin.readline()), stop, sys.stdout)
    threading.Thread(target=_listen, args=(encoder, stop), daemon=True).start()
    return encoder.run()


if __name__ == "__main__":
    sys.exit(main())
