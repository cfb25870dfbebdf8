"""Processor time of the chain's processes, by whose it is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from .processes import cpu_seconds


class Used:
    """Seconds of each process, as of the last look at it: what has ended keeps them, so that no sum shrinks."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}
        """At the first look: whoever outlives its parent stays with it."""
        self._seconds: dict[int, float] = {}

    def look(self) -> None:
        """At all processes of the machine."""
        for folder in Path("/proc").glob("[0-9]*"):
            pid = int(folder.name)
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
                seconds = cpu_seconds(pid)
                self._parents.setdefault(pid, int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1]))
                self._seconds[pid] = seconds

    def of(self, roots: Iterable[int]) -> float:
        """Of these processes and all below them."""
        wanted = set(roots)
        return sum(seconds for pid, seconds in self._seconds.items() if wanted & self._line(pid))

    def children(self) -> set[int]:
        """Of this process, also those that have ended."""
        return {pid for pid, parent in self._parents.items() if parent == os.getpid()}

    def _line(self, pid: int) -> set[int]:
        """A process and those above it."""
        line: set[int] = set()
        while pid in self._parents and pid not in line:
            line.add(pid)
            pid = self._parents[pid]
        return line


def busy_s() -> float:
    """Of all processors and all processes, since the machine's start."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    user, nice, system, _idle, _waiting, hard, soft = map(int, fields[1:8])
    return (user + nice + system + hard + soft) / os.sysconf("SC_CLK_TCK")
