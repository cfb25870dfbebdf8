"""The bad network in a process of its own."""

from __future__ import annotations

from pathlib import Path

from tests.unit.loadtest.test_udpproxy import ask, echoing

from headwater.loadtest.bench.network import in_process
from headwater.loadtest.udpproxy import Link


async def test_in_a_process(tmp_path: Path) -> None:
    async with echoing() as target:
        with in_process(target, Link(loss=0.5), Link(), 3, tmp_path) as port:
            found, _ = await ask(port, 50, wait_s=0.3)
    assert 10 < len(found) < 40
