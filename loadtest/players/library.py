"""Playlists that were read: a body is parsed once per process, however many viewers get it. Sans-IO."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

from headwater.origin.hls import multivariant, reader
from headwater.origin.hls.attributes import PlaylistError
from headwater.origin.hls.model import MediaPlaylist

from .address import Address
from .ladder import Ladder
from .view import View

MAX_BYTES = 64 << 20
"""Of bodies that are remembered. Why: hundreds of versions of the largest usual playlists (100 KiB)."""
MAX_ENTRIES = 256
"""Why: 20 renditions x a dozen versions, whole and as delta updates."""

V = TypeVar("V")


class Memory(OrderedDict[tuple[str, bytes, int], V | PlaylistError]):
    """What was made of a body, or why nothing; the oldest goes first."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def recall(self, key: tuple[str, bytes, int]) -> V | None:
        """The entry of `key`; raises the PlaylistError that it ended in. None: not known."""
        found = self.get(key)
        if isinstance(found, PlaylistError):
            raise found
        return found

    def learn(self, key: tuple[str, bytes, int], value: V | PlaylistError) -> None:
        """Remember, and forget what is too much."""
        self[key] = value
        self.bytes += len(key[1])
        while len(self) > MAX_ENTRIES or (self.bytes > MAX_BYTES and len(self) > 1):
            old, _ = self.popitem(last=False)
            self.bytes -= len(old[1])


class Library:
    """The playlists of one process."""

    def __init__(self) -> None:
        self._views: Memory[View] = Memory()
        self._ladders: Memory[Ladder] = Memory()
        self._latest: OrderedDict[str, View] = OrderedDict()
        """By address, to anchor playlists without dates."""
        self.parsed = 0
        """Bodies that had to be read."""

    def view(self, address: Address, body: bytes, previous: View | None) -> View:
        """The media playlist of `body`; a delta update is merged into `previous`. Raises PlaylistError."""
        # A delta update means something else for every version that it may be merged into.
        base = previous.next_key if previous is not None and b"#EXT-X-SKIP" in body else -1
        key = (address.url, body, base)
        view = self._views.recall(key)
        if view is not None:
            return view
        self.parsed += 1
        try:
            view = View(address, _read(body, previous), self._latest.get(address.url))
        except PlaylistError as error:
            self._views.learn(key, PlaylistError(str(error)))
            raise
        self._views.learn(key, view)
        self._latest[address.url] = view
        self._latest.move_to_end(address.url)
        if len(self._latest) > MAX_ENTRIES:
            self._latest.popitem(last=False)
        return view

    def ladder(self, address: Address, body: bytes) -> Ladder:
        """The multivariant playlist of `body`. Raises PlaylistError."""
        key = (address.url, body, -1)
        ladder = self._ladders.recall(key)
        if ladder is None:
            self.parsed += 1
            try:
                ladder = Ladder(address, multivariant.read(_text(body)))
            except PlaylistError as error:
                self._ladders.learn(key, PlaylistError(str(error)))
                raise
            self._ladders.learn(key, ladder)
        return ladder


def is_multivariant(body: bytes) -> bool:
    """Whether a body is a multivariant playlist rather than a media playlist (4.1)."""
    return b"#EXT-X-STREAM-INF" in body


def _read(body: bytes, previous: View | None) -> MediaPlaylist:
    playlist = reader.read(_text(body))
    if not playlist.skipped:
        return playlist
    if previous is None:
        raise PlaylistError("a delta update was not asked for")
    return reader.merge(playlist, previous.playlist)


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise PlaylistError("not UTF-8") from None
