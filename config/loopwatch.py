"""How late the event loop is: the delay between when a timer was due and when it ran, as a histogram.

Every viewer and publisher of a process waits for one loop; this is the figure that says when it is full.
"""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry, Histogram

PERIOD_S = 0.1
"""Between probes: ten timers per second cost nothing and find any stall of a tenth of a second."""

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class LoopWatch:
    """Probes the running loop until `stop`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lag = Histogram(
            "headwater_event_loop_lag_seconds",
            "Delay between when a timer of the event loop was due and when it ran",
            buckets=_BUCKETS,
            registry=registry,
        )
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin on the running loop."""
        self._arm(asyncio.get_running_loop())

    def stop(self) -> None:
        """End; may be called twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + PERIOD_S
        self._timer = loop.call_at(due, self._probe, loop, due)

    def _probe(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        # uvloop counts in whole milliseconds and may be early by a fraction of one.
        self._lag.observe(max(0.0, loop.time() - due))
        self._arm(loop)
