"""The chunk reader against itself: how the bytes are cut changes nothing, whatever they are."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profile import DEEP
from tests.rtmp_client import SET_CHUNK_SIZE, control, message, pieces

from headwater.ingest.rtmp.chunks import ChunkReader
from headwater.ingest.rtmp.errors import RtmpError
from headwater.ingest.rtmp.limits import Limits

EXAMPLES = 5_000 if DEEP else 100

pytestmark = pytest.mark.timeout(3_600 if DEEP else 120)
LIMITS = Limits(message_bytes=5_000, command_bytes=2_000, partial_bytes=9_000, chunk_streams=8)
Seen = tuple[int, int, int, bytes] | str


def read(data: bytes, cuts: list[int]) -> list[Seen]:
    """The messages of `data` cut at `cuts`; a failure is the last element."""
    reader = ChunkReader(LIMITS)
    seen: list[Seen] = []
    try:
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            reader.feed(data[start:end])
            while (m := reader.next_message()) is not None:
                seen.append((m.type, m.timestamp, m.stream_id, m.payload))
    except RtmpError as error:
        seen.append(type(error).__name__)
    return seen


def every_cut(data: bytes, seed: int) -> None:
    whole = read(data, [])
    assert read(data, list(range(1, len(data)))) == whole
    dice = random.Random(seed)
    assert read(data, sorted(dice.choices(range(len(data) + 1), k=5))) == whole


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[Seen], bytes]:
    """Interleaved messages of several chunk streams with one chunk size, and what they should give."""
    size = draw(st.sampled_from([1, 2, 3, 16, 128, 1_000]))
    dice = random.Random(draw(st.integers(0, 1 << 32)))
    queues = []
    for csid in draw(st.lists(st.sampled_from([3, 6, 62, 64, 400]), min_size=1, max_size=3, unique=True)):
        body = bytes(dice.choices((0xC0 | csid & 63, 0, dice.randrange(255)), k=draw(st.integers(1, 600))))
        stamp = draw(st.sampled_from([0, 5, 0xFFFFFE, 0xFFFFFF, 0x1234567]))
        repeat = draw(st.booleans())
        parts = pieces(9, body, timestamp=stamp, csid=csid, chunk_size=size, repeat_extended=repeat)
        queues.append((parts, (9, stamp, 0, body)))
    data = control(SET_CHUNK_SIZE, size)
    expected: list[Seen] = []
    while queues:
        queue = dice.choice(queues)
        parts, result = queue
        count = dice.choice((1, 1, 5, 300))
        data += b"".join(parts[:count])
        del parts[:count]
        if not parts:
            queues.remove(queue)
            expected.append(result)
    # Without the extended timestamp field, a last byte that could be its first one is decided by what follows.
    return [*expected, (8, 1, 0, b"end")], data + message(8, b"end", timestamp=1, csid=9, chunk_size=size)


@settings(max_examples=EXAMPLES, deadline=None)
@given(conversations(), st.integers(0, 1 << 16))
def test_interleaved_messages(conversation: tuple[list[Seen], bytes], seed: int) -> None:
    expected, data = conversation
    assert read(data, []) == expected
    every_cut(data, seed)


@settings(max_examples=EXAMPLES, deadline=None)
@given(conversations(), st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=4))
def test_damaged_messages(conversation: tuple[list[Seen], bytes], damage: list[tuple[int, int]]) -> None:
    data = bytearray(conversation[1])
    for at, value in damage:
        data[at % len(data)] = value
    every_cut(bytes(data), len(data))
