"""An independent reader of fragmented MP4 for tests: boxes, fragments, samples. Shares no code with the writer.

boxes(data)             top-level (or a box body's) boxes in order
find(data, "moov/trak") the body of the first box on a path
fragments(data)         every moof + mdat with its samples
samples(data)           all samples of all fragments
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field


class BadMp4(Exception):
    """The bytes are not what ISO/IEC 14496-12 says."""


@dataclass(frozen=True)
class Box:
    """One box; `body` without its header."""

    kind: str
    start: int
    body: bytes = field(repr=False)

    @property
    def end(self) -> int:
        return self.start + 8 + len(self.body)


@dataclass(frozen=True)
class Sample:
    """One access unit. Times are ticks of the track's timescale."""

    dts: int
    pts: int
    duration: int
    sync: bool
    payload: bytes = field(repr=False)


@dataclass(frozen=True)
class Fragment:
    """One moof with its mdat."""

    sequence: int
    tfdt: int
    samples: tuple[Sample, ...]

    @property
    def duration(self) -> int:
        return sum(sample.duration for sample in self.samples)

    @property
    def end(self) -> int:
        return self.tfdt + self.duration


def boxes(data: bytes) -> list[Box]:
    """The boxes that `data` consists of, without a byte left over."""
    found = []
    at = 0
    while at < len(data):
        if len(data) - at < 8:
            raise BadMp4(f"{len(data) - at} bytes left over at {at}")
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > len(data):
            raise BadMp4(f"{kind!r} of {size} bytes at {at} does not fit")
        found.append(Box(kind.decode("latin-1"), at, data[at + 8 : at + size]))
        at += size
    return found


def find(data: bytes, path: str) -> bytes:
    """The body of the first box on `path`; raises BadMp4 when it is not there."""
    for kind in path.split("/"):
        for box in boxes(data):
            if box.kind == kind:
                data = box.body
                break
        else:
            raise BadMp4(f"no {kind} of {path}")
    return data


def kinds(data: bytes) -> list[str]:
    """The types of the boxes in `data`."""
    return [box.kind for box in boxes(data)]


def timescale(init: bytes) -> int:
    """Ticks per second, from mdhd."""
    header = find(init, "moov/trak/mdia/mdhd")
    return int(struct.unpack_from(">I", header, 12 if header[0] == 0 else 20)[0])


def fragments(data: bytes) -> list[Fragment]:
    """Every fragment in `data`; checks what CMAF asks of a chunk (one traf, one trun, base is the moof)."""
    return list(_fragments(data))


def samples(data: bytes) -> list[Sample]:
    """Every sample in `data`."""
    return [sample for fragment in _fragments(data) for sample in fragment.samples]


def _fragments(data: bytes) -> Iterator[Fragment]:
    moof: Box | None = None
    for box in boxes(data):
        if box.kind == "moof":
            if moof is not None:
                raise BadMp4("a moof without mdat")
            moof = box
        elif box.kind == "mdat":
            if moof is None:
                raise BadMp4("an mdat without moof")
            yield _fragment(data, moof, box)
            moof = None
    if moof is not None:
        raise BadMp4("a moof without mdat")


def _fragment(data: bytes, moof: Box, mdat: Box) -> Fragment:
    if kinds(moof.body) != ["mfhd", "traf"]:
        raise BadMp4(f"moof has {kinds(moof.body)}")
    traf = find(moof.body, "traf")
    if kinds(traf) != ["tfhd", "tfdt", "trun"]:
        raise BadMp4(f"traf has {kinds(traf)}")
    (sequence,) = struct.unpack_from(">I", find(moof.body, "mfhd"), 4)
    (tfhd_flags,) = struct.unpack_from(">I", find(traf, "tfhd"))
    if tfhd_flags != 0x020000:
        raise BadMp4(f"tfhd flags {tfhd_flags:#x}, not default-base-is-moof alone")
    version, tfdt = struct.unpack(">IQ", find(traf, "tfdt"))
    if version != 1 << 24:
        raise BadMp4("tfdt is not 64-bit")
    head, count, offset = struct.unpack_from(">IIi", find(traf, "trun"))
    if head != 0x01000F01:
        raise BadMp4(f"trun {head:#x}")
    table = find(traf, "trun")[12:]
    if len(table) != 16 * count:
        raise BadMp4(f"trun of {count} samples has {len(table)} bytes")
    at = moof.start + offset
    if at != mdat.start + 8:
        raise BadMp4("data offset is not the start of mdat")
    found = []
    dts = tfdt
    for duration, size, flags, composition in struct.iter_unpack(">IIIi", table):
        found.append(Sample(dts, dts + composition, duration, not flags & 0x10000, data[at : at + size]))
        dts += duration
        at += size
    if at != mdat.end:
        raise BadMp4("samples do not fill mdat")
    return Fragment(sequence, tfdt, tuple(found))
