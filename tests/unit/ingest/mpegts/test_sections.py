from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ts_kit import descriptors, language, pat, pmt, table

from headwater.ingest.mpegts.sections import Pat, SectionReader, Stream, crc32, read_descriptors, read_pat, read_pmt


def test_crc_of_the_standard() -> None:
    """CRC-32/MPEG-2 of "123456789", and 0 over what has it."""
    assert crc32(b"123456789") == 0x0376E6E7
    assert crc32(b"123456789" + (0x0376E6E7).to_bytes(4)) == 0


def test_tables_of_ffmpeg() -> None:
    """Read off a stream of FFmpeg 9."""
    found = read_pat(bytes.fromhex("00b00d0001c100000001f0002ab104b2"))
    assert found == Pat(((1, 0x1000),), 0, 0, 0)
    section = bytes.fromhex("02b0120001c10000e100f00006e100f000be7fa052")
    assert crc32(section) == 0
    pmt_found = read_pmt(section)
    assert pmt_found is not None
    assert (pmt_found.program, pmt_found.pcr_pid, pmt_found.streams) == (1, 0x100, (Stream(6, 0x100, ()),))


def test_pmt_with_descriptors() -> None:
    found = read_pmt(pmt([(0x0F, 0x101, [language(b"eng")]), (0x1B, 0x100, [])], info=[(5, b"CUEI")], program=7))
    assert found is not None
    assert found.program == 7
    assert found.descriptors == ((5, b"CUEI"),)
    assert found.streams == (Stream(0x0F, 0x101, ((10, b"eng\x00"),)), Stream(0x1B, 0x100, ()))


def test_other_tables_and_later_versions_are_none() -> None:
    assert read_pat(table(0x42, 1, bytes(8))) is None
    assert read_pmt(pat()) is None
    announced = bytearray(pat())
    announced[5] &= 0xFE
    assert read_pat(bytes(announced)) is None
    assert read_pmt(table(0x02, 1, b"")) is None


def test_the_network_information_is_no_program() -> None:
    found = read_pat(pat([(0, 0x10), (3, 0x30)]))
    assert found is not None
    assert found.programs == ((3, 0x30),)


def test_lengths_that_overrun_are_cut() -> None:
    section = bytearray(pmt([(0x1B, 0x100, [(5, b"abcd")]), (0x0F, 0x101, [])]))
    section[15:17] = b"\xff\xff"
    found = read_pmt(bytes(section))
    assert found is not None
    assert [stream.pid for stream in found.streams] == [0x100]
    section[10:12] = b"\xff\xff"
    found = read_pmt(bytes(section))
    assert found is not None
    assert found.streams == ()
    assert read_descriptors(descriptors((1, b"a"), (2, b"b"))[:-1]) == ((1, b"a"),)
    assert len(read_descriptors(bytes(1_000))) == 64


def read(payloads: list[tuple[bytes, bool]]) -> list[bytes]:
    reader = SectionReader()
    return [section for payload, starts in payloads for section in reader.feed(payload, starts)]


def test_a_section_over_several_packets() -> None:
    section = pmt([(0x0F, 0x100 + number, [language(b"eng")]) for number in range(60)])
    data = b"\x00" + section + b"\xff" * 200
    pieces = [(data[at : at + 184], at == 0) for at in range(0, len(data), 184)]
    assert len(section) > 500
    assert read(pieces) == [section]


def test_sections_that_follow_in_one_packet_and_end_in_the_next() -> None:
    one, two = pat(), pmt([(0x1B, 0x100, [])])
    assert read([(b"\x00" + one + two[:3], True), (bytes((len(two) - 3,)) + two[3:] + one, True)]) == [one, two, one]
    assert read([(b"\x00" + one[:2], True), (one[2:] + b"\xff" * 20, False)]) == [one]


def test_what_is_damaged_is_counted_and_left_out() -> None:
    reader = SectionReader()
    broken = bytearray(pat())
    broken[9] ^= 1
    assert reader.feed(b"\x00" + bytes(broken) + pat(), True) == [pat()]
    assert reader.bad == 1
    assert reader.feed(b"\x00\x00\xbf\xff" + bytes(180), True) == []
    assert reader.bad == 2
    assert reader.feed(b"\x00\x00\xb0\x05" + bytes(180), True) == []
    assert reader.bad > 2


def test_a_loss_drops_the_section_at_hand() -> None:
    reader = SectionReader()
    assert reader.feed(b"\x00" + pat()[:8], True) == []
    reader.lose()
    assert reader.feed(pat()[8:], False) == []
    assert reader.bad == 0
    assert reader.feed(b"", True) == []


@given(st.lists(st.tuples(st.binary(max_size=184), st.booleans()), max_size=20))
def test_any_payloads(payloads: list[tuple[bytes, bool]]) -> None:
    reader = SectionReader()
    for payload, starts in payloads:
        for section in reader.feed(payload, starts):
            assert crc32(section) == 0
            read_pat(section)
            read_pmt(section)
        assert len(reader._partial or b"") < 4_096


@pytest.mark.parametrize("size", range(12))
def test_short_descriptor_loops(size: int) -> None:
    assert len(read_descriptors(bytes(size))) == size // 2
