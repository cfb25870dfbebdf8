"""Which process of an edge hangs: it lives, and its event loop does not turn. Sans-IO.

Each process gives a sign of life every `BEAT_S`. The parent looks every `LOOK_S` and counts its own looks since the
last sign, not the time: while the parent does not run either (the machine was suspended, or has no core to spare)
nothing is counted, and after a look that came late everybody is counted anew, for the signs of the time between may
not have been read yet. At most one process is given up per `hang_s`, so that whatever makes all of them silent does
not end all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

BEAT_S = 0.5
"""Between two signs of life."""
LOOK_S = 0.5
"""Between two looks of the parent."""
LATE_PART = 0.25
"""A look is late when so much of `hang_s` too much has passed since the one before."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One process as the parent knows it."""

    name: str
    pid: int | None
    """None: there is none now; its supervisor starts one."""
    running: bool
    """It has said that it is ready."""


@dataclass(slots=True)
class _Silence:
    pid: int
    running: bool
    looks: int = 0


@dataclass(frozen=True, slots=True)
class Hung:
    """The verdict on one process."""

    name: str
    pid: int
    silent_s: float
    """Seconds that the parent has watched it say nothing."""


class Vigil:
    """`hang_s`: without a sign of life of a process that was ready before; `start_s`: of one that starts."""

    def __init__(self, hang_s: float, start_s: float) -> None:
        self._late_s = LOOK_S + LATE_PART * hang_s
        self._hang_looks = math.ceil(hang_s / LOOK_S)
        self._start_looks = math.ceil(start_s / LOOK_S)
        self._silences: dict[str, _Silence] = {}
        self._before: float | None = None
        self._rest = 0
        """Looks until the next one may be given up."""

    def heard(self, name: str) -> None:
        """The process called `name` gave a sign of life."""
        if (silence := self._silences.get(name)) is not None:
            silence.looks = 0

    def look(self, now: float, processes: Iterable[Watched]) -> Hung | None:
        """The process to be ended, if any; to be called every `LOOK_S`, `now` in monotonic seconds."""
        late = self._before is not None and now - self._before > self._late_s
        self._before = now
        if late:
            self._silences.clear()
        for process in processes:
            self._count(process)
        self._rest = max(0, self._rest - 1)
        hung = [(name, one) for name, one in self._silences.items() if one.looks > self._patience(one)]
        if not hung or self._rest:
            return None
        name, worst = max(hung, key=lambda found: found[1].looks)
        del self._silences[name]
        self._rest = self._hang_looks
        return Hung(name, worst.pid, (worst.looks - 1) * LOOK_S)

    def _count(self, process: Watched) -> None:
        if process.pid is None:
            self._silences.pop(process.name, None)
            return
        silence = self._silences.get(process.name)
        if silence is None or (silence.pid, silence.running) != (process.pid, process.running):
            silence = self._silences[process.name] = _Silence(process.pid, process.running)
        silence.looks += 1

    def _patience(self, silence: _Silence) -> int:
        return self._hang_looks if silence.running else self._start_looks
