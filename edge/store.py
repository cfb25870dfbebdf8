"""The memory store: entities by key, bounded in bytes. Sans-IO.

    new ──> once ── asked for again ──> often        out goes: the oldest of `once`, then of `often`, then of `live`
                  <── too many of them ──┘

What was asked for once (a scan, a bot) never pushes out what is asked for often. What stands in the live window of a
followed playlist goes only when nothing else is left, because its viewers will all ask for it within seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from .keyindex import KeyIndex
from .message import Entity

STALE_KEPT_S = 60.0
"""How long an entity outside the live windows is kept after it became stale, for a revalidation. Why: what left the
window of a live stream is never asked for again; it would fill the memory up to the limit."""
SWEEP = 64
"""Entities that one `sweep` looks at: at most some tens of microseconds."""

SHORT_KEY = 256
"""Characters of a key that `OVERHEAD_BYTES` has room for; longer ones are counted."""
OVERHEAD_BYTES = 1_024
"""Counted per entity on top of what it has to say: objects, keys, status lines."""
HEADS = 5
"""How often the fields of an entity are counted: as values, and in a head for each way in which it is sent (hit, fetch,
join, stale)."""
OFTEN_SHARE = 0.8
"""Of the limit: what is asked for often gets no more. Why: what is new has to stay until it can be asked for again."""


class Edition:
    """Of what is stored. `mark` is another object as soon as something is gone, or stale before its time."""

    __slots__ = ("mark",)

    def __init__(self) -> None:
        self.mark = object()

    def change(self) -> None:
        """What was found out about any key is to be found out anew."""
        self.mark = object()


class Store:
    """Entities whose bodies, fields, compressed forms and overhead never exceed `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._once: OrderedDict[str, Entity] = OrderedDict()
        self._often: OrderedDict[str, Entity] = OrderedDict()
        self._live: OrderedDict[str, Entity] = OrderedDict()
        self._often_bytes = 0
        self._marks: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        self._unswept: list[str] = []
        self.index = KeyIndex()
        self.edition = Edition()
        self.leaving: Callable[[str, Entity], None] | None = None
        """Hears of what leaves the live window or the memory and was not purged or replaced: for the disk."""
        self.bytes = 0
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._sizes)

    def get(self, key: str) -> Entity | None:
        """The entity at `key`, fresh or not, and note that it was wanted."""
        entity = self._live.get(key)
        if entity is not None:
            self._live.move_to_end(key)
            return entity
        entity = self._often.get(key)
        if entity is not None:
            self._often.move_to_end(key)
            return entity
        entity = self._once.pop(key, None)
        if entity is not None:
            self._often[key] = entity
            self._often_bytes += self._sizes[key]
            self._demote()
        return entity

    def peek(self, key: str) -> Entity | None:
        """The entity at `key`, without noting it."""
        return self._live.get(key) or self._often.get(key) or self._once.get(key)

    def put(self, key: str, entity: Entity) -> bool:
        """Keep `entity`, evicting others; False when it is larger than the whole store."""
        often = key in self._often
        self.remove(key)
        size = _size(key, entity)
        if size > self._limit:
            return False
        (self._live if key in self._marks else self._often if often else self._once)[key] = entity
        self._sizes[key] = size
        self.index.add(key)
        self._account(key, size)
        self._shrink(keep=key)
        return True

    def weigh(self, key: str, entity: Entity) -> None:
        """`entity` has another size now: a compressed variant was made. Nothing if it is not kept."""
        if self.peek(key) is entity:
            size = _size(key, entity)
            self._account(key, size - self._sizes[key])
            self._sizes[key] = size
            self._shrink(keep=key)

    def remove(self, key: str) -> None:
        """Forget the entity at `key`, if there is one."""
        if key in self._sizes:
            self.edition.change()
            size = self._sizes.pop(key)
            self._account(key, -size)
            self.index.discard(key)
            del self._place(key)[key]

    def purge(self, keys: Iterable[str], now: float, *, soft: bool) -> int:
        """Forget the entities at `keys`, or make them stale; how many there were."""
        count = 0
        for key in keys:
            entity = self.peek(key)
            if entity is None:
                continue
            count += 1
            if soft:
                self.edition.change()
                entity.lifetime = min(entity.lifetime, max(0.0, entity.seconds_old(now)))
            else:
                self.remove(key)
        return count

    def mark(self, keys: Iterable[str]) -> None:
        """These keys are in a live window now, stored or not. Counted: several playlists may name one key."""
        for key in keys:
            count = self._marks.get(key, 0)
            self._marks[key] = count + 1
            if not count and (entity := self._taken(key)) is not None:
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
                self._once[key] = entity
                self._leave(key, entity)

    def sweep(self, now: float) -> None:
        """Forget some of what has been stale for long; to be called often, it goes round by and by."""
        if not self._unswept:
            self._unswept = [*self._once, *self._often]
        for key in self._unswept[-SWEEP:]:
            entity = self._once.get(key) or self._often.get(key)
            if entity is not None and entity.seconds_old(now) > entity.lifetime + STALE_KEPT_S:
                self.remove(key)
                self._leave(key, entity)
        del self._unswept[-SWEEP:]

    def marked(self, key: str) -> bool:
        """Whether `key` is in a live window."""
        return key in self._marks

    def _place(self, key: str) -> OrderedDict[str, Entity]:
        return self._live if key in self._live else self._often if key in self._often else self._once

    def _account(self, key: str, change: int) -> None:
        self.bytes += change
        if key in self._often:
            self._often_bytes += change

    def _taken(self, key: str) -> Entity | None:
        """Out of `once` or `often`."""
        if key in self._often:
            self._often_bytes -= self._sizes[key]
            return self._often.pop(key)
        return self._once.pop(key, None)

    def _demote(self) -> None:
        while self._often_bytes > OFTEN_SHARE * self._limit and len(self._often) > 1:
            key, entity = self._often.popitem(last=False)
            self._often_bytes -= self._sizes[key]
            self._once[key] = entity

    def _shrink(self, keep: str) -> None:
        while self.bytes > self._limit:
            key = next((key for place in (self._once, self._often, self._live) for key in place if key != keep), None)
            if key is None:
                self.remove(keep)  # alone and grown larger than all there is
                return
            entity = self._place(key)[key]
            self.remove(key)
            self.evictions += 1
            self._leave(key, entity)

    def _leave(self, key: str, entity: Entity) -> None:
        if self.leaving is not None:
            self.leaving(key, entity)


def _size(key: str, entity: Entity) -> int:
    long = 2 * max(0, len(key) - SHORT_KEY)  # the key, and its path in the index
    return OVERHEAD_BYTES + long + _form(entity) + (_form(entity.gzip) if entity.gzip else 0)


def _form(entity: Entity) -> int:
    return len(entity.body) + HEADS * sum(len(name) + len(value) + 4 for name, value in entity.headers)
