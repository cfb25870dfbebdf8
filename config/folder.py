"""A folder for sockets between processes of one edge: nobody else may look into it, and it does not stay behind.

A process that is killed cannot tidy up, so the next one does: it removes what bears the name and nobody holds any more.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PREFIX = "headwater-edge-"
MAX_PATH = 80
"""Bytes of its path. Why: the kernel takes 107 of a socket's, and names in it have up to 20."""
SETTLED_S = 60.0
"""Age below which a folder is left alone. Why: whoever makes one holds it only a moment later."""


class PathTooLong(ValueError):
    """The folder for temporary files has a path that leaves no room for a socket's name."""


class PrivateFolder:
    """Made in `parent` (the system's folder for temporary files), with mode 0700. Raises OSError, PathTooLong."""

    def __init__(self, parent: Path | None = None) -> None:
        parent = Path(tempfile.gettempdir()) if parent is None else parent
        for other in parent.glob(f"{PREFIX}*"):
            _remove_left_behind(other)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        if len(os.fsencode(self.path)) > MAX_PATH:
            self.path.rmdir()
            raise PathTooLong(f"{parent}: too long for the path of a socket; set TMPDIR to a shorter one")
        self._held = os.open(self.path, os.O_RDONLY)
        fcntl.flock(self._held, fcntl.LOCK_EX)

    def close(self) -> None:
        """Remove it with all that is in it. Idempotent."""
        if self._held >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._held)
            self._held = -1


def _remove_left_behind(folder: Path) -> None:
    with suppress(OSError):  # somebody else's, or gone already
        told = folder.lstat()
        age_s = time.time() - told.st_mtime  # noqa: TID251  (files are dated by the wall clock)
        if told.st_uid != os.getuid() or age_s < SETTLED_S:
            return
        held = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its edge lives
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(held)
