"""Sections: PAT and PMT (ISO/IEC 13818-1 2.4.4), gathered from packets and checked. Sans-IO."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

PAT_PID = 0
PAT_TABLE, PMT_TABLE, SPLICE_TABLE = 0x00, 0x02, 0xFC
_STUFFING = 0xFF
_MAX_SECTION = 4_096
"""Bytes of a private section (2.4.4.11); PAT and PMT have 1,024."""
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_MAX_DESCRIPTORS = 64
"""Descriptors of one loop that are read; encoders write at most five."""

Descriptors = tuple[tuple[int, bytes], ...]
"""(tag, body) of each descriptor."""


def crc32(data: bytes) -> int:
    """CRC_32 of annex A: most significant bit first. Over a section with its CRC it is 0."""
    # zlib has the same polynomial, least significant bit first, and inverts at the end.
    mirrored = zlib.crc32(data.translate(_REVERSED)) ^ 0xFFFFFFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_REVERSED))


class SectionReader:
    """Gathers the sections of one PID; holds at most one that is not whole."""

    __slots__ = ("_partial", "bad")

    def __init__(self) -> None:
        self.bad = 0
        """Sections with a wrong CRC or an impossible length; only ever grows."""
        self._partial: bytes | None = None

    def feed(self, payload: bytes, starts: bool) -> list[bytes]:
        """Take a packet's payload. `starts`: payload_unit_start_indicator. Returns whole sections with a right CRC."""
        found: list[bytes] = []
        if not starts:
            if self._partial is not None:
                self._gather(self._partial + payload, found)
            return found
        if not payload:
            return found
        # pointer_field: what is before it ends the section of before.
        first = 1 + payload[0]
        if self._partial is not None:
            self._gather(self._partial + payload[1:first], found)
        self._partial = None
        if first < len(payload):
            self._gather(payload[first:], found)
        return found

    def lose(self) -> None:
        """A packet is missing: the section at hand is dropped."""
        self._partial = None

    def _gather(self, data: bytes, found: list[bytes]) -> None:
        self._partial = None
        while data and data[0] != _STUFFING:
            if len(data) < 3:
                self._partial = data
                return
            size = 3 + (int.from_bytes(data[1:3]) & 0xFFF)
            if size > _MAX_SECTION:
                self.bad += 1
                return
            if len(data) < size:
                self._partial = data
                return
            section, data = data[:size], data[size:]
            # Tables without CRC are none of those that we read.
            if size < 12 or crc32(section):
                self.bad += 1
            else:
                found.append(section)


@dataclass(frozen=True, slots=True)
class Pat:
    """A section of the program association table."""

    programs: tuple[tuple[int, int], ...]
    """(program number, PID of its PMT), without the network information."""
    number: int
    """section_number, and last_section_number."""
    last: int
    version: int


def read_pat(section: bytes) -> Pat | None:
    """A PAT section that is in force; None when it is another table or announces a later version."""
    if section[0] != PAT_TABLE or not section[5] & 1:
        return None
    body = section[8:-4]
    entries = [(int.from_bytes(body[at : at + 2]), _pid(body, at + 2)) for at in range(0, len(body) - 3, 4)]
    programs = tuple((program, pid) for program, pid in entries if program)
    return Pat(programs, section[6], section[7], section[5] >> 1 & 31)


@dataclass(frozen=True, slots=True)
class Stream:
    """An elementary stream as the PMT lists it."""

    kind: int
    """stream_type (table 2-34)."""
    pid: int
    descriptors: Descriptors


@dataclass(frozen=True, slots=True)
class Pmt:
    """A program map table."""

    program: int
    pcr_pid: int
    descriptors: Descriptors
    streams: tuple[Stream, ...]


def read_pmt(section: bytes) -> Pmt | None:
    """A PMT that is in force; None when it is another table, announces a later version, or is cut short."""
    if section[0] != PMT_TABLE or not section[5] & 1 or len(section) < 16:
        return None
    end = len(section) - 4
    at = 12 + (int.from_bytes(section[10:12]) & 0xFFF)
    descriptors = read_descriptors(section[12 : min(at, end)])
    streams = []
    while at + 5 <= end:
        size = int.from_bytes(section[at + 3 : at + 5]) & 0xFFF
        body = section[at + 5 : min(at + 5 + size, end)]
        streams.append(Stream(section[at], _pid(section, at + 1), read_descriptors(body)))
        at += 5 + size
    return Pmt(int.from_bytes(section[3:5]), _pid(section, 8), descriptors, tuple(streams))


def read_descriptors(data: bytes) -> Descriptors:
    """The descriptors of a loop, up to one that overruns it."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at + 2 <= len(data) and len(found) < _MAX_DESCRIPTORS:
        end = at + 2 + data[at + 1]
        if end > len(data):
            break
        found.append((data[at], data[at + 2 : end]))
        at = end
    return tuple(found)


def _pid(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2]) & 0x1FFF
