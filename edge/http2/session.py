"""The frames of one connection (RFC 9113): bytes in, requests to its host, answers out. Sans-IO.

What makes work without being a request (resets, PING, SETTINGS, empty frames, tiny windows, what is not known) has a
budget (`control.NOISE_PER_S`); who exceeds it is told ENHANCE_YOUR_CALM and closed (CVE-2019-9511 to 9518,
CVE-2023-44487, CVE-2025-8671).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from headwater.edge.fields import MAX_BODY_BYTES, again, body_too_large
from headwater.edge.message import Entity

from . import frames
from .block import READY_BYTES, TABLE_OFF
from .control import Control
from .fields import Asked, Field, Malformed, Repeat, check_trailers, decoder, read_request, repeat_of
from .frames import FRAME_BYTES, WINDOW_BYTES, Code, ConnectionFault, StreamFault
from .hpack import HpackError
from .reader import Reader
from .sender import SMALL_BYTES
from .stream import Stream

MAX_BLOCK_FRAMES = 16
"""HEADERS and CONTINUATION of one header block. Why: one is usual; empty ones must not go on for ever."""
MAX_KNOWN, MAX_KNOWN_BYTES = 16, 1_500
"""HEADERS that are remembered with what they ask for, and their payload's size. Why: whoever reloads a playlist, or a
part of the same name, says the same again."""
_WHOLE = frozenset(frames.END_HEADERS | frames.END_STREAM | more for more in (0, frames.WITH_PRIORITY))
"""Flags of a request in one frame without padding."""
_ON_NOBODY = (b"\x00\x00\x00\x00", b"\x80\x00\x00\x00")
"""Dependency on stream 0, exclusive or not: how browsers begin their HEADERS."""


class Host(Protocol):
    """Who owns the connection."""

    def requested(self, stream: Stream) -> None:
        """A request is whole."""

    def plain(self, number: int, asked: Asked) -> bool:
        """Answer a whole request for a path (`Asked.plain`) without a stream of its own; False: it needs one."""

    def refused(self, stream: Stream, entity: Entity, reason: str) -> None:
        """A request is answered without the core."""

    def count(self, reason: str) -> None:
        """A stream or the connection was refused; `reason` is one of a fixed set of words."""


class _Nobody:
    """Owns connections that are over: no cycle stays for the collector."""

    def requested(self, stream: Stream) -> None:
        """Nothing to do; likewise below."""

    def plain(self, number: int, asked: Asked) -> bool:
        """Nobody is there to be answered."""
        return False

    def refused(self, stream: Stream, entity: Entity, reason: str) -> None:
        """Nobody is there to be answered."""

    def count(self, reason: str) -> None:
        """It was counted."""


class Session(Control):
    """Of one connection; every method that takes `now` wants monotonic seconds."""

    def __init__(self, host: Host, *, header_bytes: int, streams: int, now: float) -> None:
        """`streams`: the most that are open at once."""
        super().__init__(now)
        self.over: ConnectionFault | None = None
        """Nothing is read any more."""
        self.reader = Reader(self._frame)
        self._host: Host = host
        self._header_bytes = header_bytes
        self._most = streams
        self._decoder = decoder()
        self._block: tuple[int, bool, bool] | None = None
        """A header block that is not whole: its stream, END_STREAM, whether it depends on itself."""
        self._pieces = bytearray()
        self._block_frames = 0
        self._known: dict[bytes, tuple[int, Asked]] = {}
        """Whole requests by the payload of their HEADERS, with its flags; as long as the decoder is at `_version`."""
        self.repeats: dict[bytes, Repeat] = {}
        """Those that ask for a path and nothing else."""
        self._version = 0
        self._receive = WINDOW_BYTES
        self.sender.out.append(
            frames.settings(
                {
                    frames.MAX_CONCURRENT_STREAMS: streams,
                    frames.MAX_HEADER_LIST_SIZE: header_bytes,
                    frames.NO_RFC7540_PRIORITIES: 1,
                }
            )
        )

    @property
    def partial(self) -> bool:
        """Part of the preface, of a frame or of a header block has come, or nothing at all yet."""
        return self.reader.partial or not self._settled or self._block is not None

    # -- in

    def feed(self, data: bytes, now: float) -> None:
        """Take what came."""
        if self.over is not None:
            return
        self._now = now
        try:
            self.reader.feed(data)
            if self.sender.dribbles:
                self._look_at_dribbles()
        except ConnectionFault as fault:
            self.fail(fault)

    # -- what is answered without being read (`repeat.Repeating`)

    def lull(self) -> int:
        """Bytes of content that may be sent in answer to `repeats`, as the next streams; 0: something else goes on."""
        sender = self.sender
        if self.streams or self.going or self.over is not None or self.partial or self._table_off or sender.out:
            return 0
        return max(0, sender.window) if sender.initial >= READY_BYTES else 0

    def _frame(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if self._block is not None or not self._settled:
            self._check_order(kind, flags, number)
        form = _KINDS.get(kind)
        try:
            if form is None:  # section 4.1: what is not known is ignored
                self._make_noise()
                return
            take, on_stream, length, least = form
            if (on_stream is True and number == 0) or (on_stream is False and number != 0):
                raise ConnectionFault(Code.PROTOCOL_ERROR, "a frame on a stream, or on stream 0, where it may not be")
            if len(payload) < least or (length and len(payload) != length):
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a frame of another length than its type has")
            take(self, flags, number, payload)
        except StreamFault as fault:
            self._host.count("h2-" + fault.code.name.lower().replace("_", "-"))
            self.reset(fault.stream, fault.code)
            self._make_noise()

    def _check_order(self, kind: int, flags: int, number: int) -> None:
        """Sections 3.4 and 4.3."""
        if self._block is not None and (kind != frames.CONTINUATION or number != self._block[0]):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a header block goes on in CONTINUATION")
        if not self._settled and (kind != frames.SETTINGS or flags & frames.ACK):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "the first frame is SETTINGS")

    # -- requests

    def _headers(self, flags: int, number: int, payload: bytes) -> None:
        if number % 2 == 0:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "HEADERS on a stream that no client opens")
        known = self._known.get(payload)
        if known is not None and known[0] == flags and number > self._last:
            self._open(number, known[1], ends=True, itself=False)
            return
        prioritized = bool(flags & frames.WITH_PRIORITY)
        whole, payload = payload, frames.unpadded(flags, payload, 5 if prioritized else 0)
        itself = False
        if prioritized:
            if len(payload) < 5:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "HEADERS shorter than its priority")
            itself = frames.number(payload) == number
            payload = payload[5:]
        ends = bool(flags & frames.END_STREAM)
        if flags & frames.END_HEADERS:
            version = self._decoder.version
            asked = self._whole_block(number, payload, ends=ends, itself=itself)
            if asked is not None and version == self._decoder.version and ends and not asked.length:
                self._remember(flags, whole, asked)
        else:
            self._block = (number, ends, itself)
            self._pieces = bytearray(payload)
            self._block_frames = 1

    def _continuation(self, flags: int, number: int, payload: bytes) -> None:
        if self._block is None:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "CONTINUATION of nothing")
        self._pieces += payload
        self._block_frames += 1
        # The decoder's state is lost with a block that is not read, so the connection is too (section 4.3).
        if len(self._pieces) > 2 * self._header_bytes + FRAME_BYTES or self._block_frames > MAX_BLOCK_FRAMES:
            self._host.count("h2-headers")
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "a header block without an end")
        if flags & frames.END_HEADERS:
            number, ends, itself = self._block
            block = bytes(self._pieces)
            self._block, self._pieces = None, bytearray()
            self._whole_block(number, block, ends=ends, itself=itself)

    def _whole_block(self, number: int, block: bytes, *, ends: bool, itself: bool) -> Asked | None:
        """What is asked for, when it is a request."""
        try:
            fields, whole = self._decoder.decode(block, self._header_bytes)
        except HpackError as error:
            raise ConnectionFault(Code.COMPRESSION_ERROR, str(error)) from None
        if self._decoder.version != self._version:  # the same bytes mean something else now
            self._version = self._decoder.version
            self._forget()
        try:
            if number in self.streams:
                self._trailers(self.streams[number], fields, ends=ends)
            elif number > self._last:
                self._last = number
                asked = read_request(fields, whole=whole, header_bytes=self._header_bytes)
                self._open(number, asked, ends=ends, itself=itself)
                return asked
            elif number not in self._reset:
                # Section 5.1.1: a number below the last one that was never used is none that may come
                code = Code.STREAM_CLOSED if number in self._closed else Code.PROTOCOL_ERROR
                raise ConnectionFault(code, "HEADERS on a stream that is closed")
            else:
                self._make_noise()  # it may not know yet that the stream was reset
        except Malformed as error:
            raise StreamFault(number, Code.PROTOCOL_ERROR, str(error)) from None
        return None

    def _remember(self, flags: int, payload: bytes, asked: Asked) -> None:
        """A whole request, unless what it depends on may be itself when it comes again."""
        if len(payload) > MAX_KNOWN_BYTES or flags not in _WHOLE:
            return
        if flags & frames.WITH_PRIORITY and payload[:4] not in _ON_NOBODY:
            return
        if len(self._known) >= MAX_KNOWN:
            self._forget()
        self._known[payload] = flags, asked
        if asked.plain is not None:
            start = frames.before_stream(frames.HEADERS, flags, len(payload))
            self.repeats[payload] = repeat_of(start, asked.plain, gzip=asked.request.gzip)

    def _forget(self) -> None:
        self._known.clear()
        self.repeats.clear()

    def _open(self, number: int, asked: Asked, *, ends: bool, itself: bool) -> None:
        self._last = number
        if self.going:  # section 6.8: it is for another connection
            self._make_noise()
            return
        if itself:
            raise StreamFault(number, Code.PROTOCOL_ERROR, "a stream that depends on itself")
        if len(self.streams) >= self._most:
            raise StreamFault(number, Code.REFUSED_STREAM, "too many streams")
        if ends and asked.length:
            raise Malformed("content that is not there")
        if ends and asked.plain is not None and not self._table_off and self._host.plain(number, asked):
            self._closed.append(number)
            return
        request = again(asked.request, asked.request.target)  # the core changes it
        stream = Stream(number, asked, request, self.sender.initial, WINDOW_BYTES, self._now)
        self.streams[number] = stream
        stream.ended = ends
        if not ends:
            self.unfinished[number] = stream
        if asked.length is not None and asked.length > MAX_BODY_BYTES:
            self._too_large(stream)
        elif ends:
            self._whole_request(stream)

    def _trailers(self, stream: Stream, fields: list[Field], *, ends: bool) -> None:
        if stream.ended:
            raise StreamFault(stream.id, Code.STREAM_CLOSED, "HEADERS behind the end")
        if not ends:
            raise Malformed("trailers that do not end the request")
        check_trailers(fields)
        self._finish(stream)

    def _data(self, flags: int, number: int, payload: bytes) -> None:
        data = frames.unpadded(flags, payload)
        length = len(payload)
        self._receive -= length
        if self._receive < 0:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "more DATA than the connection's window")
        if self._receive < WINDOW_BYTES // 2:  # content is dropped at once
            self.sender.out.append(frames.window_update(0, WINDOW_BYTES - self._receive))
            self._receive = WINDOW_BYTES
        if not data and not flags & frames.END_STREAM:
            self._make_noise()
        stream = self.streams.get(number)
        if stream is None:
            if self._idle(number):
                raise ConnectionFault(Code.PROTOCOL_ERROR, "DATA on an idle stream")
            if number in self._reset or self.going:
                if length < SMALL_BYTES:
                    self._make_noise()
                return
        if stream is None or stream.ended:
            raise StreamFault(number, Code.STREAM_CLOSED, "DATA behind the end")
        self._content(stream, length, len(data), ends=bool(flags & frames.END_STREAM))

    def _content(self, stream: Stream, length: int, data: int, *, ends: bool) -> None:
        stream.receive -= length
        if stream.receive < 0:
            raise StreamFault(stream.id, Code.FLOW_CONTROL_ERROR, "more DATA than the stream's window")
        stream.received += data
        if stream.asked.length is not None and stream.received > stream.asked.length:
            raise StreamFault(stream.id, Code.PROTOCOL_ERROR, "more content than Content-Length")
        if stream.received > MAX_BODY_BYTES and not stream.replied:
            self._too_large(stream)
        elif ends:
            self._finish(stream)
        elif stream.receive < WINDOW_BYTES // 2:
            self.sender.out.append(frames.window_update(stream.id, WINDOW_BYTES - stream.receive))
            stream.receive = WINDOW_BYTES

    def _finish(self, stream: Stream) -> None:
        """The request is whole."""
        if stream.asked.length not in (None, stream.received):
            raise StreamFault(stream.id, Code.PROTOCOL_ERROR, "less content than Content-Length")
        stream.ended = True
        self.unfinished.pop(stream.id, None)
        if not stream.replied:
            self._whole_request(stream)

    def _whole_request(self, stream: Stream) -> None:
        asked = stream.asked
        if asked.entity is not None:
            self._host.refused(stream, asked.entity, asked.reason)
        else:
            self._host.requested(stream)

    def _too_large(self, stream: Stream) -> None:
        self._host.refused(stream, body_too_large(), "body")

    # -- out

    def answer(self, stream: Stream, block: bytes) -> None:
        """Send `block` and the content that the stream has."""
        stream.replied = True
        if self._table_off:
            block, self._table_off = TABLE_OFF + block, False
        whole = stream.ended and not stream.more
        if whole and self.sender.send_whole(stream.id, block, stream.body, stream.window):
            del self.streams[stream.id]
            self._closed.append(stream.id)
            stream.close()  # its place in a growing body too
            return
        ends = not stream.body and not stream.more
        stream.head = frames.header_frames(stream.id, block, ends=ends, most=self.sender.frame_bytes)
        self.sender.answer(stream)

    def pump(self) -> None:
        """Move answers into `sender.out`, about as much as there is room for."""
        for stream in self.sender.pump():
            if not stream.ended:  # section 8.1: the rest of the request is not wanted
                self.reset(stream.id, Code.NO_ERROR)
            else:
                self._drop(stream.id)

    def go(self) -> None:
        """GOAWAY: what is open goes on, nothing new is taken (section 6.8)."""
        if not self.going and self.over is None:
            self.sender.out.append(frames.goaway(self._last, Code.NO_ERROR))
        self.going = True

    def fail(self, fault: ConnectionFault) -> None:
        """End the connection for `fault`."""
        self.over = fault
        self._host.count("h2-" + fault.code.name.lower().replace("_", "-"))
        self.sender.out.append(frames.goaway(self._last, fault.code, str(fault)))
        self.close()

    def close(self) -> None:
        """Forget all streams."""
        for number in list(self.streams):
            self._drop(number)
        self.reader.close()
        self._host = _Nobody()


_Take = Callable[[Session, int, int, bytes], None]
_KINDS: dict[int, tuple[_Take, bool | None, int, int]] = {
    frames.DATA: (Session._data, True, 0, 0),
    frames.HEADERS: (Session._headers, True, 0, 0),
    frames.PRIORITY: (Session._priority, True, 0, 0),
    frames.RST_STREAM: (Session._rst_stream, True, 4, 4),
    frames.SETTINGS: (Session._settings, False, 0, 0),
    frames.PUSH_PROMISE: (Session._push_promise, True, 0, 0),
    frames.PING: (Session._ping, False, 8, 8),
    frames.GOAWAY: (Session._goaway, False, 0, 8),
    frames.WINDOW_UPDATE: (Session._window_update, None, 4, 4),
    frames.CONTINUATION: (Session._continuation, True, 0, 0),
    frames.PRIORITY_UPDATE: (Session._priority_update, False, 0, 4),
}
"""Frames: who takes them, whether they are a stream's (None: either), their length (0: any) and the least one."""
