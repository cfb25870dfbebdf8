"""The files of the disk tier: written whole or not at all, read whole or not at all. Blocking: for threads."""

from __future__ import annotations

import contextlib
import errno
import heapq
import itertools
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .diskformat import PREFIX_BYTES, Damaged, Drop, Head, Record, check_body, decode, encode, head_bytes, name_of
from .unusable import Unusable

TEMPORARY = ".writing-"
PAUSE_S = 0.002
"""Between folders of a scan, for the other threads of the interpreter."""
ABANDONED_S = 600.0
"""Age after which a temporary file belongs to nobody: its process ended in the middle of it."""

_FOLDER = re.compile(r"[0-9a-f]{2}")
_NAME = re.compile(r"[0-9a-f]{40}")
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_SHORT = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM))
"""The process has too much of something; the disk is as good as before."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_numbers = itertools.count()


class DiskError(Unusable):
    """The directory cannot be used; `str()` says why in one line."""

    setting = "edge.disk.dir"


@dataclass(frozen=True, slots=True)
class Seen:
    """A file that the scan found."""

    head: Head
    size: int


def drop_of(error: OSError) -> Drop:
    """What an error of the disk is called."""
    if error.errno in _FULL:
        return Drop.FULL
    if error.errno in _SHORT:
        return Drop.BUSY
    return Drop.GONE if isinstance(error, FileNotFoundError) else Drop.FAILED


class DiskFiles:
    """Everything below `folder` whose name is one of ours; other files are not touched."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def check(self) -> None:
        """Make the directory if need be, write into it and read that again. Raises DiskError."""
        probe = self._folder / f"{TEMPORARY}{os.getpid()}-check"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                probe.unlink()
            self._put(probe, b"headwater", b"")
            if probe.read_bytes() != b"headwater":
                raise DiskError(f"{self._folder}: what is written cannot be read")
            probe.unlink()
        except OSError as error:
            raise DiskError(f"{self._folder}: {error.strerror or error}") from error

    def write(self, record: Record, body: bytes | memoryview) -> int:
        """Replace the file of `record.key`; its size. Raises OSError; nothing is left of it then."""
        head = encode(record, body)
        path = self._folder / name_of(record.key)
        temporary = path.parent / f"{TEMPORARY}{os.getpid()}-{next(_numbers)}"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            self._put(temporary, head, body)
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        return len(head) + len(body)

    def read(self, key: str) -> tuple[Record, bytes]:
        """The object at `key`, whose file is noted as used. Raises Damaged, OSError."""
        with _opened(self._folder / name_of(key)) as (file, size):
            head = _head(file, size)
            if head.record.key != key:
                raise Damaged(Drop.FOREIGN)
            body = _exactly(file, head.body_bytes)
            check_body(head, body)
            with contextlib.suppress(OSError):
                os.utime(file)
        return head.record, body

    def remove(self, key: str) -> None:
        """Take the file of `key` away. Raises OSError; one that is not there is no error."""
        with contextlib.suppress(FileNotFoundError):
            (self._folder / name_of(key)).unlink()

    def scan(self, damaged: Callable[[Drop], None]) -> Iterator[Seen]:
        """All files, the newest first. What is damaged, or abandoned, is taken away and told."""
        for _, text in self._listed():
            path = Path(text)
            try:
                with _opened(path) as (file, size):
                    head = _head(file, size)
                if name_of(head.record.key) != f"{path.parent.name}/{path.name}":
                    raise Damaged(Drop.FOREIGN)
            except Damaged as error:
                damaged(error.why)
                with contextlib.suppress(OSError):
                    path.unlink()
            except OSError as error:
                damaged(drop_of(error))
            else:
                yield Seen(head, size)

    def _listed(self) -> Iterator[tuple[float, str]]:
        """Files with the time of their last use, the newest first."""
        folders: list[list[tuple[float, str]]] = []
        with contextlib.suppress(OSError):
            for folder in list(os.scandir(self._folder)):
                if _FOLDER.fullmatch(folder.name) and folder.is_dir(follow_symlinks=False):
                    time.sleep(PAUSE_S)
                    folders.append(_ours(folder.path))
        # One sort of everything would hold the interpreter's lock for as long as it takes.
        return heapq.merge(*folders, reverse=True)

    def _put(self, path: Path, head: bytes, body: bytes | memoryview) -> None:
        file = os.open(path, _WRITE, 0o600)
        try:
            for piece in (head, body):
                rest = memoryview(piece)
                while rest:
                    rest = rest[os.write(file, rest) :]
        finally:
            os.close(file)


def _ours(folder: str) -> list[tuple[float, str]]:
    """The files of one folder, the newest first; what was abandoned there is taken away."""
    found = []
    long_ago = time.time() - ABANDONED_S  # noqa: TID251  (files have wall-clock times)
    with contextlib.suppress(OSError):
        for file in list(os.scandir(folder)):
            with contextlib.suppress(OSError):
                modified = file.stat(follow_symlinks=False).st_mtime
                if _NAME.fullmatch(file.name):
                    found.append((modified, file.path))
                elif file.name.startswith(TEMPORARY) and modified < long_ago:
                    Path(file.path).unlink()
    return sorted(found, reverse=True)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[int, int]]:
    """Descriptor and size. Raises Damaged for what is no plain file, OSError."""
    file = os.open(path, _READ)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise Damaged(Drop.FOREIGN)
        yield file, status.st_size
    finally:
        os.close(file)


def _head(file: int, size: int) -> Head:
    prefix = _exactly(file, PREFIX_BYTES)
    return decode(prefix, _exactly(file, head_bytes(prefix)), size)


def _exactly(file: int, count: int) -> bytes:
    """That many bytes, or all that there are."""
    pieces: list[bytes] = []
    while count > 0 and (piece := os.read(file, count)):
        pieces.append(piece)
        count -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
