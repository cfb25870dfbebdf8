"""What is remembered of URLs for a time: bounded, the oldest forgotten first. Sans-IO."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from .freshness import Why

MAX_MARKS = 10_000
"""Marked URLs of one sort. Why: a megabyte; what is forgotten early costs a fetch."""


class Marks:
    """URLs with the time until which each is marked, monotonic seconds."""

    def __init__(self) -> None:
        self._until: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def set(self, key: str, until: float) -> None:
        """Mark `key`, for longer if it is marked already."""
        self._until[key] = until
        self._until.move_to_end(key)
        if len(self._until) > MAX_MARKS:
            self._until.popitem(last=False)

    def has(self, key: str, now: float) -> bool:
        """Whether `key` is marked now."""
        until = self._until.get(key)
        if until is None:
            return False
        if until > now:
            return True
        del self._until[key]
        return False

    def clear(self, key: str) -> None:
        """`key` is not marked any more."""
        self._until.pop(key, None)

    def expire(self, now: float) -> None:
        """Forget what is over. Those of one sort last equally long, so the oldest end first."""
        while self._until and next(iter(self._until.values())) <= now:
            self._until.popitem(last=False)

    def forget(self, covers: Callable[[str], bool]) -> None:
        """Whatever is known of these keys is void."""
        for key in [key for key in self._until if covers(key)]:
            del self._until[key]


class HitForMiss(Marks):
    """URLs whose answers may not be shared: nobody queues for them, each request is fetched at once and alone.

    Why: a queue would be answered one by one, each waiting for the fetch of the one before. An answer that may be
    shared ends the mark. `no-store` makes none: nobody keeps such an answer, but all who wait for it get it (rule 160).
    """

    def __init__(self, mark_s: float) -> None:
        super().__init__()
        self._mark_s = mark_s
        self.counts: dict[Why, int] = dict.fromkeys(Why, 0)
        """URLs that were marked, by why; one that is marked on is not counted again."""

    def judged(self, key: str, why: Why | None, now: float) -> None:
        """An answer for `key` came; `why` it may not be shared, None: it may."""
        if why is None:
            self.clear(key)
            return
        if not self.has(key, now):
            self.counts[why] += 1
        self.set(key, now + self._mark_s)
