"""A small writer of transport streams for tests: tables, PES packets, and packets with what may be wrong with them."""

from __future__ import annotations

from collections.abc import Sequence

from headwater.ingest.mpegts.sections import crc32

PMT_PID, VIDEO_PID, AUDIO_PID, CUE_PID = 0x1000, 0x100, 0x101, 0x1F0
WRAP = 1 << 33

START = b"\x00\x00\x00\x01"
X264_SPS = bytes.fromhex("67640015acd941433f78088000000300800000190f8a14cb")
"""x264 High, interlaced (field macroblocks), 320x184, 25 fps; see `codec_vectors.AVCC_INTERLACED`."""
X264_PPS = bytes.fromhex("68fba3cb22c0")
AUD, SEI = b"\x09\xf0", b"\x06\x05\x01\x00\x80"
IDR, SLICE, SLICE_REST = b"\x65\x88\x80\x10\x20", b"\x41\x9a\x22\x11", b"\x41\x42\x9a\x22"
"""Slices as far as anybody here reads them: first_mb_in_slice is 0 in the first two, 1 in the last."""

Descriptor = tuple[int, bytes]
StreamSpec = tuple[int, int, Sequence[Descriptor]]
"""stream_type, PID, descriptors."""


def descriptors(*items: Descriptor) -> bytes:
    """A descriptor loop."""
    return b"".join(bytes((tag, len(body))) + body for tag, body in items)


def language(code: bytes, audio_type: int = 0) -> Descriptor:
    """An ISO 639 language descriptor."""
    return 0x0A, code + bytes((audio_type,))


def table(table_id: int, number: int, body: bytes, version: int = 0, section: tuple[int, int] = (0, 0)) -> bytes:
    """A section with CRC; `number`: program number or transport stream id; `section`: its number and the last."""
    head = number.to_bytes(2) + bytes((0xC1 | version << 1, *section))
    size = len(head) + len(body) + 4
    data = bytes((table_id,)) + (0xB000 | size).to_bytes(2) + head + body
    return data + crc32(data).to_bytes(4)


def pat(
    programs: Sequence[tuple[int, int]] = ((1, PMT_PID),), version: int = 0, section: tuple[int, int] = (0, 0)
) -> bytes:
    """A PAT of (program number, PID of its PMT)."""
    body = b"".join(number.to_bytes(2) + (0xE000 | pid).to_bytes(2) for number, pid in programs)
    return table(0x00, 1, body, version, section)


def pmt(
    streams: Sequence[StreamSpec],
    *,
    program: int = 1,
    pcr_pid: int = VIDEO_PID,
    version: int = 0,
    info: Sequence[Descriptor] = (),
) -> bytes:
    """A PMT of (stream_type, PID, descriptors)."""
    loop = descriptors(*info)
    body = (0xE000 | pcr_pid).to_bytes(2) + (0xF000 | len(loop)).to_bytes(2) + loop
    for kind, pid, items in streams:
        loop = descriptors(*items)
        body += bytes((kind,)) + (0xE000 | pid).to_bytes(2) + (0xF000 | len(loop)).to_bytes(2) + loop
    return table(0x02, program, body, version)


def time_stamp(prefix: int, ticks: int) -> bytes:
    """PTS or DTS of 33 bits with its marker bits."""
    ticks %= WRAP
    return bytes(
        (
            prefix << 4 | (ticks >> 30 & 7) << 1 | 1,
            ticks >> 22 & 255,
            (ticks >> 15 & 127) << 1 | 1,
            ticks >> 7 & 255,
            (ticks & 127) << 1 | 1,
        )
    )


def pes(
    payload: bytes,
    pts: int | None = None,
    dts: int | None = None,
    *,
    stream_id: int = 0xE0,
    length: int | None = None,
    flags: int = 0x80,
) -> bytes:
    """A PES packet. `length`: PES_packet_length; by default open (0) for video, else what it is."""
    times, kinds = b"", 0
    if pts is not None:
        kinds = 2 if dts is None else 3
        times = time_stamp(kinds, pts) + (time_stamp(1, dts) if dts is not None else b"")
    body = bytes((flags, kinds << 6, len(times))) + times + payload
    if length is None:
        length = 0 if stream_id & 0xF0 == 0xE0 or len(body) > 0xFFFF else len(body)
    return b"\x00\x00\x01" + bytes((stream_id,)) + length.to_bytes(2) + body


class TsWriter:
    """Cuts payloads into packets and keeps the continuity counters."""

    def __init__(self) -> None:
        self.counters: dict[int, int] = {}

    def packet(
        self,
        pid: int,
        payload: bytes,
        *,
        start: bool = False,
        pcr: int | None = None,
        flags: int = 0,
        head: int = 0,
    ) -> bytes:
        """One packet, filled up in its adaptation field. `head`: more bits of the header; `flags`: of the field."""
        field = b""
        if pcr is not None:
            field = bytes((0x10 | flags,)) + (pcr << 15 | 0x7E00).to_bytes(6)
        elif flags:
            field = bytes((flags,))
        space = 184 - len(payload)
        assert space >= (len(field) + 1 if field else 0)
        adaptation = b""
        if space == 1:
            adaptation = b"\x00"
        elif space:
            field = field or b"\x00"
            adaptation = bytes((space - 1,)) + field + b"\xff" * (space - 1 - len(field))
        count = self.counters.get(pid, 0)
        if payload:
            self.counters[pid] = (count + 1) & 15
        else:
            count = (count - 1) & 15
        control = (0x10 if payload else 0) | (0x20 if adaptation else 0)
        word = 0x47000000 | pid << 8 | control | count | (0x400000 if start else 0) | head
        return word.to_bytes(4) + adaptation + payload

    def section(self, pid: int, *sections: bytes) -> bytes:
        """Sections one behind the other, stuffed with 0xFF as tables are."""
        data = b"\x00" + b"".join(sections)
        data += b"\xff" * (-len(data) % 184)
        return b"".join(self.packet(pid, data[at : at + 184], start=not at) for at in range(0, len(data), 184))

    def pes(self, pid: int, data: bytes, *, pcr: int | None = None, flags: int = 0, head: int = 0) -> bytes:
        """A PES packet over as many packets as it takes; the first has `pcr` and `flags`."""
        room = 184 - (8 if pcr is not None else 2 if flags else 0)
        out = [self.packet(pid, data[:room], start=True, pcr=pcr, flags=flags, head=head)]
        out += [self.packet(pid, data[at : at + 184], head=head) for at in range(room, len(data), 184)]
        return b"".join(out)

    def tables(self, *streams: StreamSpec) -> bytes:
        """PAT and PMT of one program with these streams."""
        return self.section(0, pat()) + self.section(PMT_PID, pmt(streams))

    def video(self, *units: bytes, pts: int, dts: int | None = None, **options: int) -> bytes:
        """An access unit of NAL units in a PES packet on VIDEO_PID."""
        return self.pes(VIDEO_PID, pes(b"".join(START + unit for unit in units), pts, dts), **options)


def adts(payload: bytes, *, rate: int = 3, channels: int = 2, object_type: int = 2, crc: bool = False) -> bytes:
    """An ADTS frame. `rate`: sampling_frequency_index (3: 48 kHz)."""
    size = 7 + (2 if crc else 0) + len(payload)
    head = bytes(
        (
            0xFF,
            0xF0 if crc else 0xF1,
            (object_type - 1) << 6 | rate << 2 | channels >> 2,
            (channels & 3) << 6 | size >> 11,
            size >> 3 & 255,
            (size & 7) << 5 | 0x1F,
            0xFC,
        )
    )
    return head + (b"\x12\x34" if crc else b"") + payload
