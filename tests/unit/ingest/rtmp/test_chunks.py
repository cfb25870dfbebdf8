"""The chunk stream: formats, ids, interleaving, extended timestamps, sizes, limits; whole and byte by byte."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.rtmp_client import (
    ABORT,
    AUDIO,
    COMMAND,
    SET_CHUNK_SIZE,
    VIDEO,
    Publisher,
    chunk_header,
    control,
    message,
    pieces,
)

from headwater.ingest.rtmp.chunks import ChunkReader, ChunkWriter
from headwater.ingest.rtmp.errors import ChunkError, CloseReason, LimitExceeded, RtmpError
from headwater.ingest.rtmp.limits import Limits
from headwater.ingest.rtmp.messages import MessageType

Seen = tuple[int, int, int, bytes]
PAYLOAD = bytes(range(256)) * 2


def read(data: bytes, size: int | None = None, limits: Limits | None = None) -> list[Seen]:
    """All messages of `data` fed in pieces of `size` (None: whole), as (type, timestamp, stream id, payload)."""
    reader = ChunkReader(limits or Limits())
    seen: list[Seen] = []
    for at in range(0, len(data), size or max(1, len(data))):
        reader.feed(data[at : at + size] if size else data)
        while (m := reader.next_message()) is not None:
            seen.append((m.type, m.timestamp, m.stream_id, m.payload))
    return seen


def both(data: bytes) -> list[Seen]:
    """The messages of `data`, which do not depend on how it is cut."""
    whole = read(data)
    for size in (1, 2, 3, 13, 100):
        assert read(data, size) == whole, f"in pieces of {size}"
    return whole


@pytest.mark.parametrize("csid", [2, 3, 63, 64, 65, 319, 320, 1000, 65599])
def test_every_chunk_stream_id(csid: int) -> None:
    assert both(message(VIDEO, PAYLOAD, timestamp=5, csid=csid, stream_id=1)) == [(VIDEO, 5, 1, PAYLOAD)]


def test_three_byte_form_of_a_small_id_is_the_same_stream() -> None:
    first = message(VIDEO, b"one", csid=70)
    header = chunk_header(320, 1, 7, 3, VIDEO, 0)  # the three-byte form, its id then patched to 70
    data = first + bytes([header[0], 6, 0]) + header[3:] + b"two"
    assert [seen[1] for seen in both(data)] == [0, 7]


def test_formats_add_their_deltas() -> None:
    data = (
        message(VIDEO, b"a" * 300, timestamp=1000, csid=6, stream_id=1)
        + message(VIDEO, b"b" * 200, timestamp=40, csid=6, fmt=1)
        + message(VIDEO, b"c" * 200, timestamp=41, csid=6, fmt=2)
        + message(VIDEO, b"d" * 200, csid=6, fmt=3)
        + message(VIDEO, b"e" * 200, csid=6, fmt=3)
    )
    assert [(s[1], s[2], s[3][:1]) for s in both(data)] == [
        (1000, 1, b"a"),
        (1040, 1, b"b"),
        (1081, 1, b"c"),
        (1122, 1, b"d"),
        (1163, 1, b"e"),
    ]


def test_format_3_as_a_message_after_format_0_has_delta_0() -> None:
    data = message(AUDIO, b"abc", timestamp=5000, csid=4) + message(AUDIO, b"def", csid=4, fmt=3)
    assert [seen[1] for seen in both(data)] == [5000, 5000]


def test_timestamps_wrap_at_32_bits() -> None:
    data = message(AUDIO, b"x", timestamp=0xFFFFFFF0, csid=4) + message(AUDIO, b"y", timestamp=0x20, csid=4, fmt=1)
    assert [seen[1] for seen in both(data)] == [0xFFFFFFF0, 0x10]


def test_interleaved_chunk_streams() -> None:
    video = pieces(VIDEO, b"v" * 500, timestamp=10, csid=6)
    audio = pieces(AUDIO, b"a" * 300, timestamp=11, csid=4)
    mixed = b"".join(piece for pair in zip(video, [*audio, b""], strict=True) for piece in pair)
    assert both(mixed) == [(AUDIO, 11, 0, b"a" * 300), (VIDEO, 10, 0, b"v" * 500)]


@pytest.mark.parametrize("repeat", [True, False])
@pytest.mark.parametrize("timestamp", [0xFFFFFF, 0x1000000, 16_790_000, 0x80000000])
def test_both_dialects_of_extended_timestamps(repeat: bool, timestamp: int) -> None:
    data = message(VIDEO, PAYLOAD, timestamp=timestamp, csid=6, repeat_extended=repeat)
    data += message(VIDEO, PAYLOAD, timestamp=40, csid=6, fmt=1)
    assert both(data) == [(VIDEO, timestamp, 0, PAYLOAD), (VIDEO, timestamp + 40, 0, PAYLOAD)]


@pytest.mark.parametrize("repeat", [True, False])
def test_extended_delta(repeat: bool) -> None:
    data = message(VIDEO, b"a", timestamp=1, csid=6)
    data += message(VIDEO, PAYLOAD, timestamp=0x1000000, csid=6, fmt=1, repeat_extended=repeat)
    assert [seen[1] for seen in both(data)] == [1, 0x1000001]
    assert both(data)[1][3] == PAYLOAD


@pytest.mark.parametrize("field", [b"", b"\x01\x00\x00\x00"])
def test_extended_timestamp_on_format_3_that_starts_a_message(field: bytes) -> None:
    data = message(AUDIO, b"\xaf\x01one", timestamp=0x1000000, csid=4)
    data += chunk_header(4, 3, 0, 0, 0, 0) + field + b"\xaf\x01two"
    assert both(data) == [(AUDIO, 0x1000000, 0, b"\xaf\x01one"), (AUDIO, 0x1000000, 0, b"\xaf\x01two")]


def test_a_last_short_piece_without_the_field_is_not_waited_for() -> None:
    payload = bytes(128) + b"\x27\x01"
    data = message(VIDEO, payload, timestamp=0x1000000, csid=6, repeat_extended=False)
    assert read(data) == [(VIDEO, 0x1000000, 0, payload)]


def test_extended_field_for_a_small_timestamp() -> None:
    assert both(message(VIDEO, PAYLOAD, timestamp=7, csid=6, extended=True)) == [(VIDEO, 7, 0, PAYLOAD)]


def test_chunk_size_changes_between_the_pieces_of_a_message() -> None:
    body = bytes(range(200))
    data = (
        chunk_header(6, 0, 9, 200, VIDEO, 1)
        + body[:128]
        + control(SET_CHUNK_SIZE, 30)
        + chunk_header(6, 3, 0, 0, 0, 0)
        + body[128:158]
        + control(SET_CHUNK_SIZE, 0x80000000 | 4096)  # the first bit is masked
        + chunk_header(6, 3, 0, 0, 0, 0)
        + body[158:]
    )
    assert both(data) == [(VIDEO, 9, 1, body)]


def test_control_messages_on_any_chunk_and_message_stream() -> None:
    data = message(SET_CHUNK_SIZE, (1000).to_bytes(4), csid=7, stream_id=1)
    data += message(VIDEO, PAYLOAD, csid=6, chunk_size=1000)
    assert both(data) == [(VIDEO, 0, 0, PAYLOAD)]


@pytest.mark.parametrize("size", [0, 0x80000000, 10 * 1024 * 1024 + 1, 0x7FFFFFFF])
def test_impossible_chunk_sizes(size: int) -> None:
    with pytest.raises(ChunkError, match="chunk size"):
        read(control(SET_CHUNK_SIZE, size))


def test_short_chunk_size() -> None:
    with pytest.raises(ChunkError):
        read(message(SET_CHUNK_SIZE, b"\x00\x01", csid=2))


def test_abort_drops_the_partial_message() -> None:
    partial = pieces(VIDEO, b"x" * 300, timestamp=3, csid=6)
    data = partial[0] + partial[1] + control(ABORT, 6) + message(VIDEO, b"new", timestamp=4, csid=6)
    assert both(data) == [(VIDEO, 4, 0, b"new")]
    assert both(control(ABORT, 99) + message(ABORT, b"\x00", csid=2)) == []


def test_a_full_header_inside_a_message_starts_another() -> None:
    data = pieces(VIDEO, b"x" * 300, csid=6)[0] + message(VIDEO, b"y" * 300, timestamp=8, csid=6)
    assert both(data) == [(VIDEO, 8, 0, b"y" * 300)]
    reader = ChunkReader(Limits())
    reader.feed(data)
    assert reader.next_message() is not None
    assert reader.partial_bytes == 0


@pytest.mark.parametrize("chunk_size", [1, 2, 128, 129])
@pytest.mark.parametrize("csid", [6, 64, 400])
@pytest.mark.parametrize("length", [1, 127, 128, 129, 256, 257, 2_500])  # the last one: several of the longest runs
def test_runs_of_small_chunks(chunk_size: int, csid: int, length: int) -> None:
    body = (bytes(range(0xC0, 0x100)) * 1000)[:length]  # full of bytes that look like fmt 3 headers
    size = b"" if chunk_size == 128 else control(SET_CHUNK_SIZE, chunk_size)
    one = message(VIDEO, body, timestamp=1, csid=csid, chunk_size=chunk_size)
    parts = pieces(VIDEO, body, timestamp=2, csid=csid, chunk_size=chunk_size)
    other = message(AUDIO, b"a", csid=9)
    broken = b"".join(parts[: len(parts) // 2]) + other + b"".join(parts[len(parts) // 2 :])
    expected = [(VIDEO, 1, 0, body), (AUDIO, 0, 0, b"a"), (VIDEO, 2, 0, body), (VIDEO, 1, 0, body)]
    data = size + one + broken + one
    assert read(data) == expected
    for step in (3, 97, 4096):
        assert read(data, step) == expected


def test_empty_messages() -> None:
    data = message(VIDEO, b"", timestamp=8, csid=6) + chunk_header(6, 3, 0, 0, 0, 0) + message(AUDIO, b"a", csid=4)
    assert both(data) == [(VIDEO, 8, 0, b""), (VIDEO, 8, 0, b""), (AUDIO, 0, 0, b"a")]


def test_format_1_on_a_fresh_chunk_stream() -> None:
    assert both(message(VIDEO, b"abc", timestamp=7, csid=6, fmt=1)) == [(VIDEO, 7, 0, b"abc")]


@pytest.mark.parametrize("fmt", [2, 3])
def test_other_formats_on_a_fresh_chunk_stream_are_lost_sync(fmt: int) -> None:
    with pytest.raises(ChunkError) as caught:
        read(chunk_header(6, fmt, 7, 0, 0, 0))
    assert caught.value.reason is CloseReason.PROTOCOL


def test_limits() -> None:
    limits = replace(Limits(), message_bytes=1000, command_bytes=100, partial_bytes=300, chunk_streams=3)
    read(message(VIDEO, bytes(1000), chunk_size=128), limits=replace(limits, partial_bytes=1000))
    cases = [
        message(VIDEO, bytes(1001)),
        message(COMMAND, bytes(101)),
        message(77, bytes(101)),
        b"".join(pieces(VIDEO, bytes(1000))[:3]),
        b"".join(pieces(VIDEO, bytes(200), csid=csid)[0] for csid in (4, 5, 6)),
        b"".join(message(AUDIO, b"a", csid=csid) for csid in (4, 5, 6, 7)),
    ]
    for data in cases:
        for size in (None, 1):
            with pytest.raises(LimitExceeded) as caught:
                read(data, size, limits)
            assert caught.value.reason is CloseReason.LIMIT
            assert isinstance(caught.value, RtmpError)


def test_partial_bytes_are_given_back() -> None:
    reader = ChunkReader(replace(Limits(), partial_bytes=1000))
    for number in range(50):
        for piece in pieces(VIDEO, bytes(900), timestamp=number, csid=6):
            reader.feed(piece)
            seen = reader.next_message()
        assert seen is not None
        assert reader.partial_bytes == 0


def test_a_caller_may_stop_and_take_the_rest() -> None:
    reader = ChunkReader(Limits())
    first, second = message(VIDEO, b"one", csid=6), message(VIDEO, b"two", csid=6)
    reader.feed(first + second)
    assert reader.next_message() is not None
    assert reader.unread() == second
    assert reader.next_message() is None
    reader.feed(second)
    again = reader.next_message()
    assert again is not None
    assert again.payload == b"two"


def test_a_read_is_not_kept_alive() -> None:
    reader = ChunkReader(Limits())
    data = message(VIDEO, bytes(100_000), csid=6, chunk_size=128)
    reader.feed(data + b"\x06")
    while reader.next_message() is not None:
        pass
    assert reader.unread() == b"\x06"


def test_writer_gives_what_a_client_reads() -> None:
    writer = ChunkWriter()
    long = bytes(range(256)) * 3
    data = writer.write(3, MessageType.COMMAND_AMF0, 1, long)
    client = Publisher(handshake=b"done")
    assert [(r.type, r.stream_id, r.payload) for r in client.receive(data)] == [(COMMAND, 1, long)]
    assert len(data) == 12 + len(long) + len(long) // 128 - 1
    writer.chunk_size = 4096
    assert len(writer.write(3, MessageType.COMMAND_AMF0, 1, long)) == 12 + len(long)
