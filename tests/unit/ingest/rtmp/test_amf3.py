"""AMF3 values inside AMF0."""

from __future__ import annotations

import struct

import pytest

from headwater.ingest.rtmp.amf import decode

DOUBLE = struct.pack(">d", 2.5)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\x00", None),
        (b"\x01", None),
        (b"\x02", False),
        (b"\x03", True),
        (b"\x04\x7f", 127.0),
        (b"\x04\x81\x00", 128.0),
        (b"\x04\xff\xff\xff\xff", -1.0),
        (b"\x04\xbf\xff\xff\xff", float(2**28 - 1)),
        (b"\x05" + DOUBLE, 2.5),
        (b"\x06\x01", ""),
        (b"\x06\x09live", "live"),
        (b"\x07\x09<a/>", "<a/>"),
        (b"\x0b\x09<a/>", "<a/>"),
        (b"\x08\x01" + DOUBLE, 2.5),
        (b"\x09\x05\x01\x03\x02", [True, False]),
        (b"\x09\x03\x03a\x03\x01\x02", {"a": True, "0": False}),
        (b"\x0c\x07abc", b"abc"),
        (b"\x0d\x05\x00\x00\x00\x00\x01\xff\xff\xff\xff", [1.0, -1.0]),
        (b"\x0e\x03\x00\xff\xff\xff\xff", [4294967295.0]),
        (b"\x0f\x03\x00" + DOUBLE, [2.5]),
        (b"\x10\x03\x00\x01\x03", [True]),
        (b"\x11\x03\x00\x06\x03k\x03", {"k": True}),
        # A dynamic object without sealed members: app, then the end.
        (b"\x0a\x0b\x01\x07app\x06\x09live\x01", {"app": "live"}),
        # One sealed member `a`.
        (b"\x0a\x13\x01\x03a\x03", {"a": True}),
    ],
)
def test_values(data: bytes, value: object) -> None:
    decoded = decode(b"\x11" + data)
    assert decoded.fault is None
    assert decoded.values == [value]


def test_switch_holds_for_one_value() -> None:
    assert decode(b"\x11\x04\x05" + b"\x02\x00\x01a" + b"\x11\x03").values == [5.0, "a", True]


def test_references() -> None:
    # ["ab", "ab", {traits}, {same traits}, first object again]
    data = b"\x11\x09\x0b\x01" + b"\x06\x05ab" + b"\x06\x00"
    data += b"\x0a\x13\x01\x03k\x03" + b"\x0a\x01\x02" + b"\x0a\x02"
    decoded = decode(data)
    assert decoded.fault is None
    assert decoded.values == [["ab", "ab", {"k": True}, {"k": False}, {"k": True}]]


@pytest.mark.parametrize(
    "data",
    [
        b"\x06\x08",  # string 4 of none
        b"\x0a\x08",  # object 4 of none
        b"\x0a\x05",  # traits 1 of none
        b"\x0a\x07\x07Foo",  # externalizable
        b"\x12",
        b"\x09\xff\xff\xff\xff\x01",
        b"\x0c\x7fab",
        b"\x0d\xff\xff\xff\xfe\x00",
        b"\x0a\xff\xff\xff\xfb\x01",
        b"\x04\x80",
    ],
)
def test_faults_end_the_reading(data: bytes) -> None:
    decoded = decode(b"\x02\x00\x01a\x11" + data)
    assert decoded.values[0] == "a"
    if data[0] != 9:  # an array that is shorter than it says is read as far as it goes
        assert decoded.fault is not None


def test_open_object_is_not_its_own_member() -> None:
    assert decode(b"\x11\x09\x03\x01\x09\x00").values == [[None]]


def test_references_cannot_blow_up() -> None:
    data = b"\x11\x09\x83\x01\x01"  # an array of many, each holding the one before twice
    for level in range(60):
        data += b"\x09\x05\x01" + (b"\x09" + bytes([level * 2])) * 2
    assert decode(data).fault is not None


def test_depth_is_bounded() -> None:
    assert decode(b"\x11" + b"\x09\x03\x01" * 1000).fault is not None
