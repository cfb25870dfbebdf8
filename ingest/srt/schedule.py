"""When which session is to be woken: a heap that forgets what has become untrue. Sans-IO."""

from __future__ import annotations

import heapq
import math

from .limits import TICK_S

GRID_SLACK = 1e-6
"""A time that is a point of the grid but for rounding is that point."""


def grid_point(due: float, now: float) -> float:
    """The first point of the grid of TICK_S that is not before `due`, and after `now`."""
    step = max(math.ceil(due / TICK_S - GRID_SLACK), math.floor(now / TICK_S + GRID_SLACK) + 1)
    return step * TICK_S


class Schedule:
    """Due times by key, the earliest first."""

    def __init__(self) -> None:
        self._due: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []

    def set(self, key: int, due: float) -> None:
        """Wake `key` at `due`, whatever was said before; infinity for never."""
        if self._due.get(key) == due:
            return
        self.remove(key)
        if due < math.inf:
            self._due[key] = due
            heapq.heappush(self._heap, (due, key))
            if len(self._heap) > 64 + 4 * len(self._due):
                self._heap = [(at, key) for key, at in self._due.items()]
                heapq.heapify(self._heap)

    def remove(self, key: int) -> None:
        """Do not wake `key`."""
        self._due.pop(key, None)

    def next(self) -> float | None:
        """The earliest due time."""
        while self._heap:
            due, key = self._heap[0]
            if self._due.get(key) == due:
                return due
            heapq.heappop(self._heap)
        return None

    def pop(self, now: float) -> list[int]:
        """Keys that are due at `now`; each must be set again."""
        keys: list[int] = []
        while (due := self.next()) is not None and due <= now:
            key = heapq.heappop(self._heap)[1]
            del self._due[key]
            keys.append(key)
        return keys
