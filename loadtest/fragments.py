"""Reads what a client needs of a CMAF chunk: where it starts, how long it is, how many media bytes it has.

Source: ISO/IEC 14496-12, sections 8.8.4 to 8.8.12. Sans-IO; reads any conforming single-track chunk.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_DEFAULT_DURATION = 0x08
_TRUN_FIELDS = ((0x100, "duration"), (0x200, "size"), (0x400, "flags"), (0x800, "offset"))


class FragmentError(Exception):
    """The bytes are no sequence of moof and mdat boxes."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One moof with its mdat; times in ticks of the track."""

    sequence: int
    base_time: int
    """tfdt: decode time of the first sample."""
    duration: int
    """Sum of the sample durations."""
    samples: int
    media_bytes: int


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """(type, payload start, payload end) of each box in `data[start:end]`; raises FragmentError."""
    position, limit = start, len(data) if end is None else end
    while position < limit:
        if position + 8 > limit:
            raise FragmentError(f"{limit - position} bytes left of a box header")
        size, kind = struct.unpack_from(">I4s", data, position)
        if size < 8 or position + size > limit:
            raise FragmentError(f"box {kind!r} of {size} bytes at {position} does not fit")
        yield kind, position + 8, position + size
        position += size


def timescale(init: bytes) -> int:
    """Ticks per second of the track of an init section (mdhd, 8.4.2); raises FragmentError when there is none."""
    data, start, end = init, 0, len(init)
    for wanted in (b"moov", b"trak", b"mdia", b"mdhd"):
        start, end = next(((a, b) for kind, a, b in boxes(data, start, end) if kind == wanted), (0, 0))
        if not end:
            raise FragmentError(f"no {wanted.decode()} box")
    field = start + (20 if data[start : start + 1] == b"\1" else 12)
    if field + 4 > end:
        raise FragmentError("mdhd ends before its timescale")
    return int(struct.unpack_from(">I", data, field)[0])


def chunks(data: bytes) -> list[Chunk]:
    """The chunks of a part or segment, in order; raises FragmentError."""
    try:
        return _chunks(data)
    except struct.error as error:
        raise FragmentError("a box ends before its fields") from error


def _chunks(data: bytes) -> list[Chunk]:
    found: list[Chunk] = []
    moof: tuple[int, int] | None = None
    for kind, start, end in boxes(data):
        if kind == b"moof":
            moof = (start, end)
        elif kind == b"mdat":
            if moof is None:
                raise FragmentError("mdat without moof")
            found.append(_chunk(data, *moof, media_bytes=end - start))
            moof = None
    return found


def _chunk(data: bytes, start: int, end: int, *, media_bytes: int) -> Chunk:
    sequence = base_time = duration = samples = default = 0
    for kind, inner, inner_end in boxes(data, start, end):
        if kind == b"mfhd":
            (sequence,) = struct.unpack_from(">4xI", data[inner:inner_end])
        if kind != b"traf":
            continue
        for box, payload, payload_end in boxes(data, inner, inner_end):
            body = data[payload:payload_end]
            if box == b"tfhd":
                default = _default_duration(body)
            elif box == b"tfdt":
                (base_time,) = struct.unpack_from(">4xQ" if body[:1] == b"\1" else ">4xI", body)
            elif box == b"trun":
                count, total = _run(body, default)
                samples, duration = samples + count, duration + total
    return Chunk(sequence, base_time, duration, samples, media_bytes)


def _default_duration(tfhd: bytes) -> int:
    flags = _flags(tfhd)
    if not flags & _DEFAULT_DURATION:
        return 0
    (duration,) = struct.unpack_from(">I", tfhd, 8 + (8 if flags & 0x01 else 0) + (4 if flags & 0x02 else 0))
    return int(duration)


def _run(trun: bytes, default: int) -> tuple[int, int]:
    """Samples, and the sum of their durations."""
    flags = _flags(trun)
    (count,) = struct.unpack_from(">4xI", trun)
    fields = [name for bit, name in _TRUN_FIELDS if flags & bit]
    if "duration" not in fields:
        return count, count * default
    first = 8 + (4 if flags & 0x01 else 0) + (4 if flags & 0x04 else 0)
    row, offset = 4 * len(fields), 4 * fields.index("duration")
    if first + count * row > len(trun):
        raise FragmentError(f"trun of {len(trun)} bytes has no room for {count} samples")
    return count, sum(struct.unpack_from(">I", trun, first + n * row + offset)[0] for n in range(count))


def _flags(body: bytes) -> int:
    """Of a full box (14496-12, 4.2)."""
    return int(struct.unpack_from(">I", body)[0]) & 0xFFFFFF
