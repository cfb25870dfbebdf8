"""Keys by folder, so that what is below a path is found without looking at everything else. Sans-IO.

A tree of folders, each with its folders and files, each file with its keys (one per query, and one per range). What a
purge costs is what it finds, and the names in the folder that a prefix ends in the middle of.
"""

from __future__ import annotations

from collections.abc import Iterator

from .keys import path_of


class KeyIndex:
    """Keys that are known now."""

    def __init__(self) -> None:
        self._keys: dict[str, set[str]] = {}
        """By path."""
        self._files: dict[str, set[str]] = {}
        self._folders: dict[str, set[str]] = {}
        """By folder, which ends in a slash: the paths in it, and the folders in it."""

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: str) -> None:
        """Know `key`. Known already: nothing happens."""
        path = path_of(key.partition("#")[0])
        keys = self._keys.get(path)
        if keys is not None:
            keys.add(key)
            return
        self._keys[path] = {key}
        folder = folder_of(path)
        files = self._files.get(folder)
        if files is not None:
            files.add(path)
            return
        self._files[folder] = {path}
        while len(folder) > 1:
            above = folder_of(folder[:-1])
            beside = self._folders.get(above)
            if beside is not None and folder in beside:
                return
            self._folders.setdefault(above, set()).add(folder)
            folder = above

    def discard(self, key: str) -> None:
        """Forget `key`, if it is known."""
        path = path_of(key.partition("#")[0])
        keys = self._keys.get(path)
        if keys is None:
            return
        keys.discard(key)
        if keys:
            return
        del self._keys[path]
        folder = folder_of(path)
        self._files[folder].discard(path)
        if not self._files[folder]:
            del self._files[folder]
        while len(folder) > 1 and folder not in self._files and not self._folders.get(folder):
            self._folders.pop(folder, None)
            above = folder_of(folder[:-1])
            self._folders[above].discard(folder)
            folder = above

    def at(self, path: str) -> list[str]:
        """The keys of the file at `path`, with every query and range."""
        return list(self._keys.get(path, ()))

    def below(self, prefix: str) -> list[str]:
        """The keys whose path begins with `prefix`."""
        folder = folder_of(prefix)
        found = [path for path in self._files.get(folder, ()) if path.startswith(prefix)]
        for below in self._folders.get(folder, ()):
            if below.startswith(prefix):
                found.extend(self._all(below))
        return [key for path in found for key in self._keys[path]]

    def _all(self, folder: str) -> Iterator[str]:
        waiting = [folder]
        while waiting:
            at = waiting.pop()
            yield from self._files.get(at, ())
            waiting.extend(self._folders.get(at, ()))


def folder_of(path: str) -> str:
    """Up to its last slash, which is part of it."""
    return path[: path.rfind("/") + 1]
