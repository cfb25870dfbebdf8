"""The store, and which answers go into it. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterable

from .collapse import Flight
from .entities import received
from .freshness import Life
from .message import Entity, UpstreamAnswer
from .ranges import key_of, open_ended
from .store import Store


class Kept:
    """What one edge keeps. `via`: our entry for the Via field."""

    def __init__(self, cache_bytes: int, via: str) -> None:
        self.store = Store(cache_bytes)
        self.growing: set[str] = set()
        """Files of which only ranges are published yet: never kept whole."""
        self._via = via

    def grow(self, keys: Iterable[str], grown: Iterable[str]) -> None:
        """Followed playlists name ranges of `keys`, which have no end yet; `grown` have one now."""
        self.growing.difference_update(grown)
        for key in keys:
            self.growing.add(key)
            self.store.remove(key)

    def entity(self, answer: UpstreamAnswer, life: Life) -> Entity:
        """What viewers get of `answer`."""
        entity = received(answer, life, self._via)
        if answer.status in (206, 416):
            entity.headers += (("Content-Range", answer.get("content-range") or "bytes */*"),)
        return entity

    def wants(self, flight: Flight, entity: Entity, life: Life) -> bool:
        """Whether the answer to `flight` goes into the store once it is whole."""
        if flight.void:
            return False
        if entity.status in (206, 416):
            return life.keep and life.lifetime > 0 and flight.range is not None and not open_ended(flight.range)
        useful = life.lifetime > 0 or life.usable > 0 or entity.etag or entity.last_modified
        return life.keep and flight.key not in self.growing and bool(useful)

    def keep(self, flight: Flight, entity: Entity, life: Life) -> None:
        """Put a whole answer into the store where it may be; what it replaces is gone in any case.

        What was purged since it was asked for replaces nothing.
        """
        ranged = entity.status in (206, 416)
        if self.wants(flight, entity, life):
            self.store.put(key_of(flight.key, flight.range) if ranged and flight.range else flight.key, entity)
        elif not ranged and not flight.void:
            self.store.remove(flight.key)
