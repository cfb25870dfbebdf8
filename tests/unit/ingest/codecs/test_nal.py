from __future__ import annotations

from fractions import Fraction

import pytest

from headwater.ingest.codecs.bits import BitReader
from headwater.ingest.codecs.nal import sample_aspect, signal_type, tidy


def access_unit(*units: bytes, size: int = 4) -> bytes:
    return b"".join(len(unit).to_bytes(size) + unit for unit in units)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_well_formed_access_unit_is_the_same_object(size: int) -> None:
    payload = access_unit(b"\x09\xf0", b"\x65" + bytes(100), size=size)
    assert tidy(payload, size) is payload


@pytest.mark.parametrize("size", [1, 2, 4])
def test_empty_units_and_a_truncated_last_unit_are_dropped(size: int) -> None:
    good = access_unit(b"\x09\xf0", b"\x65abc", size=size)
    assert tidy(access_unit(b"", b"\x09\xf0", b"", b"\x65abc", b"", size=size), size) == good
    assert tidy(good + (9).to_bytes(size) + b"short", size) == good
    if size > 1:
        assert tidy(good + bytes(size - 1), size) == good


def test_nothing_left_is_empty() -> None:
    assert tidy(bytes(8), 4) == b""
    assert tidy(b"\xff\xff\xff\xff", 4) == b""
    assert tidy(b"", 4) == b""


def bits(text: str) -> BitReader:
    return BitReader(int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8)))


@pytest.mark.parametrize(
    ("text", "ratio"),
    [
        ("0", Fraction(1)),
        ("1" + f"{0:08b}", Fraction(1)),
        ("1" + f"{4:08b}", Fraction(16, 11)),
        ("1" + f"{16:08b}", Fraction(2)),
        ("1" + f"{200:08b}", Fraction(1)),
        ("1" + f"{255:08b}{64:016b}{45:016b}", Fraction(64, 45)),
        ("1" + f"{255:08b}{64:016b}{0:016b}", Fraction(1)),
    ],
)
def test_sample_aspect(text: str, ratio: Fraction) -> None:
    assert sample_aspect(bits(text)) == ratio


def test_transfer_characteristics_behind_overscan() -> None:
    assert signal_type(bits("11" + "1" + "0101" + "1" + f"{9:08b}{16:08b}{9:08b}" + "0")) == 16
    assert signal_type(bits("0" + "1" + "0101" + "0" + "1" + "1" + "1")) == 2
    assert signal_type(bits("000")) == 2
