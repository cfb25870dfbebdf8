"""An upstream's body on its way: gathered whole, or handed on piece by piece once that is worth it.

Worth it: more than `STREAM_LEAST` bytes, announced or come, or not whole within `PATIENCE_S` of the head. Anything else
is gathered: one answer, one write. Belongs to the running loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp

from .message import Arriving, UpstreamAnswer

STREAM_LEAST = 64 << 10
"""Bytes. Why: as many go into one read, so there is nothing to gain below."""
PATIENCE_S = 0.005
"""Why: less than viewers notice, and more than a small answer needs that an upstream writes in two pieces."""


class TooLarge(Exception):
    """The body is larger than may be gathered."""


class Relay:
    """The body of the answer `head`, `length` bytes of it where that is known. It is a `growing.Flow` too.

    `deadline` ends the transfer; once the body is handed on, each piece has `stall_s`. `stopped` says whether the
    request was cancelled meanwhile: nothing is handed on then. `most`: bytes that may be gathered.
    """

    def __init__(
        self,
        arriving: Arriving | None,
        head: UpstreamAnswer,
        length: int | None,
        *,
        most: int,
        deadline: asyncio.Timeout,
        stall_s: float,
        stopped: Callable[[], bool],
    ) -> None:
        self._arriving = arriving
        self._head = head
        self._length = length
        self._most = most
        self._deadline = deadline
        self._stall_s = stall_s
        self._stopped = stopped
        self._loop = asyncio.get_running_loop()
        self._gathered: list[bytes] = []
        self._size = 0
        self._taker: Arriving | None = None
        self._may_go = asyncio.Event()
        self._may_go.set()

    async def body(self, content: aiohttp.StreamReader) -> bytes:
        """Take in `content`; all of it, or nothing when it was handed on. Raises TooLarge, or what reading does."""
        timer = None
        if self._arriving is not None:
            if (self._length or 0) > STREAM_LEAST:
                self._offer()
            else:
                timer = self._loop.call_later(PATIENCE_S, self._offer)
        try:
            if self._taker is None and (self._length or 0) > self._most:
                raise TooLarge
            async for piece in content.iter_any():
                await self._came(piece)
        finally:
            if timer is not None:
                timer.cancel()
        pieces = self._gathered
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _came(self, piece: bytes) -> None:
        if self._taker is None:
            self._gathered.append(piece)
            self._size += len(piece)
            if self._size > STREAM_LEAST:
                self._offer()
            if self._taker is None and self._size > self._most:
                raise TooLarge
        else:
            self._hand_on(self._taker, piece)
        if self._stopped():
            await asyncio.sleep(0)  # the task was cancelled from within: this is where it ends
        if not self._may_go.is_set():
            self._deadline.reschedule(None)  # it is not the upstream that is slow
            await self._may_go.wait()
            self._deadline.reschedule(self._loop.time() + self._stall_s)

    def _offer(self) -> None:
        """Ask whether the body is wanted as it comes; once."""
        arriving, self._arriving = self._arriving, None
        if arriving is None or self._stopped() or not arriving.head(self._head, self._length, self):
            return
        self._taker = arriving
        self._deadline.reschedule(self._loop.time() + self._stall_s)
        gathered, self._gathered = self._gathered, []
        for piece in gathered:
            self._hand_on(arriving, piece)

    def _hand_on(self, taker: Arriving, piece: bytes) -> None:
        if not self._stopped():
            now = self._loop.time()
            if self._may_go.is_set():
                self._deadline.reschedule(now + self._stall_s)
            taker.piece(piece, now)

    # -- growing.Flow

    def pause(self) -> None:
        """Read no further for now."""
        self._may_go.clear()

    def resume(self) -> None:
        """Read on."""
        self._may_go.set()
