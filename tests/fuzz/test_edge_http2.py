"""Garbage on an HTTP/2 connection: nothing raises, nothing grows without bound, nothing unclean goes upstream, and it
is the same whole or in pieces. `TEST_FUZZ=deep` runs 100,000 mutated conversations."""

from __future__ import annotations

import itertools
import random
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.h2_raw_kit import GET, HELLO, SETTINGS, Frame, Raw
from tests.profile import DEEP

from headwater.edge.http2 import frames
from headwater.edge.http2.block import TABLE_OFF
from headwater.edge.http2.connection import Connection
from headwater.edge.http2.frames import frame, header_frames
from headwater.edge.http2.hpack import TABLE_BYTES
from headwater.edge.keys import Target, read_target
from headwater.edge.message import Entity, Outcome

CASES = 100_000 if DEEP else 1_500


def seeds() -> list[bytes]:
    """Frames of whole conversations, each a list of its own dynamic table."""
    raw = Raw()
    post = [(":method", "POST"), *GET[1:], (":path", "/p")]
    found = [
        raw.headers(1, "/live/x/v/index.m3u8?_HLS_msn=5", ("accept-encoding", "gzip"), ("priority", "u=1, i")),
        raw.headers(3, "/a.mp4", ("range", "bytes=0-1"), ("if-none-match", '"a"'), ("user-agent", "p")),
        raw.block(5, post, ends=False) + frame(frames.DATA, 1, 5, b"hello"),
        raw.block(7, post, ends=False) + frame(frames.DATA, 8, 7, b"\x03hello\0\0\0") + raw.block(7, [("t", "1")]),
        raw.headers(9) + frames.reset(9, 8),
        header_frames(11, raw.encoder.encode([*GET, (":path", "/c"), ("x", "y" * 60)]), ends=True, most=16),
        raw.headers(13, "/a?CMCD=bl%3D1", ("cmcd-request", "bl=1")),
        frame(frames.PING, 0, 0, b"12345678") + SETTINGS + frame(frames.SETTINGS, 1, 0, b""),
        frames.settings({frames.INITIAL_WINDOW_SIZE: 3, frames.HEADER_TABLE_SIZE: 0, frames.MAX_FRAME_SIZE: 16_384}),
        frames.window_update(0, 1_000) + frames.window_update(1, 1_000),
        frame(frames.PRIORITY, 0, 3, b"\0\0\0\0\1") + frame(frames.PRIORITY_UPDATE, 0, 0, b"\0\0\0\1u=0"),
        frames.goaway(0, frames.Code.NO_ERROR, "bye"),
    ]
    raw.close()
    return found


def plain() -> list[bytes]:
    """Requests for paths, each readable by itself."""
    raw = Raw()
    raw.encoder.header_table_size = 0
    found = [
        raw.headers(21, "/a.mp4"),
        raw.headers(23, "/b.txt", ("accept-encoding", "gzip")),
        raw.headers(25, "/b.txt"),
        raw.headers(27, "/c"),
        raw.headers(29, "/a.mp4", ("range", "bytes=1-2")),
        raw.headers(31, "/a.mp4", ("if-none-match", '"a"')),
        raw.headers(33, "/nothing"),
    ]
    raw.close()
    return found


SEEDS, PLAIN = seeds(), plain()
TOKENS = [
    b"\0\0\0", b"\x00\x40\x00", b"\xff" * 9, b"\x82\x84\x87", b"\xbe", b"\x3f\xe1\x1f", b"\x20",
    b"\x00\x00\x00\x04\x01",
    b"\x7f\xff\xff\xff", b"\x80\0\0\1", frames.PREFACE, frame(frames.PRIORITY, 0, 1, b"\0\0\0\1\0"),
    b"\x40" + b"\x7f" * 8,
]  # fmt: skip

Sent = list[Frame]


def converse(pieces: list[bytes]) -> tuple[Sent, list[str]]:
    """What one connection is sent, and what went upstream."""
    raw = Raw()
    for piece in pieces:
        raw.send(piece)
        if raw.pipe.closing:
            break
    while raw.script.pending:
        raw.answer(raw.script.targets[0], b"body")
    assert len(raw.pipe.written) < 200_000
    session = raw.connection._session
    assert len(session.streams) <= 10
    assert session._decoder._size <= TABLE_BYTES
    assert len(session.reader._rest) <= frames.FRAME_BYTES + 9
    sent = raw.take()
    raw.step(1_000)
    seen = [request.target for request in raw.script.seen]
    raw.close()
    return sent, seen


def check(data: bytes, cuts: list[int]) -> None:
    """Whole and in pieces the same, nothing unclean upstream."""
    whole, seen = converse([data])
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces, seen_in_pieces = converse([data[a:b] for a, b in itertools.pairwise(edges)])
    for text in seen + seen_in_pieces:
        target = read_target(text.encode("ascii"))
        assert isinstance(target, Target)
        assert target.full == text
        assert not re.search(r"[\x00-\x20\x7f-\xff#\\]", text)
    # Where nothing was broken off, each stream is sent the same, however its content was cut.
    if not {frames.GOAWAY, frames.RST_STREAM} & {one.kind for one in whole + pieces}:
        assert essence(whole) == essence(pieces)
        assert sorted(seen) == sorted(seen_in_pieces)


def essence(sent: Sent) -> dict[int, tuple[bytes, bytes]]:
    """Stream -> its head and its content."""
    found: dict[int, tuple[bytes, bytes]] = {}
    for one in sent:
        head, content = found.get(one.stream, (b"", b""))
        if one.kind == frames.HEADERS:
            head += one.payload.removeprefix(TABLE_OFF)
        elif one.kind == frames.DATA:
            content += one.payload
        if one.stream:
            found[one.stream] = head, content
    return found


def mutate(dice: random.Random, data: bytes) -> bytes:
    """A few random changes."""
    out = bytearray(data)
    for _ in range(dice.randint(1, 5)):
        at = dice.randint(0, len(out))
        match dice.randint(0, 5):
            case 0:
                out[at:at] = dice.choice(TOKENS)
            case 1:
                del out[at : at + dice.randint(1, 12)]
            case 2 if out:
                out[at % len(out)] = dice.randint(0, 255)
            case 3:
                out[at:at] = dice.choice(SEEDS)
            case 4:
                out[at : at + 1] = bytes([dice.randint(0, 255)]) * dice.randint(1, 40)
            case _:
                out += dice.choice(SEEDS)
    return bytes(out)


def test_mutated_conversations() -> None:
    dice = random.Random(20_261_127)
    for _ in range(CASES):
        data = b"".join(dice.sample(SEEDS, dice.randint(1, len(SEEDS))))
        data = HELLO + mutate(dice, data) if dice.random() < 0.9 else mutate(dice, HELLO + data)
        check(data, [dice.randint(0, len(data)) for _ in range(3)])


def test_what_needs_no_stream_is_answered_as_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(20_261_130)
    for _ in range(CASES // 5):
        data = b"".join(dice.sample(SEEDS, dice.randint(0, 2)) + [one for one in PLAIN if dice.random() < 0.6])
        data = HELLO + (mutate(dice, data) if dice.random() < 0.7 else data)
        short = answers_from_the_store(data)
        with monkeypatch.context() as patched:
            patched.setattr(Connection, "plain", lambda *_: False)
            assert answers_from_the_store(data) == short, data


def answers_from_the_store(data: bytes) -> tuple[Sent, dict[Outcome, int]]:
    """What one connection is sent when everything is there."""
    raw = Raw(requests_per_s_per_address=3)
    for path, size, compress in (("/a.mp4", 5, False), ("/b.txt", 900, True), ("/c", 70_000, False)):
        fields = (("Content-Type", "text/plain"), ("ETag", '"a"'))
        entity = Entity(200, fields, b"x" * size, raw.now, lifetime=60, etag='"a"', compress=compress)
        raw.core.store.put(path, entity)
    raw.send(data)
    sent, counts = raw.take(), dict(raw.core.tally.requests)
    raw.close()
    return sent, counts


@given(st.lists(st.sampled_from([*SEEDS, *TOKENS]), max_size=8), st.lists(st.integers(0, 4_000), max_size=4))
@example([], [])
@example(SEEDS, [1, 30, 60])
def test_any_mixture(parts: list[bytes], cuts: list[int]) -> None:
    check(HELLO + b"".join(parts), cuts)


@given(
    st.lists(
        st.tuples(st.integers(0, 17), st.integers(0, 255), st.integers(0, 9), st.binary(max_size=60)),
        max_size=12,
    )
)
def test_any_frames(made: list[tuple[int, int, int, bytes]]) -> None:
    check(HELLO + b"".join(frame(*one) for one in made), [])


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    check(data, [3])
    check(HELLO + data, [40])
