"""The RTMP chunk stream, both ways (RTMP 1.0 section 5.3). Sans-IO.

`ChunkReader` is the hot path of ingest: it works per chunk, never per byte. Payload is copied once when a
message lies in one chunk of one read, else twice (into the partial message, out of it when complete);
runs of small chunks take one copy more.
Between reads it keeps the partial messages and at most 17 bytes of an unfinished header.

Where senders differ from the specification, this is what is done:

extended timestamp on fmt 3
    Most senders repeat the four bytes on every fmt 3 chunk (section 5.3.1.3), old librtmp and others do
    not. They are taken for the field exactly when they equal the one of the header they belong to.
fmt 3 that starts a message after fmt 0
    Section 5.3.1.2.4 makes the absolute timestamp the delta; senders mean a delta of 0, which is used.
fmt 0, 1 or 2 in the middle of a message
    The unfinished message is dropped and another one starts.
fmt 1 on an unknown chunk stream
    The fields that are missing are 0. fmt 2 and 3 there are a loss of sync.
"""

from __future__ import annotations

from .errors import ChunkError, LimitExceeded
from .limits import MAX_CHUNK_SIZE, RtmpLimits
from .messages import MEDIA_TYPES, Message, MessageType

DEFAULT_CHUNK_SIZE = 128
"""Bytes, until SetChunkSize (RTMP 1.0 section 5.4.1)."""

EXTENDED = 0xFFFFFF
"""In the 24-bit timestamp: the real one follows in 32 bits."""

_HEADER_SIZE = (11, 7, 3, 0)
_INCOMPLETE = -1
_LONGEST_RUN = 256
"""Chunks looked ahead for a run: a bound on what a run that is broken at once can cost."""
_NONE = -1


class _ChunkStream:
    """The running header of one chunk stream, and its unfinished message."""

    __slots__ = ("again", "delta", "extended", "length", "missing", "partial", "stream_id", "timestamp", "type")

    def __init__(self, csid: int) -> None:
        self.again = bytes((0xC0 | csid,)) if csid < 64 else b""
        """Header of a fmt 3 chunk; empty when it is longer than one byte."""
        self.timestamp = 0
        self.delta = 0
        self.extended = _NONE
        """The extended timestamp field of the last header, or _NONE."""
        self.length = _NONE
        self.type = 0
        self.stream_id = 0
        self.partial = bytearray()
        self.missing = 0
        """Bytes until the message is complete; 0: none is under way."""


class ChunkReader:
    """Turns bytes into messages.

    SetChunkSize and Abort are obeyed here, at their place in the byte stream, and not handed out.

        reader.feed(data)
        while (message := reader.next_message()) is not None: ...

    A caller may stop asking at any message: what follows stays where it is.
    """

    def __init__(self, limits: RtmpLimits) -> None:
        self.chunk_size = DEFAULT_CHUNK_SIZE
        """Of the peer, bytes."""
        self.partial_bytes = 0
        """Bytes held in unfinished messages."""
        self._limits = limits
        self._streams: dict[int, _ChunkStream] = {}
        self._data = b""
        self._view = memoryview(self._data)
        self._at = 0
        self._current: _ChunkStream | None = None
        self._left = 0
        """Payload bytes that are still to come in the current chunk."""

    def feed(self, data: bytes) -> None:
        """Add bytes of the peer. What `next_message` has not consumed yet stays in front."""
        rest = self._data[self._at :]
        # A header cut by the end of a read: the one case of another copy.
        self._hold(rest + data if rest else data)

    def unread(self) -> bytes:
        """Give back what was fed and not consumed, and forget it."""
        rest = self._data[self._at :]
        self._hold(b"")
        return rest

    def _hold(self, data: bytes) -> None:
        self._data = data
        self._view = memoryview(data)
        self._at = 0

    def next_message(self) -> Message | None:
        """The next complete message, or None when the bytes at hand hold no further one.

        Raises:
            ChunkError: the chunk stream lost sync; the reader cannot be used any more.
            LimitExceeded: a message, their sum, or the number of chunk streams is too large.
        """
        while True:
            stream = self._current
            if stream is None:
                stream = self._open_chunk()
                if stream is None:
                    self._wait()
                    return None
            at = self._at
            take = min(self._left, len(self._data) - at)
            if take == stream.missing and not stream.partial:
                payload = self._data[at : at + take]
            else:
                if take == 0:
                    self._wait()
                    return None
                self._grow(stream, self._view[at : at + take])
                if take < stream.missing:
                    stream.missing -= take
                    self._left -= take
                    self._at = at + take
                    if self._left == 0:
                        self._current = None
                        self._take_run(stream)
                    continue
                payload = bytes(stream.partial)
                self._drop_partial(stream)
            self._at = at + take
            stream.missing = 0
            self._current = None
            if stream.type > MessageType.ABORT or not self._obey(stream.type, payload):
                return Message(stream.type, stream.timestamp, stream.stream_id, payload)

    def _wait(self) -> None:
        """Keep no read alive for the sake of the few bytes, or none, that are left of it."""
        self._hold(self._data[self._at :])

    def _take_run(self, stream: _ChunkStream) -> None:
        """Take the full fmt 3 chunks of `stream` that follow one another, up to the last chunk of its message.

        A sender that stays at 128 bytes makes 6000 chunks a second: they are taken by the run, not one by one.
        """
        size = self.chunk_size + 1
        at = self._at
        count = min((len(self._data) - at) // size, (stream.missing - 1) // self.chunk_size, _LONGEST_RUN)
        if count < 2 or stream.extended != _NONE:
            return
        heads = self._data[at : at + count * size : size]
        count -= len(heads.lstrip(stream.again))
        if count < 2:
            return
        run = bytearray(self._view[at : at + count * size])
        del run[::size]
        self._grow(stream, run)
        stream.missing -= len(run)
        self._at = at + count * size

    def _grow(self, stream: _ChunkStream, piece: memoryview | bytearray) -> None:
        self.partial_bytes += len(piece)
        if self.partial_bytes > self._limits.partial_bytes:
            raise LimitExceeded(f"more than {self._limits.partial_bytes} bytes of unfinished messages")
        stream.partial += piece

    def _drop_partial(self, stream: _ChunkStream) -> None:
        self.partial_bytes -= len(stream.partial)
        stream.partial = bytearray()
        stream.missing = 0

    def _obey(self, kind: int, payload: bytes) -> bool:
        """Act on SetChunkSize and Abort; False when the message is neither."""
        if kind == MessageType.SET_CHUNK_SIZE:
            if len(payload) < 4:
                raise ChunkError("SetChunkSize without a size")
            # RTMP 1.0 section 5.4.1: "The first bit MUST be zero"; some senders set it.
            size = int.from_bytes(payload[:4]) & 0x7FFFFFFF
            if not 1 <= size <= MAX_CHUNK_SIZE:
                raise ChunkError(f"chunk size {size} is outside 1..{MAX_CHUNK_SIZE}")
            self.chunk_size = size
            return True
        if kind == MessageType.ABORT:
            # RTMP 1.0 section 5.4.2: the partially received message of that chunk stream is discarded.
            aborted = self._streams.get(int.from_bytes(payload[:4]))
            if aborted is not None:
                self._drop_partial(aborted)
            return True
        return False

    def _open_chunk(self) -> _ChunkStream | None:
        """Parse the chunk header at the read position and enter its payload; None when it is incomplete."""
        data, at = self._data, self._at
        if at >= len(data):
            return None
        first = data[at]
        at += 1
        csid = first & 63
        # RTMP 1.0 section 5.3.1.1: 0 means one more byte, 1 means two more, least significant first.
        if csid < 2:
            if len(data) < at + 1 + csid:
                return None
            csid = 64 + data[at] + (data[at + 1] << 8 if csid else 0)
            at += 2 if first & 63 else 1
        stream = self._streams.get(csid) or self._add_stream(csid)
        fmt = first >> 6
        at = self._continue(stream, at) if fmt == 3 else self._header(stream, fmt, at)
        if at == _INCOMPLETE:
            return None
        self._at = at
        self._left = min(self.chunk_size, stream.missing)
        self._current = stream
        return stream

    def _add_stream(self, csid: int) -> _ChunkStream:
        if len(self._streams) >= self._limits.chunk_streams:
            raise LimitExceeded(f"more than {self._limits.chunk_streams} chunk streams")
        stream = self._streams[csid] = _ChunkStream(csid)
        return stream

    def _header(self, stream: _ChunkStream, fmt: int, at: int) -> int:
        """Read the message header of fmt 0, 1 or 2 at `at`; return the place after it or _INCOMPLETE."""
        data = self._data
        end = at + _HEADER_SIZE[fmt]
        if len(data) < end:
            return _INCOMPLETE
        field = int.from_bytes(data[at : at + 3])
        extended = _NONE
        if field == EXTENDED:
            if len(data) < end + 4:
                return _INCOMPLETE
            extended = field = int.from_bytes(data[end : end + 4])
            end += 4
        if stream.missing:
            self._drop_partial(stream)
        stream.extended = extended
        if fmt < 2:
            stream.length = int.from_bytes(data[at + 3 : at + 6])
            stream.type = data[at + 6]
        elif stream.length == _NONE:
            raise ChunkError("a chunk stream that starts without a full header")
        if fmt == 0:
            # RTMP 1.0 section 5.3.1.2.1: the message stream id is the one little-endian field.
            stream.stream_id = int.from_bytes(data[at + 7 : at + 11], "little")
            stream.timestamp = field
            stream.delta = 0
        else:
            stream.delta = field
            stream.timestamp = (stream.timestamp + field) & 0xFFFFFFFF
        self._start_message(stream)
        return end

    def _continue(self, stream: _ChunkStream, at: int) -> int:
        """Read what follows the basic header of fmt 3 at `at`; return the place after it or _INCOMPLETE."""
        if stream.length == _NONE:
            raise ChunkError("a chunk stream that starts without a full header")
        if stream.extended != _NONE:
            field = stream.extended.to_bytes(4)
            seen = self._data[at : at + 4]
            if seen == field:
                at += 4
            elif field.startswith(seen):
                # Too few bytes to tell; the first that differs ends the wait.
                return _INCOMPLETE
        if not stream.missing:
            stream.timestamp = (stream.timestamp + stream.delta) & 0xFFFFFFFF
            self._start_message(stream)
        return at

    def _start_message(self, stream: _ChunkStream) -> None:
        limit = self._limits.message_bytes if stream.type in MEDIA_TYPES else self._limits.command_bytes
        if stream.length > limit:
            raise LimitExceeded(f"a message of {stream.length} bytes; type {stream.type} may have {limit}")
        stream.missing = stream.length


class ChunkWriter:
    """Turns messages into chunks: one fmt 0 header each, fmt 3 for the rest of a long one."""

    def __init__(self) -> None:
        self.chunk_size = DEFAULT_CHUNK_SIZE
        """Of ours, bytes; change it right after SetChunkSize was written."""

    def write(self, csid: int, kind: MessageType, stream_id: int, payload: bytes) -> bytes:
        """One message as chunks. `csid`: 2..63. The timestamp is 0: nothing that a server sends is timed."""
        size = self.chunk_size
        header = bytes((csid, 0, 0, 0)) + len(payload).to_bytes(3) + bytes((kind,)) + stream_id.to_bytes(4, "little")
        out = header + payload[:size]
        for at in range(size, len(payload), size):
            out += bytes((0xC0 | csid,)) + payload[at : at + size]
        return out
