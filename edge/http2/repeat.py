"""Requests that a connection repeats: answered without being read, as long as nothing else goes on there.

    read by the session ──> nothing is open, nothing waits ──> `_arm`: so many bytes may go out unseen
    known bytes, next stream, in the store ──> one write, and one number each to remember
    anything else ──> `_settle`: the session is told what went out, and reads

Why apart from the session: with thousands of connections what a request touches of its own connection is in no cache
of the processor, and takes longer to come than to be worked on. Here that is one object.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from weakref import ref

from headwater.edge.caller import Caller
from headwater.edge.core import Core
from headwater.edge.guard import Guest
from headwater.edge.listener import NEVER, Limits, Shared
from headwater.edge.message import Outcome
from headwater.edge.repeats import form_of

from .block import Blocks, Ready
from .fields import Repeat
from .frames import BEFORE_STREAM, HEAD_BYTES
from .session import Session

_HIT = Outcome.HIT  # to look it up in an Enum takes as long as to count it


class Repeating(asyncio.Protocol, ABC):
    """What `connection.Connection` does before it reads."""

    __slots__ = (
        "_blocks", "_caller", "_core", "_edition", "_guest", "_idle_since", "_last", "_lent", "_limits", "_repeats",
        "_room", "_session", "_shared", "_transport", "_written", "deadline",
    )  # fmt: skip

    def __init__(
        self, core: Core, shared: Shared, limits: Limits, blocks: Blocks, caller: Caller, session: Session
    ) -> None:
        self._core = core
        self._edition = core.edition
        self._shared = shared
        self._limits = limits
        self._blocks = blocks
        self._caller: Caller | None = caller
        self._guest: Guest = caller.guest
        self._transport: asyncio.Transport | None = None
        self._session = session
        self._repeats = session.repeats
        self._room = self._lent = 0
        """Bytes of content that may go out unseen; how many that were when it was armed. 0: it is not."""
        self._last = 0
        """The newest stream, while it is armed."""
        self._written = 0
        self._idle_since = shared.clock()
        self.deadline = NEVER
        """Monotonic seconds at which the sweep calls `overdue`."""

    def data_received(self, data: bytes) -> None:
        """Bytes of frames."""
        repeat = self._repeats.get(data[HEAD_BYTES:])
        if repeat is None or not self._answered(repeat, data):
            self._settle()
            self._read(data)

    @abstractmethod
    def _read(self, data: bytes) -> None:
        """Let the session read."""

    def _answered(self, repeat: Repeat, data: bytes) -> bool:
        """Whether that was all that came, and has its answer."""
        stream = data[BEFORE_STREAM:HEAD_BYTES]
        number = int.from_bytes(stream, "big")
        shared, transport = self._shared, self._transport
        if number != self._last + 2 or data[:BEFORE_STREAM] != repeat.start or transport is None:
            return False
        if shared.draining or shared.guard.strained:
            return False
        now = shared.clock()
        ready = repeat.ready()
        if ready is None or now >= ready.until or repeat.mark is not self._edition.mark:
            ready = self._look(repeat, now)
        guest = self._guest
        if ready is None or ready.size > self._room or not (guest.bucket is None or guest.bucket.take(now)):
            return False
        answer = ready.on(stream)
        self._last = number
        self._room -= ready.size
        self._idle_since = guest.watched = now  # `deadline` is put off when it has come
        self._written += len(answer)
        tally = self._core.tally
        tally.requests[_HIT] += 1
        tally.bytes_sent += len(answer)
        transport.write(answer)
        return True

    def _look(self, repeat: Repeat, now: float) -> Ready | None:
        """What of the store answers it; None: nothing does that can be sent without more ado."""
        entity = form_of(self._core.stored(repeat.key, now), gzip=repeat.gzip)
        ready = self._blocks.ready(entity, now) if entity is not None else None
        if ready is not None:
            repeat.ready, repeat.mark = ref(ready), self._edition.mark
        return ready

    def _arm(self) -> None:
        """The session has nothing more to do: from here on its answers may be repeated."""
        if self._repeats and self._caller is not None and not self._caller.proxies:
            self._room = self._lent = self._session.lull()
            self._last = self._session.last

    def _settle(self) -> None:
        """Tell the session what it did not see: before it is used, whatever for."""
        if self._lent:
            self._session.repeated(self._last, self._lent - self._room)
            self._room = self._lent = 0
