"""The memory store: entities by key, bounded in bytes. Sans-IO.

Least recently used goes first, with one exception: what stands in the live window of a followed playlist goes
only when nothing else is left, because its viewers will all ask for it within seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from .message import Entity

STALE_KEPT_S = 60.0
"""How long an entity outside the live windows is kept after it became stale, for a revalidation. Why: what left the
window of a live stream is never asked for again; it would fill the memory up to the limit."""
SWEEP = 64
"""Entities that one `sweep` looks at: at most some tens of microseconds."""

OVERHEAD_BYTES = 1_024
"""Counted per entity on top of its body: headers, keys, rendered heads."""


class Store:
    """Entities whose bodies and overhead never exceed `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._cold: OrderedDict[str, Entity] = OrderedDict()
        self._live: OrderedDict[str, Entity] = OrderedDict()
        self._marks: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        self._unswept: list[str] = []
        self.bytes = 0
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._cold) + len(self._live)

    def get(self, key: str) -> Entity | None:
        """The entity at `key`, fresh or not, and note that it was wanted."""
        entity = self._live.get(key)
        if entity is not None:
            self._live.move_to_end(key)
            return entity
        entity = self._cold.get(key)
        if entity is not None:
            self._cold.move_to_end(key)
        return entity

    def peek(self, key: str) -> Entity | None:
        """The entity at `key`, without noting it."""
        return self._live.get(key) or self._cold.get(key)

    def put(self, key: str, entity: Entity) -> bool:
        """Keep `entity`, evicting others; False when it is larger than the whole store."""
        self.remove(key)
        size = _size(entity)
        if size > self._limit:
            return False
        (self._live if key in self._marks else self._cold)[key] = entity
        self._sizes[key] = size
        self.bytes += size
        self._shrink(keep=key)
        return True

    def weigh(self, key: str, entity: Entity) -> None:
        """`entity` has another size now: a compressed variant was made. Nothing if it is not kept."""
        if self.peek(key) is entity:
            size = _size(entity)
            self.bytes += size - self._sizes[key]
            self._sizes[key] = size
            self._shrink(keep=key)

    def remove(self, key: str) -> None:
        """Forget the entity at `key`, if there is one."""
        entity = self._live.pop(key, None) or self._cold.pop(key, None)
        if entity is not None:
            self.bytes -= self._sizes.pop(key)

    def mark(self, keys: Iterable[str]) -> None:
        """These keys are in a live window now, stored or not. Counted: several playlists may name one key."""
        for key in keys:
            count = self._marks.get(key, 0)
            self._marks[key] = count + 1
            if not count and (entity := self._cold.pop(key, None)) is not None:
                self._live[key] = entity

    def release(self, keys: Iterable[str]) -> None:
        """The other end of `mark`."""
        for key in keys:
            count = self._marks.get(key, 0) - 1
            if count > 0:
                self._marks[key] = count
                continue
            self._marks.pop(key, None)
            if (entity := self._live.pop(key, None)) is not None:
                self._cold[key] = entity

    def sweep(self, now: float) -> None:
        """Forget some of what has been stale for long; to be called often, it goes round by and by."""
        if not self._unswept:
            self._unswept = list(self._cold)
        for key in self._unswept[-SWEEP:]:
            entity = self._cold.get(key)
            if entity is not None and entity.seconds_old(now) > entity.lifetime + STALE_KEPT_S:
                self.remove(key)
        del self._unswept[-SWEEP:]

    def marked(self, key: str) -> bool:
        """Whether `key` is in a live window."""
        return key in self._marks

    def _shrink(self, keep: str) -> None:
        while self.bytes > self._limit:
            key = next((key for key in self._cold if key != keep), None)
            if key is None:
                key = next((key for key in self._live if key != keep), None)
            if key is None:
                return
            self.remove(key)
            self.evictions += 1


def _size(entity: Entity) -> int:
    return OVERHEAD_BYTES + len(entity.body) + (len(entity.gzip.body) if entity.gzip else 0)
