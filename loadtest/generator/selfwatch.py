"""The generator's watch over itself: its CPU, and how late its event loop was. What it adds to every time it takes."""

from __future__ import annotations

import time

LEAST_S = 1.0
"""The last second of a run may be short: its CPU counts as that of a whole one."""


class SelfWatch:
    """Of one process, second by second."""

    def __init__(self) -> None:
        self._cpu = time.process_time()
        self._at = time.monotonic()
        self._lags: list[int] = []

    def turn(self, due: float, now: float) -> None:
        """A timer that was due at `due` came at `now` (monotonic seconds)."""
        self._lags.append(max(0, int((now - due) * 1e6)))

    def second(self) -> tuple[float, int, int]:
        """Since the last call: cores used, largest lag and its 99th percentile, microseconds."""
        cpu, at = time.process_time(), time.monotonic()
        used = (cpu - self._cpu) / max(at - self._at, LEAST_S)
        self._cpu, self._at = cpu, at
        lags = sorted(self._lags)
        self._lags.clear()
        if not lags:
            return used, 0, 0
        return used, lags[-1], lags[(len(lags) * 99 - 1) // 100]
