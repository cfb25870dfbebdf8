"""A worker ahead of need."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from tests.ladder_kit import until

from headwater.ingest.encode import spares as module
from headwater.ingest.encode.process import Fault
from headwater.ingest.encode.spares import Spares


async def test_the_spare_is_taken_and_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.05)
    spares = Spares()
    spares.start()
    spares.start()
    await until(lambda: spares.ready)
    first = await spares.take()
    assert first.heard_at is not None
    assert not spares.ready
    await until(lambda: spares.ready)
    second = await spares.take()
    assert second.pid != first.pid
    await spares.close()
    assert first.reaped
    assert second.reaped


async def test_without_one_a_new_worker_is_started() -> None:
    spares = Spares()
    worker = await spares.take()
    await until(lambda: worker.heard_at is not None)
    await spares.close()
    assert worker.reaped


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_spare_that_was_lost_is_not_handed_out(how: signal.Signals) -> None:
    spares = Spares()
    spares.start()
    await until(lambda: spares.ready)
    assert spares._spare is not None
    lost = spares._spare.pid
    os.kill(lost, how)
    await until(lambda: spares._spare is None or not spares._spare.alive or spares._spare.stopped())
    worker = await spares.take()
    assert worker.pid != lost
    await spares.close()


async def test_a_program_that_ends_by_itself_is_not_started_in_a_storm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.05)
    spares = Spares((sys.executable, "-c", ""))
    spares.start()
    await until(lambda: len(spares._all) == 1)
    (first,) = spares._all
    await first.gone()
    await until(lambda: spares._spare is None)
    assert spares._all == {first}
    await spares.close()
    assert not first.alive
    first.kill(Fault.DONE, "again")
