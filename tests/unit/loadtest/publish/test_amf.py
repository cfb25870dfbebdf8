"""AMF0: what goes out comes back, and a server's odd or hostile values end in BadAmf."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.loadtest.publish.amf import BadAmf, Value, decode_all, encode, encode_all


def test_known_bytes() -> None:
    assert encode("live") == b"\x02\x00\x04live"
    assert encode(1.0) == b"\x00\x3f\xf0\x00\x00\x00\x00\x00\x00"
    assert encode(None) == b"\x05"
    assert encode(True) == b"\x01\x01"
    assert encode({"a": None}) == b"\x03\x00\x01a\x05\x00\x00\x09"
    assert encode(["hvc1"]) == b"\x0a\x00\x00\x00\x01\x02\x00\x04hvc1"


def test_round_trip() -> None:
    values: list[Value] = ["connect", 1.0, {"app": "live", "codecs": ["av01", "hvc1"], "deep": {"on": False}}, None]
    assert decode_all(encode_all(*values)) == values


def test_ecma_array_ignores_its_count() -> None:
    assert decode_all(b"\x08\x00\x00\x00\x09\x00\x01a\x01\x01\x00\x00\x09") == [{"a": True}]


def test_date_and_long_string() -> None:
    assert decode_all(b"\x0b" + bytes(8) + b"\x00\x00" + b"\x0c\x00\x00\x00\x02hi") == [0.0, "hi"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x00\x3f", id="cut number"),
        pytest.param(b"\x02\xff\xffx", id="cut string"),
        pytest.param(b"\x11", id="unknown type"),
        pytest.param(b"\x0a\xff\xff\xff\xff\x05", id="lying count"),
        pytest.param(b"\x0a\x00\x00\x00\x01" * 50, id="deep"),
        pytest.param(b"\x03\x00\x01a" * 50, id="deep objects"),
    ],
)
def test_bad_values(data: bytes) -> None:
    with pytest.raises(BadAmf):
        decode_all(data)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    with contextlib.suppress(BadAmf):
        decode_all(data)
