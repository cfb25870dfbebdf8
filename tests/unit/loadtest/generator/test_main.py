"""The process: plan in, ticks out."""

from __future__ import annotations

import gc
import io
import os
import sys
import time
from collections.abc import Iterator

import pytest

from headwater.loadtest import records_json
from headwater.loadtest.generator.__main__ import main
from headwater.loadtest.generator.plan import Arrival, GeneratorPlan
from headwater.loadtest.records import ClockOffset, Count, Tick, ViewerClass


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    """The process sets the collector up for itself."""
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


def feed(text: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """stdin is a pipe with `text` in it; its other end."""
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(os.fdopen(reading, "rb")))
    return writing


@pytest.mark.parametrize(
    "text",
    ["", "{}\n", "nonsense\n", '{"process":0,"url":"ftp://h/","seed":1,"epoch_monotonic_wall":0,"clock":{},"x":1}\n'],
)
def test_no_plan(text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    os.close(feed(text, monkeypatch))
    assert main() == 2
    assert capsys.readouterr().err.startswith("no plan: ")
    sys.stdin.close()


def test_the_end_of_stdin_ends_the_run_with_the_last_tick(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = GeneratorPlan(
        process=3,
        url="http://127.0.0.1:1/live/index.m3u8",
        seed=1,
        epoch_monotonic_wall=time.time(),  # noqa: TID251  (as the controller says it)
        clock=ClockOffset(0.0, 0.0, "given"),
        duration_s=60.0,
        arrivals=(Arrival(0.0, ViewerClass(), None),),
    )
    os.close(feed(plan.to_json() + "\n", monkeypatch))
    assert main() == 0
    ticks = [records_json.from_text(Tick, line) for line in capsys.readouterr().out.splitlines()]
    assert [(tick.process, tick.second) for tick in ticks] == [(3, 0)]
    assert ticks[0].counts.get(Count.JOINED, 0) <= 1
    sys.stdin.close()
