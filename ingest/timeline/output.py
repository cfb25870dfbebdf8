"""What has been said of a stream: its events, its numbers, and the epoch that keeps them unique. Sans-IO."""

from __future__ import annotations

from dataclasses import replace

from headwater.ingest.media import (
    Cut,
    Hole,
    Metadata,
    Sample,
    StreamEnded,
    StreamEvent,
    StreamStarted,
    TrackEnded,
    TrackStarted,
)

from .model import TICKS, Counters, Epoch

MARGIN_S = 6
"""Seconds beyond one target duration after a cut that the epoch reserves. Why: nothing later can be published
before the next cut: 0.3 s of a late cut, 3 s of composition offset, one frame of at most 2 s."""


class Output:
    """Events in order, and the numbers that must never repeat.

    Args:
        epoch: of the earlier timeline, or None.
    """

    def __init__(self, epoch: Epoch | None) -> None:
        self.counters = Counters()
        self.started = False
        self.ended = False
        self.target_duration_s = 0
        self.part_target_us = 0
        self.bound = 0
        """Position that no sample may reach before the next cut, 90 kHz ticks."""
        self._events: list[StreamEvent] = []
        self._saved = epoch
        self._late_us = 0
        self._msn = 0
        self._discontinuities = 0
        self._date_us = 0

    def take(self) -> list[StreamEvent]:
        """The events since the last call."""
        events, self._events = self._events, []
        return events

    def start(
        self, msn: int, discontinuity_sequence: int, target_duration_s: int, part_target_us: int, late_us: int
    ) -> None:
        """The stream begins with segment `msn`."""
        self.started = True
        self.target_duration_s = target_duration_s
        self.part_target_us = part_target_us
        self._late_us = late_us
        self._msn = msn
        self._discontinuities = discontinuity_sequence
        self._events.append(StreamStarted(target_duration_s, part_target_us, discontinuity_sequence, late_us))

    def cut(self, time: int, date_us: int, discontinuity: bool) -> None:
        """The next segment starts."""
        self._events.append(Cut(self._msn, time, date_us, discontinuity))
        self._msn += 1
        self._date_us = date_us
        self._discontinuities += discontinuity
        self.bound = time + (self.target_duration_s + MARGIN_S) * TICKS
        self.counters.cuts += 1
        self.counters.discontinuities += discontinuity

    def emit(self, event: Sample | Hole | TrackStarted | TrackEnded | Metadata) -> None:
        """Anything that changes no number."""
        self._events.append(event)

    def end(self) -> None:
        """Nothing follows."""
        self.ended = True
        if self._saved is not None:
            self._saved = replace(self._saved, ended=True)
        self._events.append(StreamEnded())

    @property
    def epoch(self) -> Epoch | None:
        """See `Timeline.epoch`."""
        if not self.started:
            return self._saved
        return Epoch(
            next_msn=self._msn,
            discontinuity_sequence=self._discontinuities,
            end=self.bound + TICKS,
            date_us=self._date_us,
            target_duration_s=self.target_duration_s,
            part_target_us=self.part_target_us,
            late_us=self._late_us,
            ended=self.ended,
        )
