"""One CMAF chunk: styp, moof and mdat of the samples of one part (14496-12, 8.8; rules 200 to 204). Sans-IO.

The hot path of packaging: headers of a fixed shape from precompiled structs, one join, and each payload is
copied once.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from .boxes import box
from .init import TRACK_ID

SYNC_FLAGS = 0x02000000
"""sample_depends_on = 2 (on none), is a sync sample (8.8.3.1)."""
DELTA_FLAGS = 0x01010000
"""sample_depends_on = 1, sample_is_non_sync_sample."""

MAX_SAMPLES = 4_096
"""Of one chunk: bounds the structs that are kept. A part of 2 s at 1000 samples a second is half of it."""

_STYP_SEGMENT = box(b"styp", b"cmfs", bytes(4), b"iso6", b"cmfs", b"cmff", b"cmfl")
_STYP_CHUNK = box(b"styp", b"cmfl", bytes(4), b"iso6", b"cmfl")
"""Rule 203: a segment's first chunk begins a CMAF segment and fragment, the others are chunks."""

_TRAF_FIXED = 8 + 16 + 20 + 20
"""Bytes of traf header, tfhd, tfdt and of trun before its samples."""
_MOOF_FIXED = 8 + 16 + _TRAF_FIXED

_TRUN_FLAGS = 0x01000F01
"""Version 1 (signed offsets); data offset, and per sample: duration, size, flags, composition offset."""
_TFHD_FLAGS = 0x020000
"""default-base-is-moof (rule 200)."""


class ChunkSample(NamedTuple):
    """One sample of a chunk. Times are ticks of the track's timescale."""

    duration: int
    """1 to 2^32 - 1."""
    offset: int
    """Presentation minus decode time, signed 32 bits."""
    sync: bool
    payload: bytes


@lru_cache(maxsize=256)
def _header(count: int) -> struct.Struct:
    """moof of `count` samples and the mdat header, as one struct."""
    return struct.Struct(">I4s I4sII I4s I4sII I4sIQ I4sIII " + "IIIi" * count + " I4s")


def chunk(sequence: int, base_time: int, samples: Sequence[ChunkSample], *, opens_segment: bool = False) -> bytes:
    """The bytes of one part. `sequence`: mfhd number, 32 bits, rising; `base_time`: tfdt, ticks, 64 bits.

    Raises ValueError for no samples, or more than MAX_SAMPLES.
    """
    count = len(samples)
    if not 0 < count <= MAX_SAMPLES:
        raise ValueError(f"a chunk of {count} samples")
    fields: list[int] = []
    data = 8
    for duration, offset, sync, payload in samples:
        size = len(payload)
        data += size
        fields += (duration, size, SYNC_FLAGS if sync else DELTA_FLAGS, offset)
    table = 16 * count
    moof = _MOOF_FIXED + table
    header = _header(count).pack(
        moof, b"moof",
        16, b"mfhd", 0, sequence & 0xFFFFFFFF,
        _TRAF_FIXED + table, b"traf",
        16, b"tfhd", _TFHD_FLAGS, TRACK_ID,
        20, b"tfdt", 0x01000000, base_time,
        20 + table, b"trun", _TRUN_FLAGS, count, moof + 8,
        *fields,
        data, b"mdat",
    )  # fmt: skip
    styp = _STYP_SEGMENT if opens_segment else _STYP_CHUNK
    return b"".join((styp, header, *[sample.payload for sample in samples]))
