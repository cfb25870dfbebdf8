"""Hands memory that encoders left free back to the system.

An encoder that makes way for another leaves large holes in the heap of the C library, too scattered for its own ways of
giving memory back: the process would grow with every step of quality, by some ten MiB each.
"""

from __future__ import annotations

import contextlib
import ctypes


def give_back() -> None:
    """To be called when encoders were closed; a few milliseconds. Does nothing where the C library has no such call."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
