"""Takes a part of a CPU away from another process: a competing load that does so to a few percent.

Victim and burner share one CPU. The victim's niceness is raised (anybody may do that to his own processes), so that the
scheduler gives the burner whatever it wants; it wants a share of the time, in slices of 20 ms.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from headwater.loadtest.bench.processes import Peer

_BURN = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
share, slice_s = float(sys.argv[2]), 0.02
while True:
    end = time.monotonic() + slice_s
    while time.monotonic() < end - slice_s * (1 - share):
        pass
    time.sleep(max(0.0, end - time.monotonic()))
"""


class Burner:
    """What burns; made by `competing`."""

    def __init__(self, cpu: int, folder: Path) -> None:
        self._cpu = cpu
        self._log = folder / "burner.log"
        self._peer: Peer | None = None

    def take(self, share: float) -> None:
        """Take `share` of the CPU from now on."""
        self.stop()
        self._peer = Peer([sys.executable, "-c", _BURN, str(self._cpu), f"{share:.3f}"], self._log)

    def stop(self) -> None:
        """Take nothing."""
        if self._peer is not None:
            self._peer.kill()
            self._peer = None


@contextlib.contextmanager
def competing(victim: int, folder: Path) -> Iterator[Burner]:
    """For the length of a `with` block, one CPU is all that `victim` may use, and the burner may take of it."""
    cpus = os.sched_getaffinity(victim)
    cpu = max(cpus)
    _restrict(victim, {cpu}, 19)
    burner = Burner(cpu, folder)
    try:
        yield burner
    finally:
        burner.stop()
        _restrict(victim, cpus, 0)


def _restrict(victim: int, cpus: set[int], nice: int) -> None:
    """Every thread of it: the kernel counts each for itself."""
    folder = Path(f"/proc/{victim}/task")
    for task in folder.iterdir() if folder.exists() else ():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), cpus)
            # Only root may take niceness back; without it the victim stays modest.
            with contextlib.suppress(PermissionError):
                os.setpriority(os.PRIO_PROCESS, int(task.name), nice)
    # Where sessions are scheduled as groups, the group has a niceness of its own.
    group = Path(f"/proc/{victim}/autogroup")
    with contextlib.suppress(OSError):
        group.write_text(str(nice))
