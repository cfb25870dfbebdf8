"""AMF0: every marker, the tolerated faults, the bounds, and the encoder."""

from __future__ import annotations

import struct

import pytest
from tests.rtmp_client import Ecma, amf0, read_amf0

from headwater.ingest.rtmp.amf import decode, encode
from headwater.ingest.rtmp.limits import AMF_DEPTH, AMF_NODES

SAMPLES: list[object] = [
    1.5,
    -0.0,
    True,
    False,
    "",
    "live",
    "žluťoučký",
    "x" * 70_000,
    None,
    {},
    {"app": "live", "n": {"a": [1.0, "b", None]}},
    [],
    [1.0, [2.0, {"k": "v"}]],
]


@pytest.mark.parametrize("value", SAMPLES, ids=lambda value: repr(value)[:30])
def test_round_trip(value: object) -> None:
    assert decode(encode(value)).values == [value]
    assert decode(encode(value)).fault is None
    assert encode(value) == amf0(value)
    assert read_amf0(encode(value)) == [value]


def test_several_values() -> None:
    decoded = decode(encode("connect", 1, {"app": "live"}))
    assert decoded.values == ["connect", 1.0, {"app": "live"}]


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\x06", None),
        (b"\x0d", None),
        (b"\x0b" + struct.pack(">dh", 1e12, 60), 1e12),
        (b"\x0f\x00\x00\x00\x04<a/>", "<a/>"),
        (b"\x0c\x00\x00\x00\x02hi", "hi"),
        (b"\x10\x00\x03Foo\x00\x01a\x01\x01\x00\x00\x09", {"a": True}),
        (b"\x08\x00\x00\x00\x01\x00\x01a\x05\x00\x00\x09", {"a": None}),
        (b"\x02\x00\x02\xff\xfe", "\ufffd\ufffd"),
        (b"\x11\x06\x07abc", "abc"),
    ],
)
def test_other_markers(data: bytes, value: object) -> None:
    decoded = decode(data)
    assert decoded.values == [value]
    assert decoded.fault is None


@pytest.mark.parametrize("count", [0, 1, 99, 0xFFFFFFFF])
def test_ecma_array_with_any_count(count: int) -> None:
    array = Ecma({"width": 1920.0, "encoder": "x"})
    array.count = count
    decoded = decode(amf0("onMetaData", array, 5.0))
    assert decoded.values == ["onMetaData", {"width": 1920.0, "encoder": "x"}, 5.0]
    assert decoded.fault is None


def test_missing_end_markers() -> None:
    data = amf0("a", {"b": {"c": 1.0}})
    for cut in (3, 6):
        decoded = decode(data[:-cut])
        assert decoded.values == ["a", {"b": {"c": 1.0}}]
        assert decoded.fault is None


def test_truncated_values_keep_what_was_read() -> None:
    data = amf0("a", {"b": "long enough", "c": "cut off here"})
    decoded = decode(data[:-6])
    assert decoded.values == ["a", {"b": "long enough"}]
    assert decoded.fault is not None


def test_every_prefix_is_readable() -> None:
    data = amf0("onMetaData", Ecma({"a": [1.0, {"b": "c"}], "d": True}), "tail")
    for size in range(len(data)):
        values = decode(data[:size]).values
        assert not values or values[0] == "onMetaData"


@pytest.mark.parametrize("marker", [0x04, 0x0E, 0x12, 0xFF])
def test_unknown_markers_end_the_reading(marker: int) -> None:
    decoded = decode(encode("a") + bytes([marker]) + encode("b"))
    assert decoded.values == ["a"]
    assert decoded.fault is not None


def test_strict_array_count_beyond_the_data() -> None:
    decoded = decode(b"\x0a\xff\xff\xff\xff" + encode(1.0, 2.0))
    assert decoded.values == [[1.0, 2.0]]


def test_depth_is_bounded() -> None:
    def nested(depth: int) -> object:
        return [] if depth == 0 else [nested(depth - 1)]

    assert decode(encode(nested(AMF_DEPTH))).fault is None
    assert "deeper" in str(decode(encode(nested(AMF_DEPTH + 1))).fault)
    assert decode(b"\x0a\x00\x00\x00\x01" * 20_000).fault is not None


def test_number_of_values_is_bounded() -> None:
    assert decode(b"\x05" * AMF_NODES).fault is None
    decoded = decode(b"\x05" * (AMF_NODES + 1))
    assert len(decoded.values) == AMF_NODES
    assert decoded.fault is not None
    assert decode(encode({"keyframes": [1.0] * 5000}, "x")).fault is not None


def test_references() -> None:
    # The outer array is object 0, {"a": 1} is object 1; the reference names it.
    data = b"\x0a\x00\x00\x00\x02" + encode({"a": 1.0}) + b"\x07\x00\x01"
    assert decode(data).values == [[{"a": 1.0}, {"a": 1.0}]]
    # A reference to an object that is still open would be a cycle.
    assert decode(b"\x0a\x00\x00\x00\x01\x07\x00\x00").values == [[None]]
    assert decode(b"\x07\x00\x05").fault is not None


def test_references_cannot_blow_up() -> None:
    # Each level holds the level before it twice: 2**60 values when written out.
    data = encode([1.0])
    for level in range(60):
        data += b"\x0a\x00\x00\x00\x02" + (b"\x07" + level.to_bytes(2)) * 2
    assert decode(data).fault is not None


def test_references_cannot_go_deeper() -> None:
    # Object 0 is an array, 10 deep; then 10 arrays around a reference to it.
    deep = b"\x0a\x00\x00\x00\x01" * 10
    assert decode(deep + b"\x05" + b"\x0a\x00\x00\x00\x01" * 3 + b"\x07\x00\x00").fault is None
    assert "deeper" in str(decode(deep + b"\x05" + deep + b"\x07\x00\x00").fault)
    # A reference is as deep as what it names, also through another one.
    via = deep + b"\x05" + b"\x0a\x00\x00\x00\x01" * 3 + b"\x07\x00\x00"
    assert "deeper" in str(decode(via + b"\x0a\x00\x00\x00\x01" * 4 + b"\x07\x00\x0a").fault)


def test_encode_refuses_other_types() -> None:
    for value in (b"bytes", object(), {1, 2}):
        with pytest.raises(TypeError):
            encode(value)
