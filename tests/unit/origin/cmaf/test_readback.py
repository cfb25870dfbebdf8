from __future__ import annotations

import struct

import pytest

from headwater.origin import cmaf
from headwater.origin.cmaf import readback

SAMPLES = [cmaf.ChunkSample(3_600 + number, -5, number == 0, bytes((number,)) * (number + 1)) for number in range(3)]
CHUNK = cmaf.chunk(7, 90_000, SAMPLES, opens_segment=True)


def test_what_was_written_is_read() -> None:
    assert readback.read(CHUNK) == (7, 90_000, 3 * 3_600 + 3, True, b"\0")
    other = readback.read(cmaf.chunk(8, 1 << 40, SAMPLES[1:]))
    assert (other.tfdt, other.sync, other.first) == (1 << 40, False, b"\1\1")


@pytest.mark.parametrize("size", range(len(CHUNK)))
def test_a_chunk_that_is_cut_off(size: int) -> None:
    with pytest.raises(ValueError):
        readback.read(CHUNK[:size])


@pytest.mark.parametrize("kind", [b"styp", b"moof", b"mfhd", b"traf", b"tfhd", b"tfdt", b"trun", b"mdat"])
def test_another_box(kind: bytes) -> None:
    with pytest.raises(ValueError):
        readback.read(CHUNK.replace(kind, b"free"))


@pytest.mark.parametrize("count", [0, 2, 4, 1 << 31, (1 << 32) - 1])
def test_another_number_of_samples(count: int) -> None:
    at = CHUNK.index(b"trun") + 8
    with pytest.raises(ValueError):
        readback.read(CHUNK[:at] + struct.pack(">I", count) + CHUNK[at + 4 :])


def test_samples_that_do_not_fill_their_mdat() -> None:
    at = CHUNK.index(b"trun") + 20
    with pytest.raises(ValueError, match="do not fill"):
        readback.read(CHUNK[:at] + struct.pack(">I", 9) + CHUNK[at + 4 :])


def test_two_chunks() -> None:
    with pytest.raises(ValueError, match="fit"):
        readback.read(CHUNK + CHUNK)
