"""Chunks as a client sees them: any layout of the standard is read, anything else is a FragmentError."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.loadtest.fragments import Chunk, FragmentError, boxes, chunks, timescale
from headwater.origin.cmaf import chunk
from headwater.origin.cmaf.chunk import ChunkSample


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind: bytes, flags: int, *parts: bytes, version: int = 0) -> bytes:
    return box(kind, bytes([version]), flags.to_bytes(3, "big"), *parts)


def words(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def fragment(tfhd: bytes, tfdt: bytes, trun: bytes, media: bytes = b"xyz") -> bytes:
    moof = box(b"moof", full(b"mfhd", 0, words(7)), box(b"traf", tfhd, tfdt, trun))
    return moof + box(b"mdat", media)


TFDT = full(b"tfdt", 0, words(900))
OURS = chunk(3, 1 << 40, [ChunkSample(3_000, 0, True, b"ab"), ChunkSample(3_001, -1, False, b"c")], opens_segment=True)


def test_what_the_origin_writes() -> None:
    assert chunks(OURS) == [Chunk(3, 1 << 40, 6_001, 2, 3)]
    assert [kind for kind, _, _ in boxes(OURS)] == [b"styp", b"moof", b"mdat"]
    assert len(chunks(OURS * 3)) == 3
    assert chunks(b"") == []


def test_default_durations_behind_every_field_that_may_stand_before_them() -> None:
    run = full(b"trun", 0x01, words(4, 0))
    for flags, before in ((0x08, ()), (0x09, (0, 5)), (0x0A, (1,)), (0x0B, (0, 5, 1))):
        tfhd = full(b"tfhd", flags, words(1, *before, 1_024))
        assert chunks(fragment(tfhd, TFDT, run)) == [Chunk(7, 900, 4_096, 4, 3)]
    assert chunks(fragment(full(b"tfhd", 0, words(1)), TFDT, run))[0].duration == 0


def test_durations_of_samples_among_other_fields() -> None:
    tfhd = full(b"tfhd", 0x08, words(1, 50))
    layouts = ((0x100, (10,)), (0x300, (10, 99)), (0xF05, (10, 99, 99, 99)))
    for flags, row in layouts:
        head = (2, 0, 0) if flags & 5 == 5 else (2,)
        run = full(b"trun", flags, words(*head, *row, *row))
        assert chunks(fragment(tfhd, TFDT, run))[0].duration == 20


def test_several_runs_and_a_long_time() -> None:
    late = full(b"tfdt", 0, struct.pack(">Q", 1 << 33), version=1)
    run = full(b"trun", 0x100, words(1, 10))
    assert chunks(fragment(full(b"tfhd", 0, words(1)), late, run + run)) == [Chunk(7, 1 << 33, 20, 2, 3)]


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0",
        words(7) + b"free",
        words(9) + b"free",
        box(b"mdat", b"x"),
        box(b"moof", b"\0\0\0\x09abcd") + box(b"mdat"),
        box(b"moof", box(b"mfhd", b"\0")) + box(b"mdat"),
        fragment(box(b"tfhd"), TFDT, full(b"trun", 0, words(1)))[:-11] + box(b"mdat"),
        fragment(full(b"tfhd", 0, words(1)), box(b"tfdt"), b"") + box(b"mdat"),
    ],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FragmentError):
        chunks(data)


@given(st.lists(st.tuples(st.integers(0, len(OURS) - 1), st.integers(0, 255)), max_size=8), st.integers(0, len(OURS)))
def test_damaged_bytes_are_chunks_or_a_fragment_error(changes: list[tuple[int, int]], end: int) -> None:
    data = bytearray(OURS)
    for at, value in changes:
        data[at] = value
    with contextlib.suppress(FragmentError):
        chunks(bytes(data[:end]))


def moov(mdhd: bytes) -> bytes:
    return box(b"ftyp", b"iso6") + box(b"moov", box(b"trak", box(b"tkhd"), box(b"mdia", mdhd)))


def test_timescale_of_both_versions() -> None:
    assert timescale(moov(full(b"mdhd", 0, words(0, 0, 48_000, 0)))) == 48_000
    assert timescale(moov(full(b"mdhd", 0, words(0, 0, 0, 0, 90_000, 0, 0), version=1))) == 90_000


@pytest.mark.parametrize("init", [b"", box(b"ftyp"), moov(b""), moov(full(b"mdhd", 0, words(0, 0)))])
def test_no_timescale(init: bytes) -> None:
    with pytest.raises(FragmentError):
        timescale(init)
