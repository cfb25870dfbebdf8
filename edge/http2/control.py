"""What belongs to a connection as a whole: settings, windows, open streams, and how much noise it may make. Sans-IO."""

from __future__ import annotations

from collections import deque

from headwater.edge.guard import Bucket

from . import frames
from .fields import priority
from .frames import FRAME_BYTES, Code, ConnectionFault, StreamFault
from .hpack import TABLE_BYTES
from .sender import SMALL_BYTES, Sender
from .stream import Stream

NOISE_PER_S = 100.0
"""What a connection may send that is no request, in bursts of twice as many. Why: a player that changes its mind resets
some streams a second; a flood is thousands."""
MAX_REMEMBERED = 256
"""Closed streams: those that were reset here, about which the peer may not know yet, and the others."""


class Control:
    """The part of a session that knows no requests."""

    def __init__(self, now: float) -> None:
        self.sender = Sender()
        self.streams: dict[int, Stream] = {}
        """Open ones."""
        self.unfinished: dict[int, Stream] = {}
        """Those whose request is not whole."""
        self.going = False
        """GOAWAY was sent, or came: no new stream is taken."""
        self._now = now
        self._last = 0
        self._reset: deque[int] = deque(maxlen=MAX_REMEMBERED)
        self._closed: deque[int] = deque(maxlen=MAX_REMEMBERED)
        self._noise = Bucket(NOISE_PER_S, now)
        self._table_off = False
        """The peer has to be told that our table is empty."""
        self._settled = False
        """The peer's first SETTINGS came."""

    @property
    def last(self) -> int:
        """The newest stream that was opened."""
        return self._last

    def repeated(self, last: int, sent: int) -> None:
        """The streams up to `last`, none left out, have come and were answered with `sent` bytes of content in all."""
        self._closed.extend(range(max(self._last, last - 2 * MAX_REMEMBERED) + 2, last + 1, 2))
        self._last = last
        self.sender.window -= sent
        self.sender.sent += sent

    def _make_noise(self) -> None:
        if not self._noise.take(self._now):
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "too much that is no request")

    def _look_at_dribbles(self) -> None:
        for _ in range(min(self.sender.dribbles, 1_000)):
            self._make_noise()
        self.sender.dribbles = 0

    def _idle(self, number: int) -> bool:
        """Nothing was opened by this number yet; even ones would be ours."""
        return number > self._last or number % 2 == 0

    def _priority(self, flags: int, number: int, payload: bytes) -> None:
        """Section 5.3.2: tolerated, and not obeyed."""
        self._make_noise()
        if len(payload) != 5:
            raise StreamFault(number, Code.FRAME_SIZE_ERROR, "PRIORITY has 5 bytes")
        if frames.number(payload) == number:
            raise StreamFault(number, Code.PROTOCOL_ERROR, "a stream that depends on itself")

    def _rst_stream(self, flags: int, number: int, payload: bytes) -> None:
        if self._idle(number):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "RST_STREAM on an idle stream")
        self._drop(number)
        self._make_noise()

    def _settings(self, flags: int, number: int, payload: bytes) -> None:
        if flags & frames.ACK:
            if payload:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "an acknowledgement is empty")
            self._make_noise()
            return
        self._make_noise()
        values = frames.read_settings(payload)
        self._settled = True
        sender = self.sender
        if values.get(frames.HEADER_TABLE_SIZE, TABLE_BYTES) < TABLE_BYTES:
            self._table_off = True
        if (window := values.get(frames.INITIAL_WINDOW_SIZE)) is not None:
            change, sender.initial = window - sender.initial, window
            for stream in self.streams.values():
                if not sender.widen(stream, change):
                    raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "a stream's window is too large")
        # More than the default would only make each frame longer to wait for.
        sender.frame_bytes = min(values.get(frames.MAX_FRAME_SIZE, sender.frame_bytes), FRAME_BYTES)
        sender.out.append(frames.frame(frames.SETTINGS, frames.ACK, 0, b""))

    def _push_promise(self, flags: int, number: int, payload: bytes) -> None:
        raise ConnectionFault(Code.PROTOCOL_ERROR, "PUSH_PROMISE from a client")

    def _ping(self, flags: int, number: int, payload: bytes) -> None:
        self._make_noise()
        if not flags & frames.ACK:
            self.sender.out.append(frames.frame(frames.PING, frames.ACK, 0, payload))

    def _goaway(self, flags: int, number: int, payload: bytes) -> None:
        self._make_noise()
        self.going = True

    def _window_update(self, flags: int, number: int, payload: bytes) -> None:
        increment = frames.number(payload)
        if increment < SMALL_BYTES:
            self._make_noise()
        if number == 0:
            if increment == 0:
                raise ConnectionFault(Code.PROTOCOL_ERROR, "a window that grows by 0")
            self.sender.widen_all(increment)
            return
        stream = self.streams.get(number)
        if stream is None:
            if self._idle(number):
                raise ConnectionFault(Code.PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream")
            self._make_noise()
            return
        if increment == 0:
            raise StreamFault(number, Code.PROTOCOL_ERROR, "a window that grows by 0")
        if not self.sender.widen(stream, increment):
            raise StreamFault(number, Code.FLOW_CONTROL_ERROR, "the stream's window is too large")

    def _priority_update(self, flags: int, number: int, payload: bytes) -> None:
        """RFC 9218 section 7.1."""
        meant = frames.number(payload)
        if meant == 0:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "PRIORITY_UPDATE for stream 0")
        self._make_noise()
        stream = self.streams.get(meant)
        if stream is not None:
            stream.urgency, stream.incremental = priority(payload[4:])

    def reset(self, number: int, code: Code) -> None:
        """RST_STREAM."""
        self.sender.out.append(frames.reset(number, code))
        self._reset.append(number)
        self._drop(number)

    def _drop(self, number: int) -> None:
        stream = self.streams.pop(number, None)
        if stream is not None:
            self._closed.append(number)
            self.unfinished.pop(number, None)
            self.sender.forget(stream)
            stream.close()
