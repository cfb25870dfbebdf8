"""Whether a file has changed since it was read."""

from __future__ import annotations

import stat
from pathlib import Path

Mark = tuple[int, ...]


def mark(path: Path) -> Mark:
    """Changes when the file does; empty when there is no such file."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return (status.st_mtime_ns, status.st_size, status.st_ino) if stat.S_ISREG(status.st_mode) else ()
