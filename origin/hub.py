"""Where streams arrive: the origin's `media.Sink`.

    hub = Hub(settings.origin, registry)
    sink = hub.open("demo")            # ingest writes StreamEvents into it
    stream = hub.stream("demo")        # handlers read playlists and media from it
    hub.streams()                      # all that are known, for listings
    hub.drain(); hub.close()           # held requests go; timers are cancelled

Everything runs on one event loop. An event that completes a part wakes the requests that wait for it before
`write` returns.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from prometheus_client import CollectorRegistry

from headwater.config.settings import Origin
from headwater.config.stages import Stage, StageTime
from headwater.ingest.media import StreamEvent, StreamSink, Track

from . import cmaf
from .held import HeldRequests
from .metrics import OriginMetrics
from .stream import LiveStream, StreamState

log = structlog.get_logger("headwater.origin")

TIMER_STEP_S = 0.001
"""Least delay of a timer: loops count milliseconds, and a timer that comes early would come again at once."""


def wall_clock() -> float:
    """Unix seconds."""
    return datetime.now(UTC).timestamp()


class Hub:
    """All streams of this origin. `clock`: monotonic seconds, the same as the `now` of events."""

    def __init__(
        self,
        settings: Origin,
        registry: CollectorRegistry,
        *,
        clock: Callable[[], float] = time.monotonic,
        unix: Callable[[], float] = wall_clock,
    ) -> None:
        self.settings = settings
        self.metrics = OriginMetrics(registry)
        self.held = HeldRequests(settings.http.max_held, self.metrics.held)
        self._clock = clock
        self._unix = unix
        self._streams: dict[str, _Entry] = {}

    def open(self, name: str) -> StreamSink:
        """Begin the stream `name`, or go on with it when it has not ended."""
        entry = self._streams.get(name)
        if entry is not None and entry.stream.state is not StreamState.ENDED:
            return entry
        earlier = None
        if entry is not None:
            entry.close()
            earlier = entry.stream
            self._remove_series(earlier)
        stream = LiveStream(name, self.settings, self.metrics, clock=self._clock, unix=self._unix, earlier=earlier)
        entry = _Entry(self, stream)
        self._streams[name] = entry
        self._count()
        return entry

    def check(self, track: Track) -> str | None:
        """Why `track` cannot be delivered, or None."""
        return cmaf.supported(track)

    def stream(self, name: str) -> LiveStream | None:
        """The stream, from its opening until a window's time after its end."""
        entry = self._streams.get(name)
        return None if entry is None else entry.stream

    @property
    def stages(self) -> dict[Stage, StageTime]:
        """Where media spends its time here."""
        return self.metrics.stages

    def streams(self) -> list[LiveStream]:
        """All known streams by name."""
        return [self._streams[name].stream for name in sorted(self._streams)]

    def drain(self) -> None:
        """Answer all held requests, and hold none from now on."""
        self.held.drain()

    def close(self) -> None:
        """Cancel timers. Streams are forgotten without ENDLIST: they go on when the server is back."""
        for entry in self._streams.values():
            entry.close()
        self._streams.clear()
        self.held.drain()

    # -- for the entries -----------------------------------------------------------------------------------

    def now(self) -> float:
        """Monotonic seconds."""
        return self._clock()

    def stream_ended(self, entry: _Entry) -> None:
        """Keep the ended stream for its window's time; one that never had media goes at once."""
        stream = entry.stream
        log.info("stream ended", stream=stream.name)
        if any(rendition.listed for rendition in stream.renditions.values()):
            entry.forget_later(stream.window_s)
        else:
            self.forget(entry)
        self._count()

    def forget(self, entry: _Entry) -> None:
        """Requests for the stream are 404 from now on; its series are gone."""
        entry.close()
        stream = entry.stream
        if self._streams.get(stream.name) is entry:
            del self._streams[stream.name]
            self._remove_series(stream)
        self._count()

    def _remove_series(self, stream: LiveStream) -> None:
        for rendition in stream.renditions:
            self.metrics.remove(stream.name, rendition)

    def _count(self) -> None:
        states = [entry.stream.state for entry in self._streams.values()]
        for state in StreamState:
            self.metrics.streams.labels(state.value).set(states.count(state))

    count = _count


class _Entry:
    """One stream in the hub, with its timers: the StreamSink that ingest writes to."""

    def __init__(self, hub: Hub, stream: LiveStream) -> None:
        self.stream = stream
        self._hub = hub
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        """Monotonic seconds at which `_timer` fires."""
        self._forget: asyncio.TimerHandle | None = None

    def write(self, event: StreamEvent, now: float) -> None:
        """Take one event."""
        stream = self.stream
        before = stream.state
        if before is StreamState.ENDED:
            return
        touched = stream.write(event, now)
        if touched is not None:
            # The usual case, a sample: only its own segmenter can be due earlier than the timer.
            due = touched.segmenter.next_timeout()
            if due is not None and (self._timer is None or due < self._due):
                self._arm(due)
        else:
            self._arm(stream.next_timeout())
        self._follow(before)

    def _follow(self, before: StreamState) -> None:
        state = self.stream.state
        if state is before:
            return
        if state is StreamState.ENDED:
            self._cancel()
            self._hub.stream_ended(self)
        else:
            self._hub.count()

    def _arm(self, due: float | None) -> None:
        self._cancel()
        if due is None:
            return
        self._due = due
        delay = max(TIMER_STEP_S, due - self._hub.now())
        self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        before = self.stream.state
        self.stream.handle_timeout(self._hub.now())
        self._arm(self.stream.next_timeout())
        self._follow(before)

    def forget_later(self, delay_s: float) -> None:
        """Let the hub forget the stream after `delay_s` seconds."""
        self._forget = asyncio.get_running_loop().call_later(delay_s, self._hub.forget, self)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """Cancel timers."""
        self._cancel()
        if self._forget is not None:
            self._forget.cancel()
            self._forget = None
