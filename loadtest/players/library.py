"""Playlists that were read: a body is parsed once per process, however many viewers get it. Sans-IO."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
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


class Memory(OrderedDict[tuple[str, bytes, int], V | str]):
    """What was made of a body, or the reason why nothing; the oldest goes first."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def get_or_make(self, key: tuple[str, bytes, int], make: Callable[[], V]) -> V:
        """What `make` once made for `key`, or makes now. Raises the PlaylistError that it ended in, anew every time."""
        found = self.get(key)
        if found is None:
            try:
                found = make()
            except PlaylistError as error:
                found = str(error)
            self[key] = found
            self.bytes += len(key[1])
            while len(self) > MAX_ENTRIES or (self.bytes > MAX_BYTES and len(self) > 1):
                old, _ = self.popitem(last=False)
                self.bytes -= len(old[1])
        if isinstance(found, str):
            raise PlaylistError(found)
        return found


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
        return self._views.get_or_make(key, lambda: self._make_view(address, body, previous))

    def _make_view(self, address: Address, body: bytes, previous: View | None) -> View:
        self.parsed += 1
        view = View(address, _read(body, previous), self._latest.get(address.url))
        self._latest[address.url] = view
        self._latest.move_to_end(address.url)
        if len(self._latest) > MAX_ENTRIES:
            self._latest.popitem(last=False)
        return view

    def ladder(self, address: Address, body: bytes) -> Ladder:
        """The multivariant playlist of `body`. Raises PlaylistError."""
        return self._ladders.get_or_make((address.url, body, -1), lambda: self._make_ladder(address, body))

    def _make_ladder(self, address: Address, body: bytes) -> Ladder:
        self.parsed += 1
        return Ladder(address, multivariant.read(_text(body)))


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
