"""The lag of the event loop."""

from __future__ import annotations

import asyncio
import time

from prometheus_client import CollectorRegistry

from headwater.config.loopwatch import PERIOD_S, LoopWatch


async def test_a_blocked_loop_is_seen() -> None:
    registry = CollectorRegistry()
    watch = LoopWatch(registry)
    watch.start()
    await asyncio.sleep(0)
    time.sleep(PERIOD_S + 0.05)  # noqa: ASYNC251  # this is the fault that the watch must see
    await asyncio.sleep(PERIOD_S)
    watch.stop()
    watch.stop()
    total = registry.get_sample_value("headwater_event_loop_lag_seconds_sum")
    assert total is not None
    assert total >= 0.04
    count = registry.get_sample_value("headwater_event_loop_lag_seconds_count")
    await asyncio.sleep(PERIOD_S * 2)
    assert registry.get_sample_value("headwater_event_loop_lag_seconds_count") == count
