"""The keys that a followed playlist lists: kept from eviction, told apart while they grow, known by whose they are.
Sans-IO."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from .host import Host
from .keys import resolve
from .overrides import kinds_of
from .version import Version


class LiveWindow:
    """Of the playlist at `key`."""

    def __init__(self, key: str, host: Host) -> None:
        self._key = key
        self._host = host
        self._keys: dict[str, str | None] = {}
        self._growing: frozenset[str] = frozenset()
        self._source = ""
        """The upstream that is known to name all of them."""

    def move(self, version: Version, source: str, *, over: bool) -> None:
        """The playlist of upstream `source` lists this now; `over`: nothing of it grows any more."""
        before = self._keys
        self._keys = {
            uri: before[uri] if uri in before else resolve(self._key, uri)
            for uri in (*version.uris(), *version.hinted())
        }
        added = [key for uri, key in self._keys.items() if uri not in before and key is not None]
        dropped = [key for uri, key in before.items() if uri not in self._keys and key is not None]
        self._host.window(added, dropped)
        self._note_kinds(version, before)
        self._host.paths.names(added if source == self._source else self._all(), source)
        self._source = source
        growing = frozenset(() if over else self.keys(version.growing()))
        if growing or self._growing:
            self._host.growing(growing, self._growing - growing)
            self._growing = growing

    def _note_kinds(self, version: Version, before: Collection[str]) -> None:
        for uri, kind in kinds_of(version).items():
            key = self._keys.get(uri)
            if uri not in before and key is not None:
                self._host.kinds.note(key, kind)

    def keys(self, uris: Iterable[str]) -> list[str]:
        """The keys of what the playlist calls so; without those that are not this server's."""
        resolved = (self._keys[uri] if uri in self._keys else resolve(self._key, uri) for uri in uris)
        return [key for key in resolved if key is not None]

    def release(self) -> None:
        """The playlist is not followed any more."""
        self._host.window((), self._all())
        self._host.growing((), self._growing)
        self._keys, self._growing = {}, frozenset()

    def _all(self) -> list[str]:
        return [key for key in self._keys.values() if key is not None]
