"""What playlists say about where things come from: which stream a URL belongs to, and whose playlist names it. Sans-IO.

A stream is a folder: that of the multivariant playlist which leads to a URL. It is learned from multivariant playlists
and from rendition reports, so no layout of URLs is assumed; before anything is learned it is the URL's own folder.
"""

from __future__ import annotations

from collections.abc import Iterable

from .keys import path_of

MAX_STREAMS = 20_000
"""Folders whose stream is remembered. Why: a node follows a tenth of that at most."""
MAX_NAMED = 400_000
"""URLs whose namers are remembered, the oldest given up first. Why: 2,000 playlists list some 150 each; 40 MB."""


def folder_of(key: str) -> str:
    """The path of a key up to and with its last slash."""
    path = path_of(key)
    return path[: path.rindex("/") + 1]


class Lineage:
    """Everything is bounded; what was given up counts as never learned. Upstreams are numbers from 0."""

    def __init__(self) -> None:
        self._streams: dict[str, str] = {}
        self._named: dict[str, int] = {}

    def stream_of(self, key: str) -> str:
        """The stream that `key` belongs to."""
        folder = folder_of(key)
        return self._streams.get(folder, folder)

    def leads_to(self, key: str, children: Iterable[str]) -> None:
        """The multivariant playlist at `key` names these playlists."""
        stream = folder_of(key)
        for child in children:
            self._learn(folder_of(child), stream)

    def beside(self, key: str, others: Iterable[str]) -> None:
        """The media playlist at `key` reports on these: they are one stream, whose multivariant is unknown so far."""
        folders = [folder_of(key), *map(folder_of, others)]
        if folders[0] not in self._streams and len(set(folders)) > 1:
            common = _common(folders)
            # Streams that have nothing but the root in common are not told apart by it.
            if common != "/":
                self._learn(folders[0], common)

    def _learn(self, folder: str, stream: str) -> None:
        if folder == stream:
            return
        if len(self._streams) >= MAX_STREAMS:
            del self._streams[next(iter(self._streams))]
        self._streams[folder] = stream

    def name(self, keys: Iterable[str], upstream: int) -> None:
        """A playlist of this upstream has these in it."""
        for key in keys:
            self._named[key] = self._named.pop(key, 0) | 1 << upstream
        while len(self._named) > MAX_NAMED:
            del self._named[next(iter(self._named))]

    def named_by(self, key: str, upstream: int) -> bool:
        """Whether this upstream may be asked for `key`: its playlist names it, or none that we know does."""
        mask = self._named.get(key, 0)
        return not mask or bool(mask >> upstream & 1)


def _common(folders: list[str]) -> str:
    """The deepest folder that all are in."""
    shared: list[str] = []
    for steps in zip(*(folder.split("/")[1:-1] for folder in folders), strict=False):
        if len(set(steps)) > 1:
            break
        shared.append(steps[0])
    return "".join(f"/{step}" for step in shared) + "/"
