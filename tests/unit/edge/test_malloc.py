"""What glibc does with large blocks: from the heap or mapped one by one, kept or handed back."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys

import pytest

from headwater.edge.malloc import keep_large_blocks

KIB, MIB = 1 << 10, 1 << 20
READ = 256 * KIB
"""What uvloop takes for each read of TLS."""

PROBE = """
import ctypes, json, sys
from headwater.edge.malloc import keep_large_blocks

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
libc.sbrk.restype, libc.sbrk.argtypes = ctypes.c_void_p, [ctypes.c_ssize_t]
READ = 256 << 10


def from_heap(size):
    block = libc.malloc(size)
    end = libc.sbrk(0)
    libc.free(block)
    return block < end


def handed_back(count):
    blocks = [0] * count
    for number in range(count):
        blocks[number] = libc.malloc(READ)
    before = libc.sbrk(0)
    for block in reversed(blocks):
        libc.free(block)
    return before - libc.sbrk(0)


def grown():
    blocks, before = [0] * 256, libc.sbrk(0)
    for number in range(256):
        blocks[number] = libc.malloc(READ)
        if libc.sbrk(0) > before:
            return libc.sbrk(0) - before


if sys.argv[1] == "kept":
    keep_large_blocks()
found = {"heap": [from_heap(size) for size in map(int, sys.argv[2:])]}
if sys.argv[1] == "kept":
    found.update(few=handed_back(14 * 4), many=handed_back(24 * 4), grown=grown())
print(json.dumps(found))
"""


def probe(how: str, *sizes: int) -> dict[str, object]:
    """What a process of its own finds: settings of malloc are the whole process's, and cannot be taken back."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROBE, how, *map(str, sizes)],
        env={**clean, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_without_it_large_blocks_are_mapped_one_by_one() -> None:
    assert probe("plain", 4 * MIB - KIB) == {"heap": [False]}


def test_blocks_of_up_to_4_mib_come_from_the_heap_and_what_is_free_stays_there_within_16_mib() -> None:
    found = probe("kept", 4 * MIB + 8 * KIB, READ, 4 * MIB - KIB)  # the largest first: later the heap has room for it
    assert found["heap"] == [False, True, True]
    assert found["few"] == 0, "14 MiB that are free again are kept"
    assert isinstance(found["many"], int) and found["many"] > 8 * MIB, "of 24 MiB the most is handed back"
    assert isinstance(found["grown"], int) and MIB < found["grown"] <= MIB + READ + 8 * KIB, "with 1 MiB ahead"


class Bare:
    """A C library of another make."""


@pytest.mark.parametrize("error", [None, OSError("no such library")])
def test_where_the_c_library_has_no_such_call_nothing_is_done(
    monkeypatch: pytest.MonkeyPatch, error: OSError | None
) -> None:
    asked: list[str | None] = []

    def load(name: str | None) -> Bare:
        asked.append(name)
        if error is not None:
            raise error
        return Bare()

    monkeypatch.setattr(ctypes, "CDLL", load)
    keep_large_blocks()
    assert asked == [None], "the library that is loaded already"
