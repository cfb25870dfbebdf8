from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.ingest.codecs import nal
from headwater.ingest.codecs.annexb import length_prefixed, media_units, sample, split
from headwater.ingest.media import Codec


@pytest.mark.parametrize(
    ("data", "units"),
    [
        (b"", []),
        (b"\x00\x00\x01", []),
        (b"no start code", []),
        (b"\x00\x00\x01\x65\x88", [b"\x65\x88"]),
        (b"\x00\x00\x00\x01\x65\x88", [b"\x65\x88"]),
        (b"left over\x00\x00\x01\x65", [b"\x65"]),
        (
            b"\x00\x00\x00\x01\x67\x01\x00\x00\x00\x01\x68\x02\x00\x00\x01\x65\x03",
            [b"\x67\x01", b"\x68\x02", b"\x65\x03"],
        ),
        (b"\x00\x00\x01\x65\x03\x00\x00\x00\x00\x00\x01\x41\x00\x00", [b"\x65\x03", b"\x41"]),
        (b"\x00\x00\x01\x00\x00\x01\x00\x00\x01\x41", [b"\x41"]),
        (b"\x00\x00\x01\x41\x00\x00\x03\x01\x00\x00\x03", [b"\x41\x00\x00\x03\x01\x00\x00\x03"]),
    ],
)
def test_split(data: bytes, units: list[bytes]) -> None:
    assert split(data) == units


UNIT = st.binary(min_size=1, max_size=40).filter(lambda unit: unit[-1] != 0 and b"\x00\x00\x01" not in unit and unit[0])


@given(st.lists(UNIT, max_size=6), st.sampled_from((b"\x00\x00\x01", b"\x00\x00\x00\x01", b"\x00\x00\x00\x00\x01")))
def test_what_is_written_is_split_again(units: list[bytes], start: bytes) -> None:
    assert split(b"".join(start + unit for unit in units)) == units


@given(st.binary(max_size=200))
def test_any_bytes_give_units_that_a_sample_can_hold(data: bytes) -> None:
    units = split(data)
    assert all(units)
    payload = length_prefixed(units)
    assert nal.tidy(payload, 4) is payload


def test_a_sample_has_no_parameter_sets_delimiters_and_fillers() -> None:
    stream = b"".join(b"\x00\x00\x00\x01" + bytes((kind, 1)) for kind in (9, 7, 8, 6, 5, 5, 12, 10, 11))
    assert [unit[0] for unit in media_units(Codec.H264, split(stream))] == [6, 5, 5, 10]
    assert sample(Codec.H264, stream) == b"\x00\x00\x00\x02".join(
        (b"", b"\x06\x01", b"\x05\x01", b"\x05\x01", b"\x0a\x01")
    )


def test_the_same_for_hevc() -> None:
    kinds = (35, 32, 33, 34, 39, 19, 40, 38, 36, 37)
    stream = b"".join(b"\x00\x00\x01" + bytes((kind << 1, 1, 2)) for kind in kinds)
    assert [unit[0] >> 1 for unit in media_units(Codec.HEVC, split(stream))] == [39, 19, 40, 36]
    assert sample(Codec.HEVC, b"\x00\x00\x01\x46\x01\x50") == b""
