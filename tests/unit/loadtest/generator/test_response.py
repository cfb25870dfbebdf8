"""Responses, whole and byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.loadtest.generator import response
from headwater.loadtest.generator.response import ResponseError, ResponseReader

OK = b"HTTP/1.1 200 OK\r\nServer: x\r\nAge: 7\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"5;a=b\r\nhello\r\nA \r\n, world\r\n.\r\n0\r\nTrailer: 1\r\n\r\n"
)


def read(data: bytes, step: int, *, keep: bool = True) -> ResponseReader | None:
    """The reader, if the response was whole exactly at the end of `data`."""
    reader = ResponseReader()
    reader.expect(keep=keep)
    room = bytearray(step)
    whole = False
    for at in range(0, len(data), step):
        piece = data[at : at + step]
        room[: len(piece)] = piece
        if whole:
            raise ResponseError("more than the response")
        whole = reader.feed(memoryview(room)[: len(piece)])
    return reader if whole else None


@pytest.mark.parametrize("step", [1, 2, 7, 1_000])
def test_a_body_of_known_length(step: int) -> None:
    reader = read(OK, step)
    assert reader is not None
    assert reader.head is not None
    assert (reader.head.status, reader.head.age, reader.head.close) == (200, 7, False)
    assert (reader.body, reader.size) == (b"hello", 5)


@pytest.mark.parametrize("step", [1, 2, 7, 1_000])
def test_chunks(step: int) -> None:
    reader = read(CHUNKED, step)
    assert reader is not None
    assert reader.body == b"hello, world\r\n."


@pytest.mark.parametrize("step", [1, 1_000])
def test_a_body_that_is_counted_is_not_kept(step: int) -> None:
    reader = read(OK, step, keep=False)
    assert reader is not None
    assert (reader.body, reader.size) == (b"", 5)


@pytest.mark.parametrize("step", [1, 13, 1_000])
def test_interim_responses_are_left_out(step: int) -> None:
    reader = read(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK, step)
    assert reader is not None
    assert reader.body == b"hello"


def test_up_to_the_end_of_the_connection() -> None:
    reader = ResponseReader()
    reader.expect(keep=True)
    assert not reader.feed(memoryview(b"HTTP/1.0 200 OK\r\n\r\nhel"))
    assert not reader.feed(memoryview(b"lo"))
    assert reader.eof()
    assert reader.body == b"hello"
    assert reader.head is not None
    assert reader.head.close


@pytest.mark.parametrize("data", [b"", OK[:10], OK[:-1], CHUNKED[:-1]])
def test_a_connection_that_ends_too_early(data: bytes) -> None:
    reader = ResponseReader()
    reader.expect(keep=True)
    assert not data or not reader.feed(memoryview(data))
    assert not reader.eof()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n",
        b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0, 0\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_no_body(head: bytes) -> None:
    reader = read(head, 1_000)
    assert reader is not None
    assert reader.size == 0


@pytest.mark.parametrize(
    ("fields", "close"),
    [(b"", False), (b"Connection: keep-alive, Close\r\n", True), (b"connection: keep-alive\r\n", False)],
)
def test_whether_the_connection_goes_on(fields: bytes, close: bool) -> None:
    assert response.parse(b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 0").close is close


def test_one_reader_reads_many() -> None:
    reader = ResponseReader()
    for keep in (True, False, True):
        reader.expect(keep=keep)
        assert reader.feed(memoryview(CHUNKED))
        reader.expect(keep=keep)
        assert reader.feed(memoryview(OK))
        assert reader.body == (b"hello" if keep else b"")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5" + b" " * 300,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nbad\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * response.MAX_HEAD,
        OK + b"!",
        CHUNKED + b"!",
    ],
)
def test_what_is_no_response_is_refused(data: bytes) -> None:
    for step in (1 if len(data) < 1_000 else 97, len(data)):
        with pytest.raises(ResponseError):
            read(data, step)


def test_bodies_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response, "MAX_BODY", 4)
    monkeypatch.setattr(response, "MAX_KEPT", 3)
    response._heads.clear()
    with pytest.raises(ResponseError, match="too long"):
        read(OK, 1_000, keep=False)
    with pytest.raises(ResponseError, match="too long"):
        read(CHUNKED, 1, keep=True)


def test_heads_are_remembered_but_not_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response, "MAX_HEADS", 3)
    for length in range(10):
        assert response.recalled(b"HTTP/1.1 200 OK\r\nContent-Length: %d" % length).length == length
        assert len(response._heads) <= 3
    assert response.recalled(b"HTTP/1.1 200 OK\r\nContent-Length: 9") is response.recalled(
        b"HTTP/1.1 200 OK\r\nContent-Length: 9"
    )


@settings(max_examples=60, deadline=None)
@given(
    base=st.sampled_from([OK, CHUNKED]),
    at=st.integers(0, 90),
    what=st.binary(max_size=4),
    step=st.integers(1, 40),
)
def test_mutated_responses_read_the_same_in_pieces(base: bytes, at: int, what: bytes, step: int) -> None:
    data = base[:at] + what + base[at + len(what) :]

    def outcome(size: int) -> object:
        try:
            reader = read(data, size)
        except ResponseError:
            return "refused"
        return None if reader is None else (reader.head, reader.body)

    assert outcome(step) == outcome(len(data))
