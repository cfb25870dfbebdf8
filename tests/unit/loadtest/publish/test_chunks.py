"""The chunk stream, written and read."""

import pytest

from headwater.loadtest.publish.chunks import MAX_MESSAGE_BYTES, BadChunk, ChunkReader, Message, write_message


def wire(message: Message, csid: int = 3, size: int = 128) -> bytes:
    return b"".join(write_message(message, csid, size))


MESSAGES = [
    Message(20, 0, 0, b"short"),
    Message(9, 1234, 1, bytes(range(256)) * 3),
    Message(8, 0xFFFFFF, 1, b"first extended timestamp"),
    Message(9, 0xFFFFFFFE, 1, b"x" * 300),
    Message(18, 5, 1, b""),
]


@pytest.mark.parametrize("size", [1, 3, 64, 100_000])
def test_what_is_written_is_read(size: int) -> None:
    data = b"".join(wire(message) for message in MESSAGES)
    reader = ChunkReader()
    found = [one for at in range(0, len(data), size) for one in reader.feed(data[at : at + size])]
    assert found == MESSAGES


def test_large_chunk_is_one_piece() -> None:
    assert len(write_message(Message(9, 0, 1, bytes(60_000)), 6, 65_536)) == 2


def test_set_chunk_size_holds_from_the_next_chunk() -> None:
    body = bytes(5000)
    data = wire(Message(1, 0, 0, (4096).to_bytes(4, "big")), 2) + wire(Message(20, 0, 0, body), 3, 4096)
    assert ChunkReader().feed(data) == [Message(20, 0, 0, body)]


def test_delta_formats() -> None:
    reader = ChunkReader()
    first = wire(Message(20, 100, 7, b"ab"))
    second = b"\x43" + (10).to_bytes(3, "big") + (3).to_bytes(3, "big") + b"\x11" + b"cde"  # format 1
    third = b"\x83" + (5).to_bytes(3, "big") + b"fgh"  # format 2
    fourth = b"\xc3ijk"  # format 3 begins a message: the delta again
    found = reader.feed(first + second + third + fourth)
    assert [(one.kind, one.timestamp, one.stream_id, one.body) for one in found] == [
        (20, 100, 7, b"ab"),
        (17, 110, 7, b"cde"),
        (17, 115, 7, b"fgh"),
        (17, 120, 7, b"ijk"),
    ]


@pytest.mark.parametrize("basic", [b"\x00\x05", b"\x01\x05\x01"])
def test_long_chunk_stream_ids(basic: bytes) -> None:
    data = basic + bytes(3) + b"\x00\x00\x02\x14" + bytes(4) + b"hi"
    reader = ChunkReader()
    assert [one for byte in data for one in reader.feed(bytes((byte,)))] == [Message(20, 0, 0, b"hi")]


def test_interleaved_and_aborted() -> None:
    one = write_message(Message(20, 0, 0, b"a" * 200), 3, 128)
    other = write_message(Message(20, 0, 0, b"b" * 200), 4, 128)
    mixed = one[0] + one[1] + other[0] + other[1] + one[2] + one[3]
    reader = ChunkReader()
    assert reader.feed(mixed) == [Message(20, 0, 0, b"a" * 200)]
    reader.feed(wire(Message(2, 0, 0, (4).to_bytes(4, "big")), 2))
    again = Message(20, 0, 0, b"c")
    assert reader.feed(wire(again, 4)) == [again]


def test_bounds() -> None:
    with pytest.raises(BadChunk):
        ChunkReader().feed(b"\xc5" + bytes(20))
    with pytest.raises(BadChunk):
        ChunkReader().feed(b"\x03" + bytes(3) + (MAX_MESSAGE_BYTES + 1).to_bytes(3, "big") + bytes(20))
    reader = ChunkReader()
    with pytest.raises(BadChunk):
        for csid in range(200):
            reader.feed(b"\x00" + bytes((csid,)) + bytes(3) + b"\x00\x00\x01\x14" + bytes(4) + b"x")
