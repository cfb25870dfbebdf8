"""The RTMP chunk stream (rtmp_specification_1.0, 5.3) as a publisher needs it. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

MAX_MESSAGE_BYTES = 256 * 1024
"""Of a message to us. Why: a publisher is sent commands of a few hundred bytes; anything large is a mistake."""
MAX_CHUNK_STREAMS = 64
EXTENDED = 0xFFFFFF
HEADER_BYTES = (11, 7, 3, 0)
"""5.3.1.2: message header of chunk formats 0 to 3."""


class BadChunk(ValueError):
    """Bytes that are no RTMP, or more than a publisher takes."""


class Message(NamedTuple):
    """One message: type id, timestamp in ms (32 bit), message stream id, body."""

    kind: int
    timestamp: int
    stream_id: int
    body: bytes


def write_message(message: Message, csid: int, chunk_bytes: int) -> list[bytes]:
    """The message as chunks: format 0, then format 3. `csid` 2 to 63; the pieces are for one gathered write."""
    wide = message.timestamp >= EXTENDED
    extended = message.timestamp.to_bytes(4, "big") if wide else b""  # 5.3.1.3, repeated in format 3
    head = (
        bytes((csid,))
        + min(message.timestamp, EXTENDED).to_bytes(3, "big")
        + len(message.body).to_bytes(3, "big")
        + bytes((message.kind,))
        + message.stream_id.to_bytes(4, "little")
        + extended
    )
    if len(message.body) <= chunk_bytes:
        return [head, message.body]
    pieces = [head, message.body[:chunk_bytes]]
    again = bytes((0xC0 | csid,)) + extended
    for at in range(chunk_bytes, len(message.body), chunk_bytes):
        pieces += (again, message.body[at : at + chunk_bytes])
    return pieces


class _Header(NamedTuple):
    """A chunk header, complete; `time` is absolute in format 0, else a delta; `end` is where the payload begins."""

    form: int
    csid: int
    time: int
    size: int
    kind: int
    stream_id: int
    extended: bool
    end: int


@dataclass(slots=True)
class _ChunkStream:
    """What later chunk formats leave out (5.3.1.2), and the message under way."""

    size: int = 0
    kind: int = 0
    stream_id: int = 0
    timestamp: int = 0
    delta: int = 0
    extended: bool = False
    known: bool = False
    body: bytearray = field(default_factory=bytearray)
    under_way: bool = False


class ChunkReader:
    """Takes the server's chunks in any pieces, gives whole messages. Set Chunk Size and Abort are obeyed here."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._chunk_bytes = 128  # 5.4.1 default
        self._streams: dict[int, _ChunkStream] = {}

    def feed(self, data: bytes) -> list[Message]:
        """Messages completed by `data`, in order. Raises BadChunk; the reader is of no use after that."""
        self._buffer += data
        messages: list[Message] = []
        at = 0
        while (end := self._chunk(at, messages)) is not None:
            at = end
        del self._buffer[:at]
        return messages

    def _chunk(self, at: int, messages: list[Message]) -> int | None:
        """Reads one chunk at `at`; its end, or None when it is not all there yet (then nothing has changed)."""
        header = self._header(at)
        if header is None:
            return None
        stream = self._streams.get(header.csid) or _ChunkStream()
        goes_on = header.form == 3 and stream.under_way
        missing = header.size - (len(stream.body) if goes_on else 0)
        end = header.end + min(self._chunk_bytes, missing)
        if len(self._buffer) < end:
            return None
        if header.csid not in self._streams and len(self._streams) >= MAX_CHUNK_STREAMS:
            raise BadChunk("too many chunk streams")
        self._streams[header.csid] = stream
        if not goes_on:
            stream.body = bytearray()
            stream.timestamp = (header.time if header.form == 0 else stream.timestamp + header.time) & 0xFFFFFFFF
            # A format 3 that begins a message after a format 0 adds nothing: what senders do, whatever 5.3.1.2.4 says.
            stream.delta = 0 if header.form == 0 else header.time
        stream.size, stream.kind, stream.stream_id = header.size, header.kind, header.stream_id
        stream.extended, stream.known = header.extended, True
        stream.body += self._buffer[header.end : end]
        stream.under_way = len(stream.body) < header.size
        if not stream.under_way:
            self._complete(Message(header.kind, stream.timestamp, header.stream_id, bytes(stream.body)), messages)
        return end

    def _basic(self, at: int) -> tuple[int, int, int] | None:
        """5.3.1.1: format, chunk stream id, where the message header begins."""
        left = len(self._buffer) - at
        if left < 1:
            return None
        form, csid = self._buffer[at] >> 6, self._buffer[at] & 0x3F
        if csid > 1:
            return form, csid, at + 1
        if left < 2 + csid:
            return None
        if csid == 0:
            return form, 64 + self._buffer[at + 1], at + 2
        return form, 64 + self._buffer[at + 1] + 256 * self._buffer[at + 2], at + 3

    def _header(self, at: int) -> _Header | None:
        """The header at `at` with what it inherits; None when it is not all there yet."""
        basic = self._basic(at)
        if basic is None:
            return None
        form, csid, at = basic
        buffer, end = self._buffer, at + HEADER_BYTES[form]
        if len(buffer) < end:
            return None
        last = self._streams.get(csid) or _ChunkStream()
        if form == 3 and not last.known:
            raise BadChunk("a chunk continues what never began")
        time, size, kind, stream_id = last.delta, last.size, last.kind, last.stream_id
        if form <= 2:
            time = int.from_bytes(buffer[at : at + 3], "big")
        if form <= 1:
            size, kind = int.from_bytes(buffer[at + 3 : at + 6], "big"), buffer[at + 6]
        if form == 0:
            stream_id = int.from_bytes(buffer[at + 7 : at + 11], "little")
        # 5.3.1.3: format 3 has the field when the last header of its chunk stream had it.
        extended = last.extended if form == 3 else time == EXTENDED
        if extended:
            if len(buffer) < end + 4:
                return None
            if form <= 2:
                time = int.from_bytes(buffer[end : end + 4], "big")
            end += 4
        if size > MAX_MESSAGE_BYTES:
            raise BadChunk(f"a message of {size} bytes")
        return _Header(form, csid, time, size, kind, stream_id, extended, end)

    def _complete(self, message: Message, messages: list[Message]) -> None:
        if message.kind == 1 and len(message.body) >= 4:  # 5.4.1 Set Chunk Size, the top bit is zero
            self._chunk_bytes = max(1, int.from_bytes(message.body[:4], "big") & 0x7FFFFFFF)
        elif message.kind == 2 and len(message.body) >= 4:  # 5.4.2 Abort
            aborted = self._streams.get(int.from_bytes(message.body[:4], "big"))
            if aborted is not None:
                aborted.under_way = False
        else:
            messages.append(message)
