"""A ladder's way into the sink: events, what is offered, what is planned, how it does."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from headwater.ingest.media import LadderState, LadderStatus, Planned, Rendition, StreamEvent, StreamSink

from .model import Plan
from .offers import Offers
from .progress import Deliveries

log = structlog.get_logger("headwater.encode")

PLANNED_S = 8.0
"""Seconds for which a new stream is held back for its rungs. Why: a cold worker needs 2 s on a busy machine, and the
first playlist waits for 12 s of media anyway."""
STATUS_S = 1.0
"""Between two reports of the ladder's state for listings."""


class Outlet:
    """Of the ladder of the stream `name`, into `sink`. `now`: monotonic seconds."""

    def __init__(self, name: str, sink: StreamSink) -> None:
        self._name = name
        self._sink = sink
        self._offers = Offers()
        self._planned_until: float | None = None
        self._said_at = float("-inf")

    def emit(self, events: Iterable[StreamEvent], now: float) -> None:
        """Hand on."""
        for event in events:
            self._sink.write(event, now)

    def offer(self, plan: Plan | None, deliveries: Deliveries, now: float, *, runs: bool, regular: bool) -> None:
        """Rungs that are not encoded are not offered; where nothing else is, the source is.

        Args:
            plan: None: nothing is to be offered yet.
            runs: the ladder is not paused.
            regular: segments start on keyframes of the source.
        """
        if plan is None:
            return
        there = deliveries.is_there if runs else _nothing
        for offer in self._offers.update(plan, deliveries.rungs, there, regular=regular):
            log.info("offered", stream=self._name, rendition=offer.rendition, offered=offer.offered)
            self.emit([offer], now)

    def plan(self, rungs: tuple[Rendition, ...], now: float) -> None:
        """These rungs will come: the stream is held back for them, for a while."""
        self._planned_until = now + PLANNED_S
        self.emit([Planned(rungs)], now)

    def plan_less(self, missing: tuple[Rendition, ...], now: float) -> None:
        """The stream is not held back any more for rungs that may not come."""
        if self._planned_until is None:
            return
        self._planned_until = None
        if missing:
            log.warning("stream does not wait for its ladder", stream=self._name, missing=missing)
        self.emit([Planned(())], now)

    def late(self, now: float) -> bool:
        """The time for the planned rungs is over."""
        return self._planned_until is not None and now >= self._planned_until

    def say(self, state: LadderState, now: float, *, level: int, speed: float, lag_s: float, text: str = "") -> None:
        """How the ladder does; `text`: what the level gives up."""
        self._said_at = now
        self.emit([LadderStatus(state, level, round(speed, 2), round(lag_s, 2), text)], now)

    def silent(self, now: float) -> bool:
        """It is time to say it again."""
        return now - self._said_at >= STATUS_S


def _nothing(rendition: Rendition) -> bool:
    return False
