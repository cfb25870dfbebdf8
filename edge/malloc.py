"""Keeps the C library from handing large blocks back to the kernel at once.

uvloop reads TLS into a new buffer of 256 KiB each time. glibc takes blocks of that size by `mmap` and gives them
back by `munmap`: three calls and fresh pages for each read, which halves what a core serves.
"""

from __future__ import annotations

import contextlib
import ctypes

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Numbers of malloc.h."""


def keep_large_blocks() -> None:
    """Blocks of up to 4 MiB come from the heap, of which up to 16 MiB stay when they are free. Does nothing where the C
    library has no such call."""
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, 4 << 20)
        mallopt(_TRIM_THRESHOLD, 16 << 20)
        mallopt(_TOP_PAD, 1 << 20)
