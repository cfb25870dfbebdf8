from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry, Counter

from headwater.config import statusbook
from headwater.config.stages import Stage, StageTime, StageTimes
from headwater.config.status import Facts, StreamStatus
from headwater.config.statusbook import KEPT, StatusBook


def test_problems_and_stages_are_those_of_the_window() -> None:
    registry, time = CollectorRegistry(auto_describe=True), StageTime()
    StageTimes(registry, {Stage.FIRST_BYTE: time})
    errors = Counter("headwater_ingest_state_errors", "x", registry=registry)
    book = StatusBook("origin", registry, lambda: None, lambda: Facts((StreamStatus("x", "live"),)))
    errors.inc()
    time.observe(0.002)
    status = book.status()
    assert [problem.severity for problem in status.problems] == ["bad"]
    assert [(stage.stage, stage.count) for stage in status.stages] == [("first_byte", 1)]
    assert (status.role, status.streams[0].name) == ("origin", "x")
    for _ in range(KEPT):
        book.keep()
    status = book.status()
    assert (status.problems, status.stages[0].count) == ((), 0)


async def test_it_looks_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statusbook, "EVERY_S", 0.001)
    errors = Counter("headwater_ingest_state_errors", "x", registry=(registry := CollectorRegistry()))
    book = StatusBook("edge", registry, lambda: "draining", lambda: Facts(()))
    errors.inc()
    book.start()
    for _ in range(500):
        await asyncio.sleep(0.002)
        if not book.status().problems:
            break
    book.stop()
    book.stop()
    assert (book.status().problems, book.status().ready) == ((), "draining")
