"""`tc netem` on an interface: put there, changed, taken away. Root's queue of others is never replaced."""

from __future__ import annotations

import shutil
from pathlib import Path

from .program import run
from .steps import Netem

CAP_NET_ADMIN = 12
"""Bit of the capability (capabilities(7))."""
NO_NETEM = "qdisc kind is unknown"
"""What tc says when the kernel's module is not there."""
TC_S = 10.0
"""For one `tc`."""


def impossible() -> str | None:
    """Why this process cannot do it; None: it can."""
    if shutil.which("tc") is None:
        return "tc netem needs the program tc (package iproute2), and it is not in PATH"
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return "tc netem is for Linux"
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    if not int(effective.split()[1], 16) >> CAP_NET_ADMIN & 1:
        return "tc netem needs CAP_NET_ADMIN: run as root, or with that capability"
    return None


class Shaper:
    """The interfaces that are made worse now."""

    def __init__(self) -> None:
        self._shaped: set[str] = set()

    async def put(self, step: Netem) -> str:
        """Why it did not work; empty: it did."""
        if (reason := impossible()) is not None:
            return reason
        # `add` refuses where somebody else's queue is; ours may be replaced.
        verb = "replace" if step.interface in self._shaped else "add"
        failed = await run(("tc", "qdisc", verb, "dev", step.interface, "root", "netem", *step.words), TC_S)
        if not failed:
            self._shaped.add(step.interface)
        return f"{failed} (this kernel has no sch_netem)" if NO_NETEM in failed else failed

    async def take(self, interface: str) -> str:
        """Why it could not be taken away; empty: it is gone."""
        if interface not in self._shaped:
            return ""
        self._shaped.discard(interface)
        return await run(("tc", "qdisc", "del", "dev", interface, "root", "netem"), TC_S)

    @property
    def shaped(self) -> tuple[str, ...]:
        """Interfaces that are made worse."""
        return tuple(sorted(self._shaped))
