"""PES packets: header and time stamps (ISO/IEC 13818-1 2.4.3.6, 2.4.3.7). Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass

WRAP = 1 << 33
"""Time stamps count modulo this many ticks of 90 kHz: 26.5 hours."""
HEADER = 6
"""Bytes up to and with PES_packet_length."""
_WITHOUT_HEADER = frozenset((0xBC, 0xBE, 0xBF, 0xF0, 0xF1, 0xF2, 0xF8, 0xFF))
"""stream_id of maps, padding and the like, which carry no media (table 2-22)."""


@dataclass(frozen=True, slots=True)
class PesHeader:
    """The header of a PES packet."""

    stream_id: int
    payload: int
    """Where the payload begins."""
    pts: int | None
    """Presentation time, 33 bits of 90 kHz. Likewise `dts`, which is `pts` when it is not sent."""
    dts: int | None
    scrambled: bool


def packet_length(start: bytes) -> int:
    """Bytes of the whole PES packet by its first 6 bytes; 0 when it says none, or when that is no PES packet."""
    if len(start) < HEADER or start[:3] != b"\x00\x00\x01":
        return 0
    length = int.from_bytes(start[4:6])
    return HEADER + length if length else 0


def read_header(data: bytes) -> PesHeader | None:
    """The header of a PES packet with media; None when it is none or is cut short."""
    if len(data) < 9 or data[:3] != b"\x00\x00\x01" or data[3] in _WITHOUT_HEADER or data[6] & 0xC0 != 0x80:
        return None
    flags = data[7] >> 6
    payload = 9 + data[8]
    if payload > len(data):
        return None
    pts = read_time(data, 9) if flags & 2 and data[8] >= 5 else None
    dts = read_time(data, 14) if flags == 3 and data[8] >= 10 else pts
    return PesHeader(data[3], payload, pts, dts, bool(data[6] & 0x30))


def read_time(data: bytes, at: int) -> int:
    """A time stamp of 33 bits in 5 bytes with marker bits."""
    return (
        (data[at] >> 1 & 7) << 30 | data[at + 1] << 22 | data[at + 2] >> 1 << 15 | data[at + 3] << 7 | data[at + 4] >> 1
    )


def signed_difference(later: int, earlier: int) -> int:
    """`later` minus `earlier` modulo the wrap, in ticks: half a wrap at most either way."""
    return (later - earlier + WRAP // 2) % WRAP - WRAP // 2


def offset_us(pts: int, dts: int) -> int:
    """Presentation minus decode time in microseconds, rounded up so that the ticks can be had back exactly."""
    return -(-signed_difference(pts, dts) * 100 // 9)
