from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ts_kit import WRAP, pes, time_stamp

from headwater.ingest.mpegts.pes import offset_us, packet_length, read_header, read_time, signed_difference

TICKS = st.integers(0, WRAP - 1)


@given(TICKS)
def test_times(ticks: int) -> None:
    assert read_time(b"x" + time_stamp(2, ticks), 1) == ticks


def test_headers() -> None:
    header = read_header(pes(b"abc", 5, 3))
    assert header is not None
    assert (header.stream_id, header.payload, header.pts, header.dts, header.scrambled) == (0xE0, 19, 5, 3, False)
    header = read_header(pes(b"abc", 5, stream_id=0xC0))
    assert header is not None
    assert (header.payload, header.pts, header.dts) == (14, 5, 5)
    header = read_header(pes(b"abc", flags=0x90))
    assert header is not None
    assert (header.payload, header.pts, header.dts, header.scrambled) == (9, None, None, True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x00\x01\xe0\x00\x00\x80",
        b"\x00\x00\x02" + pes(b"abc")[3:],
        pes(b"abc", stream_id=0xBE),
        pes(b"abc", flags=0x40),
        pes(b"", 5)[:-1],
    ],
)
def test_what_is_no_header(data: bytes) -> None:
    """Empty, short, no start code, padding, MPEG-1, cut short."""
    assert read_header(data) is None


def test_flags_without_room_for_times_give_none() -> None:
    data = bytearray(pes(b"abc", 5, 3))
    data[8] = 4
    header = read_header(bytes(data))
    assert header is not None
    assert (header.pts, header.dts) == (None, None)


def test_lengths() -> None:
    data = pes(b"abc", 5, stream_id=0xC0)
    assert packet_length(data) == len(data)
    assert packet_length(pes(b"abc")) == 0
    assert packet_length(data[:5]) == 0
    assert packet_length(b"\x00" + data) == 0


@given(TICKS, st.integers(-270_000, 270_000))
def test_offsets_give_their_ticks_back(dts: int, offset: int) -> None:
    """As the timeline reads them: 90 ticks are 1,000 microseconds, rounded down."""
    pts = (dts + offset) % WRAP
    assert signed_difference(pts, dts) == offset
    assert offset_us(pts, dts) * 9 // 100 == offset
