"""For the edge's tests: one HTTP/2 connection without sockets, on a stepped clock, spoken to in frames."""

from __future__ import annotations

from dataclasses import dataclass

import hpack
from tests import h1_raw_kit as plain

from headwater.edge.caller import Caller
from headwater.edge.http2 import frames
from headwater.edge.http2.block import Blocks
from headwater.edge.http2.connection import Connection
from headwater.edge.listener import Limits

GET = [(":method", "GET"), (":scheme", "https"), (":authority", "edge")]
SETTINGS = frames.settings({})
HELLO = frames.PREFACE + SETTINGS


class Pipe(plain.Pipe):
    """One whose peer may stop reading."""

    def __init__(self) -> None:
        super().__init__()
        self.unsent = 0
        self.stuck = False
        self.protocol: Connection | None = None
        self.high = 1 << 20
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        super().write(data)
        if self.stuck:
            self.unsent += len(data)
            if self.unsent > self.high and self.protocol is not None:
                self.protocol.pause_writing()

    def read(self, count: int) -> None:
        """The peer takes bytes."""
        self.unsent -= min(count, self.unsent)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high or self.high

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        self.closing = self.aborted = True


@dataclass(frozen=True)
class Frame:
    """One frame that the edge sent."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def code(self) -> int:
        """Of RST_STREAM or GOAWAY."""
        return int.from_bytes(self.payload[-4:] if self.kind == frames.RST_STREAM else self.payload[4:8], "big")


class Raw(plain.Listening):
    """The connection and its peer."""

    def __init__(self, limits: Limits = plain.LIMITS, **guard: object) -> None:
        super().__init__(limits=limits, **guard)  # type: ignore[arg-type]
        callers = self.shared.callers
        caller = Caller(callers, "192.0.2.1", self.now)
        assert callers.guard.connect(caller.guest, 1, self.now) is None
        self.connection = Connection(self.core, self.shared, limits, Blocks(self.shared.wire), caller)
        self.pipe = Pipe()
        self.pipe.protocol = self.connection
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.read = 0
        self.connection.connection_made(self.pipe)

    def hello(self, **settings: int) -> Raw:
        """Preface and SETTINGS; what came in answer is dropped."""
        values = {getattr(frames, name): value for name, value in settings.items()}
        self.send(frames.PREFACE + frames.settings(values))
        assert [frame.kind for frame in self.take()] == [frames.SETTINGS, frames.SETTINGS]
        return self

    def send(self, data: bytes) -> Raw:
        self.connection.data_received(data)
        return self

    def headers(self, number: int, path: str = "/a", *more: tuple[str, str], ends: bool = True) -> bytes:
        block = self.encoder.encode([*GET, (":path", path), *more])
        return frames.header_frames(number, block, ends=ends, most=1 << 14)

    def block(self, number: int, fields: list[tuple[str, str]], *, ends: bool = True) -> bytes:
        return frames.header_frames(number, self.encoder.encode(fields), ends=ends, most=1 << 14)

    def get(self, number: int, path: str = "/a", *more: tuple[str, str]) -> Raw:
        return self.send(self.headers(number, path, *more))

    def take(self) -> list[Frame]:
        """Frames that came since the last look."""
        found = []
        while self.read < len(self.pipe.written):
            high, low, kind, flags, stream = frames.FRAME.unpack_from(self.pipe.written, self.read)
            end = self.read + 9 + (high << 8 | low)
            found.append(Frame(kind, flags, stream, bytes(self.pipe.written[self.read + 9 : end])))
            assert end <= len(self.pipe.written), "a frame is cut"
            self.read = end
        return found

    def fields(self, frame: Frame) -> dict[str, str]:
        """Of a HEADERS frame."""
        assert frame.kind == frames.HEADERS
        return {str(name): str(value) for name, value in self.decoder.decode(frame.payload)}

    def answer(self, target: str = "/a", body: bytes = b"body", **fields: str) -> None:
        """The upstream's."""
        self.script.answer(target, self.now, body, 200, **{"cache_control": "max-age=600", **fields})

    def step(self, seconds: float) -> None:
        """Time goes on; the sweep looks."""
        self.now += seconds
        if self.connection.deadline <= self.now:
            self.connection.overdue(self.now)

    @property
    def refused(self) -> dict[str, int]:
        return self.core.tally.refused

    def close(self) -> None:
        self.connection.connection_lost(None)
        assert self.core.tally.held == 0, "nothing waits for who is gone"
        assert self.shared.connections == 0
        self.loop.close()


def kinds(found: list[Frame]) -> list[int]:
    return [one.kind for one in found]


def body_of(found: list[Frame], stream: int) -> bytes:
    return b"".join(one.payload for one in found if one.kind == frames.DATA and one.stream == stream)


def ended(found: list[Frame]) -> list[int]:
    """Streams in the order in which they ended."""
    sent = (frames.DATA, frames.HEADERS)
    return [one.stream for one in found if one.kind in sent and one.flags & frames.END_STREAM]


def stored(raw: Raw, path: str, size: int, **fields: str) -> bytes:
    """An object in the store."""
    body = bytes(range(256)) * (size // 256 + 1)
    raw.get(1, path)
    raw.answer(path, body[:size], **fields)
    raw.send(frames.window_update(0, 1 << 20))
    raw.take()
    return body[:size]


def over(raw: Raw) -> int:
    """The connection is over: the code."""
    last = raw.take()[-1]
    assert last.kind == frames.GOAWAY
    assert raw.pipe.closing
    return last.code
