"""Remembered URLs, each until some time; bounded. Sans-IO."""

from __future__ import annotations

MAX_MARKS = 10_000
"""Of one kind. Forgetting costs a request, not an answer: all are forgotten when one more comes."""


class Marks:
    """A kind of URLs: private, in ranges, or not followed."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def mark(self, key: str, until: float) -> None:
        """Remember `key` up to `until`, monotonic seconds."""
        if len(self._until) >= MAX_MARKS:
            self._until.clear()
        self._until[key] = until

    def stands(self, key: str, now: float) -> bool:
        """Whether `key` is remembered."""
        return self._until.get(key, 0.0) > now
