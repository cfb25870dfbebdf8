"""What is remembered of URLs for a time: bounded, the oldest forgotten first. Sans-IO."""

from __future__ import annotations

MAX_MARKS = 10_000
"""Marked URLs of one sort. Why: a megabyte; what is forgotten early costs a fetch."""


class Marks:
    """URLs with the time until which each is marked, monotonic seconds."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def set(self, key: str, until: float) -> None:
        """Mark `key`."""
        self._until.pop(key, None)
        self._until[key] = until
        if len(self._until) > MAX_MARKS:
            del self._until[next(iter(self._until))]

    def has(self, key: str, now: float) -> bool:
        """Whether `key` is marked now."""
        return self._until.get(key, 0.0) > now
