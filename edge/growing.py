"""A body that still grows, shared by all who read it. Sans-IO.

    upstream ── append ──> pieces ──> Reader, one per viewer, each at its own place ── take ──> its connection
        ^── pause, resume (Flow): only for what is too large to be kept whole

What will be kept is held whole anyway, so every reader may take its time and late ones begin at the start. What is too
large (`bound`) loses pieces that everybody has passed; the upstream waits for the quickest reader, never for a
slow one, and whoever falls too far behind the newest byte is cut off.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Protocol, cast

SMALL_BYTES = 4 << 10
"""Pieces of a bounded body are joined up to this. Why: it may go on for days, a few bytes at a time."""
SPARE_PIECES = 256
"""Of a bounded body, pieces that were given up and still have a place in `pieces`."""
AHEAD_BYTES = 1 << 20
"""Of a bounded body, how much is read ahead of the quickest reader. Why: a hundredth of a second at 1 Gbit/s."""


class Flow(Protocol):
    """The upstream's side: whether more may come now."""

    def pause(self) -> None:
        """Read no further for now. Idempotent, as is `resume`."""

    def resume(self) -> None:
        """Read on."""


class Growing:
    """One body while it comes. `length`: of all of it, where the upstream says that."""

    def __init__(self, length: int | None) -> None:
        self.pieces: list[bytes] = []
        """What came. Only appended to, but for a bounded body: what all have passed goes, small pieces are joined."""
        self.length = length
        self.ended = False
        """Whole."""
        self.broken = False
        """Ended short: nothing more comes, and what came must not look whole."""
        self.size = 0
        """Bytes that came."""
        self.kept_from = 0
        """Bytes before this are not here any more."""
        self._starts: list[int] = []
        self._dropped = 0
        self._window: int | None = None
        self._flow: Flow | None = None
        self._paused = False
        self._readers: dict[Reader, None] = {}
        self._watchers: dict[object, Callable[[], None]] = {}

    @property
    def readers(self) -> int:
        """Who takes bytes, or watches, now."""
        return len(self._readers) + len(self._watchers)

    @property
    def over(self) -> bool:
        """Nothing more comes."""
        return self.ended or self.broken

    # -- who reads

    def read(self, wake: Callable[[], None], start: int = 0, end: int | None = None) -> Reader:
        """Begin to take the bytes from `start` (not before `kept_from`) up to `end`; `wake` is called at each change.

        Raises ValueError when they are not here any more.
        """
        if start < self.kept_from:
            raise ValueError("these bytes are not here any more")
        reader = Reader(self, wake, start, end)
        self._readers[reader] = None
        return reader

    def watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have `wake` called at each change, until what is returned is called.

        Bytes are taken with `read`. Whoever takes them from `pieces` itself keeps all of them here, and a bounded
        body that grows past its bound ends broken then.
        """
        token = object()
        self._watchers[token] = wake

        def cancel() -> None:
            self._watchers.pop(token, None)

        return cancel

    # -- who fills

    def append(self, piece: bytes) -> None:
        """More came."""
        if self.over or not piece:
            return
        bounded = self._window is not None and not self._watchers
        if bounded and self._dropped < len(self.pieces) and len(self.pieces[-1]) < SMALL_BYTES:
            self.pieces[-1] += piece
        else:
            self._starts.append(self.size)
            self.pieces.append(piece)
        self.size += len(piece)
        self._wake()  # first: who keeps up is not behind
        if self._window is not None and not self.over:
            self._keep_bounded(self._window + len(piece))

    def finish(self, *, broken: bool = False) -> None:
        """Nothing more comes. Idempotent."""
        if not self.over:
            self.ended, self.broken = not broken, broken
            self._flow = None
            self._wake()

    def bound(self, window: int, flow: Flow | None) -> None:
        """From now on keep what readers have yet to take, and of the rest a quarter of `window`, for who comes soon.

        No reader may be `window` bytes and a piece behind.
        """
        self._window = window
        self.use(flow)

    def use(self, flow: Flow | None) -> None:
        """The upstream request that fills it from now on."""
        self._flow, self._paused = flow, False
        if self._window is not None:
            self._keep_bounded(self._window)

    def whole(self) -> bytes:
        """All of it as one; only while nothing was dropped."""
        assert not self.kept_from
        return self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)

    # -- inside

    def at(self, position: int) -> tuple[int, int]:
        """Which piece has the byte at `position`, and where that piece starts."""
        index = bisect_right(self._starts, position) - 1
        return index, self._starts[index]

    def moved(self) -> None:
        """A reader took bytes, or left."""
        if self._window is not None and not self.over:
            self._drop_passed()
            self._pace()

    def forget(self, reader: Reader) -> None:
        """A reader left."""
        if self._readers.pop(reader, reader) is None:
            self.moved()

    def _keep_bounded(self, window: int) -> None:
        if self._watchers and self.size - self.kept_from > window:
            self.finish(broken=True)
            return
        for reader in [each for each in self._readers if self.size - each.position > window]:
            reader.cut = True
            del self._readers[reader]
            reader.wake()
        self._drop_passed()
        self._pace()

    def _drop_passed(self) -> None:
        if self._watchers:
            return
        low = min((reader.position for reader in self._readers), default=self.size)
        spared = (self._window or 0) // 4
        while self._dropped < len(self.pieces) and self.size - self.kept_from > spared:
            end = self._starts[self._dropped] + len(self.pieces[self._dropped])
            if end > low:
                break
            self.pieces[self._dropped] = b""
            self._dropped += 1
            self.kept_from = end
        if self._dropped > SPARE_PIECES:
            del self.pieces[: self._dropped], self._starts[: self._dropped]
            self._dropped = 0

    def _pace(self) -> None:
        if self._flow is None or self._watchers:
            return
        ahead = self.size - max((reader.position for reader in self._readers), default=self.size)
        if not self._paused and ahead > AHEAD_BYTES:
            self._paused = True
            self._flow.pause()
        elif self._paused and ahead < AHEAD_BYTES // 2:
            self._paused = False
            self._flow.resume()

    def _wake(self) -> None:
        for wake in [*(reader.wake for reader in self._readers), *self._watchers.values()]:
            wake()


class Reader:
    """One viewer's place in a growing body."""

    __slots__ = ("_end", "_growing", "cut", "position", "wake")

    def __init__(self, growing: Growing, wake: Callable[[], None], start: int, end: int | None) -> None:
        self._growing = growing
        self._end = end
        self.wake = wake
        self.position = start
        """Of the next byte that it takes."""
        self.cut = False
        """It fell too far behind: bytes that it has not taken are gone."""

    @property
    def done(self) -> bool:
        """It has all that it wants."""
        end = self._growing.length if self._end is None else self._end
        if end is None:
            return self._growing.ended and self.position >= self._growing.size
        return self.position >= end

    @property
    def here(self) -> bool:
        """Nothing that it wants is yet to come."""
        end = self._growing.length if self._end is None else self._end
        return self._growing.over or (end is not None and self._growing.size >= end)

    @property
    def lost(self) -> bool:
        """What it still wants will never come."""
        if self.cut:
            return True
        return self._growing.over and self.position >= self._growing.size and not self.done

    def take(self, most: int) -> list[bytes | memoryview]:
        """The next bytes, about `most` of them at most; none: wait for `wake`, or look at `done` and `lost`."""
        growing, taken = self._growing, []
        end = growing.size if self._end is None else min(self._end, growing.size)
        if self.cut or self.position >= end:
            return []
        index, start = growing.at(self.position)
        stop = min(end, self.position + most)
        while self.position < stop:
            piece: bytes | memoryview = growing.pieces[index]
            first, last = self.position - start, min(stop - start, len(piece))
            if first or last < len(piece):
                piece = memoryview(piece)[first:last]
            taken.append(piece)
            start += len(growing.pieces[index])
            self.position += last - first
            index += 1
        growing.moved()
        return taken

    def cancel(self) -> None:
        """It takes no more. Idempotent."""
        self._growing.forget(self)


def finished(body: bytes | memoryview) -> Growing:
    """A body that is all there, for who writes it in steps."""
    growing = Growing(len(body))
    growing.append(cast(bytes, body))  # a view will do: nothing is joined to a body without a bound
    growing.finish()
    return growing


__all__ = ["AHEAD_BYTES", "Flow", "Growing", "Reader", "finished"]
