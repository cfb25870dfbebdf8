"""What goes out: control frames at once, heads of answers next, DATA by urgency within the peer's windows. Sans-IO.

Bodies are shared: DATA frames are views of them. `out` is joined into one write by whoever owns the transport.
"""

from __future__ import annotations

from collections import deque

from .frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME,
    FRAME_BYTES,
    HEADERS,
    MAX_WINDOW,
    WINDOW_BYTES,
    Code,
    ConnectionFault,
    frame_head,
    reset,
)
from .stream import Stream

TURN_BYTES = 64 << 10
"""Of one stream before the next of the same urgency has its turn."""
SMALL_BYTES = 256
"""A DATA frame below this, because of a window, is a sign of a peer that makes work (CVE-2019-9511)."""
URGENCIES = 8


class Sender:
    """Of one connection."""

    __slots__ = (
        "_heads",
        "_queued",
        "_ready",
        "blocked",
        "dribbles",
        "frame_bytes",
        "initial",
        "out",
        "room",
        "sent",
        "window",
    )

    def __init__(self) -> None:
        self.out: list[bytes | memoryview] = []
        self.window = WINDOW_BYTES
        """Of the connection (section 6.9)."""
        self.initial = WINDOW_BYTES
        """Of new streams."""
        self.frame_bytes = FRAME_BYTES
        """The peer's largest payload, as far as it is used."""
        self.sent = 0
        """Bytes of content so far."""
        self.dribbles = 0
        """DATA frames that a window made small, since somebody looked."""
        self.blocked: dict[int, Stream] = {}
        """Streams that wait for their own window."""
        self.room = 0
        """Bytes that may go out in this turn of the loop."""
        self._queued = 0
        """Streams in `_ready`."""
        self._heads: deque[Stream] = deque()
        self._ready: tuple[deque[Stream], ...] = tuple(deque() for _ in range(URGENCIES))

    @property
    def waiting(self) -> bool:
        """Something can be sent as soon as there is room."""
        return bool(self._heads) or (self._queued > 0 and self.window > 0)

    @property
    def stuck(self) -> bool:
        """Content waits for the connection's window."""
        return self.window <= 0 and self._queued > 0

    def answer(self, stream: Stream) -> None:
        """Its head, and what is at hand of its content, are there."""
        self._heads.append(stream)

    def send_whole(self, number: int, block: bytes, body: bytes | memoryview, window: int) -> bool:
        """Put a whole answer into `out`, when nobody is before it and all windows allow; whether it was done.

        `window`: of its stream, which ends with it.
        """
        size, length = len(body), len(block)
        if self._heads or self._queued or size > self.window or size > window or size >= self.room:
            return False
        if length > self.frame_bytes:
            return False
        flags = END_HEADERS if size else END_HEADERS | END_STREAM
        self.out.append(FRAME.pack(length >> 8, length & 255, HEADERS, flags, number))
        self.out.append(block)
        self.room -= size + length
        if size:
            self._put(number, memoryview(body), 0, size, ends=True)
        return True

    def grown(self, stream: Stream) -> None:
        """There may be more of its content, or its end."""
        if not stream.queued and not stream.blocked and stream.head is None and not stream.dead:
            self._queue(stream)

    def widen(self, stream: Stream, increment: int) -> bool:
        """A stream's window grew; False: beyond what is allowed."""
        stream.window += increment
        if stream.blocked and stream.window > 0:
            stream.blocked = False
            del self.blocked[stream.id]
            self._queue(stream)
        return stream.window <= MAX_WINDOW

    def widen_all(self, increment: int) -> None:
        """The connection's window grew. Raises ConnectionFault (section 6.9.1)."""
        self.window += increment
        if self.window > MAX_WINDOW:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "the connection's window is too large")

    def forget(self, stream: Stream) -> None:
        """It is closed: no queue keeps it."""
        if stream.blocked:
            stream.blocked = False
            self.blocked.pop(stream.id, None)
        elif stream.queued:
            stream.queued = False
            self._queued -= 1
            for queue in self._ready:
                if stream in queue:
                    queue.remove(stream)
        elif stream.head is not None:
            self._heads.remove(stream)

    def _queue(self, stream: Stream) -> None:
        stream.queued = True
        self._queued += 1
        self._ready[stream.urgency].append(stream)

    def pump(self) -> list[Stream]:
        """Put about `room` bytes into `out`; the streams whose answers are now sent."""
        done: list[Stream] = []
        heads, out = self._heads, self.out
        while heads and self.room > 0:
            stream = heads.popleft()
            assert stream.head is not None  # what is closed is not kept
            out.append(stream.head)
            self.room -= len(stream.head)
            stream.head = None
            if not stream.body and not stream.more:
                done.append(stream)
            else:
                self._queue(stream)
        for queue in self._ready:
            while queue and self.room > 0 and self.window > 0:
                self.room -= self._turn(queue, done, self.room)
        return done

    def _turn(self, queue: deque[Stream], done: list[Stream], room: int) -> int:
        """Let the first one of `queue` send; how many bytes."""
        stream = queue.popleft()
        stream.queued = False
        self._queued -= 1
        rest = len(stream.body) - stream.position
        if not rest and stream.more:
            stream.refill()
            rest = len(stream.body) - stream.position
        if not rest:
            self._dry(stream, done)
            return 0
        if stream.window <= 0:
            stream.blocked = True
            self.blocked[stream.id] = stream
            return 0
        amount = min(rest, stream.window, self.window, room, TURN_BYTES)
        if amount < SMALL_BYTES and amount < rest and amount < room:
            self.dribbles += 1
        self._cut(stream, amount)
        if amount == rest and not stream.more:
            done.append(stream)
        elif stream.incremental:
            self._queue(stream)
        else:
            stream.queued = True
            self._queued += 1
            queue.appendleft(stream)
        return amount

    def _cut(self, stream: Stream, amount: int) -> None:
        """DATA frames of the next `amount` bytes of what is at hand."""
        position, stop = stream.position, stream.position + amount
        ends = stop == len(stream.body) and not stream.more
        self._put(stream.id, stream.body, position, stop, ends=ends)
        stream.position = stop
        stream.window -= amount
        stream.sent += amount

    def _put(self, number: int, body: memoryview, position: int, stop: int, *, ends: bool) -> None:
        """DATA frames of `body` from `position` to `stop`; `ends`: the stream ends with the last of them."""
        out, most, amount = self.out, self.frame_bytes, stop - position
        while position < stop:
            cut = min(position + most, stop)
            last = END_STREAM if ends and cut == stop else 0
            out.append(frame_head(DATA, last, number, cut - position))
            out.append(body[position:cut])
            position = cut
        self.window -= amount
        self.sent += amount

    def _dry(self, stream: Stream, done: list[Stream]) -> None:
        """Nothing is at hand: it waits for more, or that was all."""
        if stream.more:
            return
        if stream.broken:
            self.out.append(reset(stream.id, Code.INTERNAL_ERROR))
            stream.ended = True  # no second reset
        else:
            self.out.append(frame_head(DATA, END_STREAM, stream.id, 0))
        done.append(stream)
