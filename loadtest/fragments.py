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


def chunks(data: bytes) -> list[Chunk]:
    """The chunks of a part or segment, in order; raises FragmentError."""
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
            (sequence,) = struct.unpack_from(">I", data, inner + 4)
        if kind != b"traf":
            continue
        for box, payload, _ in boxes(data, inner, inner_end):
            if box == b"tfhd":
                default = _default_duration(data, payload)
            elif box == b"tfdt":
                layout = ">Q" if data[payload] == 1 else ">I"
                (base_time,) = struct.unpack_from(layout, data, payload + 4)
            elif box == b"trun":
                count, total = _run(data, payload, default)
                samples, duration = samples + count, duration + total
    return Chunk(sequence, base_time, duration, samples, media_bytes)


def _default_duration(data: bytes, payload: int) -> int:
    flags = int.from_bytes(data[payload + 1 : payload + 4], "big")
    if not flags & _DEFAULT_DURATION:
        return 0
    offset = payload + 8 + (8 if flags & 0x01 else 0) + (4 if flags & 0x02 else 0)
    return int.from_bytes(data[offset : offset + 4], "big")


def _run(data: bytes, payload: int, default: int) -> tuple[int, int]:
    flags = int.from_bytes(data[payload + 1 : payload + 4], "big")
    (count,) = struct.unpack_from(">I", data, payload + 4)
    fields = [name for bit, name in _TRUN_FIELDS if flags & bit]
    if "duration" not in fields:
        return count, count * default
    offset = payload + 8 + (4 if flags & 0x01 else 0) + (4 if flags & 0x04 else 0)
    stride = 4 * len(fields)
    at = offset + 4 * fields.index("duration")
    return count, sum(int.from_bytes(data[at + i * stride : at + i * stride + 4], "big") for i in range(count))
