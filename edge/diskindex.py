"""What is on disk, as far as it is known: which keys, how large, used in which order; what is worth it. Sans-IO.

After a start the directory is looked through by and by, newest files first; until that is done, a key that is not known
may be there all the same. What was purged in that time is not believed when it is found.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from .keyindex import KeyIndex
from .message import Entity
from .overrides import Kind
from .purge import Scope

BLOCK = 4_096
"""Files take whole blocks of this size."""
MAX_ENTRIES = 200_000
"""Objects on disk. Why: what is known of them costs 100 MiB of memory then; a terabyte in segments of 5 MB."""
MAX_SCOPES = 1_000
"""Purges that are remembered until the directory has been looked through; above it nothing found later is believed."""


@dataclass(frozen=True, slots=True)
class DiskRules:
    """From `config.settings_freshness.EdgeDisk`."""

    bytes: int
    min_bytes: int
    max_object_bytes: int

    def wants(self, entity: Entity, kind: Kind) -> bool:
        """Whole media that a viewer may ask for after it left the memory. Parts are not: playlists drop them soon."""
        return (
            entity.status == 200
            and not entity.own
            and (kind is Kind.INIT or (kind is Kind.SEGMENT and len(entity.body) >= self.min_bytes))
            and len(entity.body) <= self.max_object_bytes
            and (entity.lifetime > 0 or entity.etag is not None or entity.last_modified is not None)
        )


@dataclass(slots=True)
class Entry:
    """One file."""

    size: int
    """In whole blocks."""
    version: str | None
    """Its validator; None: it has none, or nobody has looked yet."""
    fresh_until: float


class DiskIndex:
    """The files, least recently used first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._keys = KeyIndex()
        self._scopes: list[Scope] = []
        self._distrust = False
        self.scanned = False
        """Whether all that is there is known."""
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def may_have(self, key: str) -> bool:
        """Whether it is worth a look."""
        return key in self._entries or (not self.scanned and self.believed(key))

    def believed(self, key: str) -> bool:
        """Whether a file of before the start counts, that nobody has looked at yet."""
        return not self._distrust and not any(scope.covers(key) for scope in self._scopes)

    def current(self, key: str, version: str | None, fresh_until: float) -> bool:
        """Whether just that is there, and known to be good for as long."""
        entry = self._entries.get(key)
        return (
            entry is not None
            and version is not None
            and entry.version == version
            and fresh_until <= entry.fresh_until + 1
        )

    def touch(self, key: str) -> None:
        """It was used."""
        if key in self._entries:
            self._entries.move_to_end(key)

    def put(self, key: str, size: int, version: str | None, fresh_until: float) -> list[str]:
        """It is being written; the keys that have to go for it."""
        self.remove(key)
        self._add(key, size, version, fresh_until)
        return self._evict()

    def found(self, key: str, size: int, version: str | None, fresh_until: float) -> list[str]:
        """The scan found it, used longer ago than all that is known; the keys that have to go, it may be among them."""
        if key in self._entries:
            return []
        if not self.believed(key):
            return [key]
        self._add(key, size, version, fresh_until)
        self._entries.move_to_end(key, last=False)
        return self._evict()

    def give_back(self, size: int) -> list[str]:
        """The device is full: so much has to go, and what is left is the limit from now on. The keys that go."""
        victims = self._evict(max(0, self.bytes - size))
        if self.scanned and self.bytes:
            self._limit = self.bytes
        return victims

    def end_scan(self) -> None:
        """All that is there is known now."""
        self.scanned = True
        self._scopes.clear()

    def remove(self, key: str) -> bool:
        """It is not there any more; whether it was."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        self.bytes -= entry.size
        self._keys.discard(key)
        return True

    def purge(self, scope: Scope) -> list[str]:
        """The keys that have to go."""
        if not self.scanned:
            self._scopes.append(scope)
            if len(self._scopes) > MAX_SCOPES:
                self._distrust = True
                self._scopes.clear()
        found = scope.of(self._keys)
        for key in found:
            self.remove(key)
        return found

    def _add(self, key: str, size: int, version: str | None, fresh_until: float) -> None:
        size = -(-size // BLOCK) * BLOCK
        self._entries[key] = Entry(size, version, fresh_until)
        self._keys.add(key)
        self.bytes += size

    def _evict(self, limit: int | None = None) -> list[str]:
        most = self._limit if limit is None else limit
        victims = []
        while self._entries and (self.bytes > most or len(self._entries) > MAX_ENTRIES):
            key = next(iter(self._entries))
            self.remove(key)
            victims.append(key)
        return victims
