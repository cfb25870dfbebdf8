"""Reads HTTP/1.1 responses to GET: status, length, age, and the body, kept or only counted. Sans-IO, strict, bounded.

A head is parsed once for all connections that get the same bytes: thousands of viewers do, within one second of `Date`.
That is what makes it faster than llhttp, whose callbacks cost a call per field of each response.

RFC 9110, RFC 9112.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_HEAD = 32 << 10
USUAL_HEAD = 1 << 10
"""Looked at first: what follows it is most often a body, which is not worth a copy."""
MAX_BODY = 64 << 20
"""Of a body that is counted."""
MAX_KEPT = 16 << 20
"""Of a body that is kept: the longest playlist that is read."""
MAX_LINE = 256
"""Of a chunk's size with its extensions."""
MAX_HEADS = 4_096
"""Heads that are remembered. Why: far more than differ within a second; a second is all they are good for."""

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [^\x00-\x08\x0a-\x1f\x7f]*)?\Z")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)\Z")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\Z")
_DECIMAL = re.compile(rb"[0-9]{1,12}\Z")


class ResponseError(Exception):
    """What came is no response, or more than is taken."""


@dataclass(frozen=True, slots=True)
class Head:
    """What of a head is needed."""

    status: int
    length: int | None
    """Of the body; None: up to the end of the connection, unless chunked."""
    chunked: bool
    close: bool
    """The connection ends after it."""
    age: int


def parse(head: bytes) -> Head:
    """Read a head without its last CRLF CRLF. Raises ResponseError."""
    first, *lines = head.split(b"\r\n")
    status = _STATUS.match(first)
    if status is None:
        raise ResponseError("bad status line")
    code = int(status[2])
    lengths: set[bytes] = set()
    codings: list[bytes] = []
    options: set[bytes] = set()
    age = 0
    for line in lines:
        field = _FIELD.match(line)
        if field is None:
            raise ResponseError("bad field")
        name, value = field[1].lower(), field[2].rstrip(b" \t")
        if name == b"content-length":
            lengths.update(item.strip() for item in value.split(b","))
        elif name == b"transfer-encoding":
            codings.append(value.lower())
        elif name == b"connection":
            options.update(item.strip() for item in value.lower().split(b","))
        elif name == b"age" and _DECIMAL.match(value):
            age = int(value)
    close = b"close" in options or (status[1] == b"0" and b"keep-alive" not in options)
    return Head(code, _length(code, lengths, codings), bool(codings), close, age)


def _length(status: int, lengths: set[bytes], codings: list[bytes]) -> int | None:
    if status < 200 or status in (204, 304):  # RFC 9112, 6.3: no body
        return 0
    if codings:
        # 6.1: both is how responses are smuggled
        if codings != [b"chunked"] or lengths:
            raise ResponseError("bad Transfer-Encoding")
        return None
    if not lengths:
        return None
    length = lengths.pop()
    if lengths or not _DECIMAL.match(length):
        raise ResponseError("bad Content-Length")
    if int(length) > MAX_BODY:
        raise ResponseError("the body is too long")
    return int(length)


_heads: dict[bytes, Head] = {}


def recalled(head: bytes) -> Head:
    """`parse`, remembered."""
    found = _heads.get(head)
    if found is None:
        if len(_heads) >= MAX_HEADS:
            _heads.clear()
        found = _heads[head] = parse(head)
    return found


class ResponseReader:
    """The response to one request after the other: `expect`, then `feed` until it says that the response is whole."""

    __slots__ = ("_before", "_chunks", "_keep", "_most", "_pieces", "body", "head", "size")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._before = b""
        """Of a head, when it came in pieces."""
        self._chunks: Chunks | None = None
        self.expect(keep=False)

    def expect(self, *, keep: bool) -> None:
        """A request was sent; `keep` the body of its response."""
        self.head: Head | None = None
        self.body = b""
        self.size = 0
        """Of the body so far."""
        self._keep = keep
        self._most = MAX_KEPT if keep else MAX_BODY
        if self._before:
            self._before = b""
        if self._pieces:
            self._pieces = []
        self._chunks = None

    def feed(self, data: memoryview) -> bool:
        """Bytes came; they are not used after the call. True: the response is whole. Raises ResponseError."""
        head = self.head
        if head is None:
            start = self._read_head(data)
            if start < 0:
                return False
            data = data[start:]
            head = self.head
            assert head is not None
        if self._chunks is not None:
            return self._feed_chunks(self._chunks, data)
        self._take(data)
        length = head.length
        if length is None or self.size < length:
            return False
        if self.size > length:
            raise ResponseError("more than the response")
        return self._whole()

    def eof(self) -> bool:
        """The connection ended: whether that makes the response whole."""
        head = self.head
        if head is None or head.length is not None or self._chunks is not None:
            return False
        return self._whole()

    def _whole(self) -> bool:
        pieces = self._pieces
        if pieces:
            self.body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return True

    def _take(self, data: memoryview) -> None:
        size = len(data)
        if size:
            self.size += size
            if self.size > self._most:
                raise ResponseError("the body is too long")
            if self._keep:
                self._pieces.append(bytes(data))

    def _read_head(self, data: memoryview) -> int:
        """Where the body begins in `data`; -1: not yet."""
        before = self._before
        had = len(before)
        text = bytes(data[:USUAL_HEAD])
        if had or text.find(b"\r\n\r\n") < 0:
            text = before + bytes(data[:MAX_HEAD])
        while True:
            at = text.find(b"\r\n\r\n")
            if at < 0:
                if len(text) >= MAX_HEAD:
                    raise ResponseError("the head is too long")
                self._before = text
                return -1
            head = recalled(text[:at])
            at += 4
            if head.status >= 200:
                break
            if head.status == 101:
                raise ResponseError("switched protocols")
            text = text[at:]  # RFC 9110, 15.2: an interim response
            had -= at
        self._before = b""
        self.head = head
        if head.chunked:
            self._chunks = Chunks()
        return at - had

    def _feed_chunks(self, chunks: Chunks, data: memoryview) -> bool:
        for piece in chunks.feed(data):
            self._take(piece)
        return self._whole() if chunks.done else False


class Chunks:
    """The chunked coding (RFC 9112, 7.1)."""

    __slots__ = ("_left", "_line", "_trailer", "done")

    def __init__(self) -> None:
        self._line = b""
        """Of a line that is not whole."""
        self._left = 0
        """Bytes of the chunk, and then the two of its CRLF."""
        self._trailer = -1
        """Bytes of the trailer section so far; -1: before it."""
        self.done = False

    def feed(self, data: memoryview) -> list[memoryview]:
        """Pieces of the body. Raises ResponseError, also for what follows the end."""
        found: list[memoryview] = []
        while len(data):
            if self.done:
                raise ResponseError("more than the response")
            if self._left > 2:
                size = min(len(data), self._left - 2)
                found.append(data[:size])
                self._left -= size
            elif self._left:
                if data[0] != b"\r\n"[2 - self._left]:
                    raise ResponseError("a chunk without its end")
                self._left -= 1
                size = 1
            else:
                size = self._read_line(data)
            data = data[size:]
        return found

    def _read_line(self, data: memoryview) -> int:
        """Add to the line; how many bytes were taken."""
        text = bytes(data[: MAX_LINE + 2])
        at = text.find(b"\n")
        size = len(text) if at < 0 else at + 1
        self._line += text[:size]
        if len(self._line) > MAX_LINE + 2:
            raise ResponseError("a line is too long")
        if at >= 0:
            line, self._line = self._line, b""
            if not line.endswith(b"\r\n"):
                raise ResponseError("a line without CR")
            self._end_line(line[:-2])
        return size

    def _end_line(self, line: bytes) -> None:
        if self._trailer >= 0:
            self._trailer += len(line)
            if self._trailer > MAX_HEAD or (line and not _FIELD.match(line)):
                raise ResponseError("bad trailer")
            self.done = not line
            return
        chunk = _CHUNK.match(line)
        if chunk is None:
            raise ResponseError("bad chunk size")
        size = int(chunk[1], 16)
        if size:
            self._left = size + 2
        else:
            self._trailer = 0
