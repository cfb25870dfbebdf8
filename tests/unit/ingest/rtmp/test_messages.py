"""Control payloads and the aggregate."""

from __future__ import annotations

import struct

from headwater.ingest.rtmp.messages import (
    Limit,
    Message,
    MessageType,
    UserControl,
    number,
    peer_bandwidth,
    read_number,
    read_user_control,
    split_aggregate,
    user_control,
)


def tag(kind: int, timestamp: int, body: bytes) -> bytes:
    stamp = (timestamp & 0xFFFFFF).to_bytes(3) + bytes([timestamp >> 24])
    return bytes([kind]) + len(body).to_bytes(3) + stamp + bytes(3) + body + struct.pack(">I", 11 + len(body))


def split(payload: bytes, timestamp: int = 1000) -> list[tuple[int, int, bytes]]:
    parts = split_aggregate(Message(MessageType.AGGREGATE, timestamp, 1, payload))
    return [(part.type, part.timestamp, part.payload) for part in parts]


def test_numbers() -> None:
    assert number(65_536) == b"\x00\x01\x00\x00"
    assert number(1 << 32) == bytes(4)
    assert read_number(b"\x00\x01\x00\x00rest") == 65_536
    assert read_number(b"\x00\x01\x00") is None
    assert peer_bandwidth(2_500_000, Limit.DYNAMIC) == (2_500_000).to_bytes(4) + b"\x02"


def test_user_control() -> None:
    assert user_control(UserControl.STREAM_BEGIN, 1) == b"\x00\x00\x00\x00\x00\x01"
    assert read_user_control(user_control(UserControl.PING_REQUEST, 77)) == (6, 77)
    assert read_user_control(b"\x00\x1f\x00\x00\x00\x00") == (31, 0)
    assert read_user_control(b"\x00\x06\x00") is None


def test_aggregate_is_rebased() -> None:
    payload = tag(9, 500, b"video") + tag(8, 523, b"audio") + tag(18, 530, b"data")
    assert split(payload) == [(9, 1000, b"video"), (8, 1023, b"audio"), (18, 1030, b"data")]


def test_aggregate_timestamps_have_32_bits_and_wrap() -> None:
    payload = tag(9, 0xFFFFFFFE, b"a") + tag(9, 0x00000010, b"b")
    assert [part[1] for part in split(payload, 100)] == [100, 118]
    assert split(tag(9, 0x01000005, b"a") + tag(9, 0x01000009, b"b"), 0xFFFFFFFE)[1][1] == 2


def test_broken_aggregates_give_what_is_whole() -> None:
    whole = tag(9, 5, b"video") + tag(8, 5, b"audio")
    assert len(split(whole[:-4])) == 2, "the last back pointer is not needed"
    for size in range(len(tag(9, 5, b"video")), len(whole) - 4):
        assert [part[2] for part in split(whole[:size])] == [b"video"]
    assert split(b"") == []
    assert split(tag(22, 5, whole) + tag(9, 7, b"x")) == [(9, 1002, b"x")], "aggregates do not nest"


def test_text_form_is_short() -> None:
    assert repr(Message(9, 5, 1, b"secret")) == "Message(type=9, timestamp=5, bytes=6)"
