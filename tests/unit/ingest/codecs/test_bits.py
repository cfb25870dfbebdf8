from __future__ import annotations

import pytest

from headwater.ingest.codecs import BadConfig
from headwater.ingest.codecs.bits import BitReader, ByteReader, unescape


def test_fixed_width_fields_cross_bytes() -> None:
    bits = BitReader(bytes.fromhex("a5f00f"))
    assert [bits.read(1), bits.read(3), bits.read(8), bits.read(12)] == [1, 2, 0x5F, 0x00F]
    assert bits.left == 0


@pytest.mark.parametrize(
    ("code", "unsigned", "signed"),
    [("1", 0, 0), ("010", 1, 1), ("011", 2, -1), ("00100", 3, 2), ("00101", 4, -2), ("0001000", 7, 4)],
)
def test_exp_golomb(code: str, unsigned: int, signed: int) -> None:
    data = int(code.ljust(16, "0"), 2).to_bytes(2)
    assert BitReader(data).unsigned() == unsigned
    assert BitReader(data).signed() == signed


def test_exp_golomb_of_32_zeros_is_read_and_of_33_refused() -> None:
    assert BitReader(bytes(4) + b"\x80" + bytes(4)).unsigned() == (1 << 32) - 1
    with pytest.raises(BadConfig):
        BitReader(bytes(12)).unsigned()


def test_align_goes_to_the_next_byte_only_when_inside_one() -> None:
    bits = BitReader(b"\xff\x01\x02")
    bits.align()
    bits.skip(3)
    bits.align()
    bits.align()
    assert bits.read(8) == 1


def test_peeking_reads_again() -> None:
    bits = BitReader(b"\xa5\xf0")
    assert bits.peek(12) == 0xA5F
    assert (bits.read(4), bits.peek(4), bits.left) == (0xA, 0x5, 12)
    with pytest.raises(BadConfig):
        bits.peek(13)


@pytest.mark.parametrize("ask", [lambda bits: bits.read(9), lambda bits: bits.skip(9)])
def test_reading_past_the_end_is_refused(ask: object) -> None:
    assert callable(ask)
    with pytest.raises(BadConfig):
        ask(BitReader(b"\xff"))


def test_bytes() -> None:
    record = ByteReader(b"\x01\x02\x03")
    assert record.number(2) == 0x0102
    assert record.left == 1
    with pytest.raises(BadConfig):
        record.take(2)
    assert record.take(1) == b"\x03"


def test_emulation_prevention_is_removed() -> None:
    assert unescape(bytes.fromhex("00000301000003000003")) == bytes.fromhex("00000100000000")
