"""Processor time by whose it is, of processes that really use some."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from headwater.loadtest.bench.chaincpu import Used, busy_s
from headwater.loadtest.bench.processes import running, wait_until

BURN = "import time\nwhile time.process_time() < 0.3: pass\ntime.sleep(60)"
BELOW = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}])"
IDLE = "import time; print('up', flush=True); time.sleep(60)"


def burnt(used: Used, pid: int) -> bool:
    used.look()
    return used.of({pid}) >= 0.3


def test_a_process_has_the_time_of_those_below_it_also_once_they_have_ended(tmp_path: Path) -> None:
    used, before = Used(), busy_s()
    idle, below = [sys.executable, "-c", IDLE], [sys.executable, "-c", BELOW]
    with running(idle, tmp_path / "idle") as other, running(below, tmp_path / "below") as peer:
        wait_until(lambda: "up" in other.text(), timeout_s=20, what="it runs", peer=other)
        wait_until(partial(burnt, used, peer.pid), timeout_s=20, what="it burns", peer=peer)
        assert {peer.pid, other.pid} <= used.children()
        assert 0 <= used.of({other.pid}) < used.of({peer.pid})
        both = used.of({peer.pid, other.pid})
    used.look()
    assert used.of({peer.pid, other.pid}) >= both, "what has ended counts on"
    assert {peer.pid, other.pid} <= used.children()
    assert used.of(set()) == 0
    assert busy_s() - before >= 0.3
