"""Memory that was left free in pieces goes back to the system."""

from __future__ import annotations

import ctypes
import os

from headwater.ingest.encode.worker.heap import give_back
from headwater.loadtest.bench.processes import resident_bytes

BLOCKS, SIZE = 2_000, 40_000


def test_scattered_free_blocks_are_given_back() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = (
        ctypes.c_void_p,
        [ctypes.c_size_t],
        [ctypes.c_void_p],
    )
    blocks = [libc.malloc(SIZE) for _ in range(BLOCKS)]
    for block in blocks:
        ctypes.memset(block, 1, SIZE)
    kept = blocks[::50]  # the heap cannot shrink from its end
    for number, block in enumerate(blocks):
        if number % 50:
            libc.free(block)
    before = resident_bytes(os.getpid())
    give_back()
    assert before - resident_bytes(os.getpid()) > BLOCKS * SIZE / 2
    for block in kept:
        libc.free(block)
