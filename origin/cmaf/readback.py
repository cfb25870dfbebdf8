"""A chunk read back: what its bytes say of the part that they are. Sans-IO.

For the checks of what is published (`origin.conformance`). It takes nothing but the shape that CMAF asks for (rules 200
to 204): styp, moof with one traf of tfhd, tfdt and trun, mdat, and no more.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import NamedTuple

from .chunk import MAX_SAMPLES

_BOX = struct.Struct(">I4s")
_MOOF = struct.Struct(">I4s I4sII I4s I4sII I4sIQ I4sIII")
"""moof, mfhd, traf, tfhd, tfdt, and trun up to its samples."""
_KINDS = (b"moof", b"mfhd", b"traf", b"tfhd", b"tfdt", b"trun")
_NON_SYNC = 0x00010000
"""sample_is_non_sync_sample (14496-12, 8.8.3.1)."""
_PER_SAMPLE = 4
"""Fields of a sample in trun: duration, size, flags, composition offset."""


class Chunk(NamedTuple):
    """What a chunk says."""

    sequence: int
    """Of mfhd."""
    tfdt: int
    ticks: int
    """Sum of its samples' durations."""
    sync: bool
    """Its first sample is a sync sample."""
    first: bytes
    """Its first sample."""


@lru_cache(maxsize=64)
def _table(count: int) -> struct.Struct:
    return struct.Struct(f">{_PER_SAMPLE * count}I")


def read(data: bytes) -> Chunk:
    """What the chunk says. Raises ValueError with what is wrong with it."""
    try:
        at, kind = _BOX.unpack_from(data)
        if kind != b"styp":
            raise ValueError(f"it begins with {kind!r}")
        moof = _MOOF.unpack_from(data, at)
        size, sequence, base, count, offset = moof[0], moof[5], moof[15], moof[19], moof[20]
        if (moof[1], moof[3], moof[7], moof[9], moof[13], moof[17]) != _KINDS:
            raise ValueError("its moof is not of one traf with tfhd, tfdt and trun")
        if not 0 < count <= MAX_SAMPLES:
            raise ValueError(f"it has {count} samples")
        fields = _table(count).unpack_from(data, at + _MOOF.size)
        mdat = at + size
        media, kind = _BOX.unpack_from(data, mdat)
    except struct.error:
        raise ValueError(f"{len(data)} bytes are not a whole chunk") from None
    if kind != b"mdat" or mdat + media != len(data) or size != _MOOF.size + 4 * len(fields) or offset != size + 8:
        raise ValueError("its boxes do not fit into each other")
    if sum(fields[1::_PER_SAMPLE]) != media - 8:
        raise ValueError(f"{count} samples do not fill its mdat")
    start = mdat + 8
    return Chunk(sequence, base, sum(fields[::_PER_SAMPLE]), not fields[2] & _NON_SYNC, data[start : start + fields[1]])
