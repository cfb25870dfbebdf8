"""The viewers' HTTP/2 connection: one protocol object, its session, and time.

Requests that the core can answer at once are answered inside `data_received`, all of one read in one write. A request
that is held has a ticket of the core, which its reset or the end of the connection cancels (rule 161).
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import cast

from headwater.edge.asking import Laggard, ask, refused_by, whose
from headwater.edge.caller import Caller
from headwater.edge.core import Core
from headwater.edge.entities import local
from headwater.edge.listener import NEVER, Limits, Shared
from headwater.edge.message import Entity, Outcome, Response
from headwater.edge.repeats import form_of

from .block import PLAYLIST_URGENCY, Blocks
from .fields import Asked
from .frames import Code, ConnectionFault
from .repeat import Repeating
from .session import Session
from .stream import Stream


class Connection(Repeating):
    """One viewer connection, of a caller whom the guard let in."""

    __slots__ = ("_ending", "_laggard", "_partial", "_stalled", "_turning")

    def __init__(self, core: Core, shared: Shared, limits: Limits, blocks: Blocks, caller: Caller) -> None:
        session = Session(self, header_bytes=limits.header_bytes, streams=limits.streams, now=shared.clock())
        super().__init__(core, shared, limits, blocks, caller, session)
        self._turning = False
        """Inside `data_received`: what is answered goes out at its end."""
        self._stalled = False
        """The transport's buffer is full."""
        self._ending = False
        """Nothing is read any more."""
        self._laggard: Laggard | None = None
        """Watches the reader while it is stalled, or the connection's window is used up."""
        self._partial = self._idle_since
        """Since when something is there in part."""

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A viewer came."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=self._limits.write_high_bytes, low=self._limits.write_low_bytes)
        self._shared.enter(self)
        now = self._shared.clock()
        if self._shared.draining:
            self._session.go()
        self._flush(now)

    def connection_lost(self, exc: Exception | None) -> None:
        """The viewer left: whatever waits for it is forgotten, and no cycle stays for the collector."""
        self._settle()
        self._ending = True
        self._session.close()
        self._shared.leave(self)
        if self._caller is not None:
            self._shared.guard.leave(self._caller.guest)
            self._caller = None
        self._transport = None

    def _read(self, data: bytes) -> None:
        if self._ending:
            return
        now = self._shared.clock()
        session = self._session
        before = session.reader.frames
        self._turning = True
        self._make_room()
        session.feed(data, now)
        self._turning = False
        if self._shared.draining:
            session.go()  # behind all that came in this read, so that it is answered
        if session.reader.frames != before:
            self._partial = now
        self._flush(now)

    def eof_received(self) -> bool:
        """The viewer is gone: over TLS there is no half of a connection."""
        self._settle()
        if not self._ending:
            self._ending = True
            self._session.close()
            self._watch(self._shared.clock())  # what was written may never be read
        return False

    def pause_writing(self) -> None:
        """The viewer reads slower than it is answered."""
        self._settle()
        self._stalled = True
        self._watch(self._shared.clock())

    def resume_writing(self) -> None:
        """The buffer is low again."""
        self._settle()
        self._stalled = False
        self._laggard = None
        self._flush(self._shared.clock())

    # -- the session's side

    def requested(self, stream: Stream) -> None:
        """A request is whole: let the core answer, unless whoever asks has had enough."""
        caller = self._caller
        assert caller is not None  # requests come only while it is there
        now = stream.at = self._idle_since = self._shared.clock()
        request = stream.request
        stream.guest = guest = whose(caller, request, now)
        if b".m3u8" in request.target and stream.urgency > PLAYLIST_URGENCY:  # rule 139
            stream.urgency = PLAYLIST_URGENCY
        refused = refused_by(self._shared.guard, guest, request, now)
        if refused is not None:
            self._core.tally.requests[Outcome.REJECT] += 1
            self._reply(stream, Response(refused, Outcome.REJECT, None, final=refused.status == 503))
            return
        ticket = ask(self._core, guest, request, partial(self._reply, stream), now)
        if ticket is not None:
            if stream.dead:
                ticket.cancel()
            else:
                stream.ticket = ticket

    def plain(self, number: int, asked: Asked) -> bool:
        """A request for a path: answered here if that is in the store, nothing is before the answer, and whoever asks
        may have it without being looked at."""
        caller, shared, sender = self._caller, self._shared, self._session.sender
        if caller is None or caller.proxies or asked.plain is None or shared.guard.strained:
            return False
        now, guest = shared.clock(), caller.guest
        if guest.bucket is not None and not guest.bucket.has(now):
            return False
        entity = form_of(self._core.stored(asked.plain, now), gzip=asked.request.gzip)
        if entity is None:
            return False
        block = self._blocks.hit(entity, entity.age_at(now))
        if not sender.send_whole(number, block, entity.body, sender.initial):
            return False
        if guest.bucket is not None:
            guest.bucket.take(now)
        self._idle_since = guest.watched = now
        self._core.tally.requests[Outcome.HIT] += 1
        return True

    def refused(self, stream: Stream, entity: Entity, reason: str) -> None:
        """A request that is none for the core."""
        self._core.tally.refuse(reason)
        self._core.tally.requests[Outcome.REJECT] += 1
        self._reply(stream, Response(entity, Outcome.REJECT, None))

    def count(self, reason: str) -> None:
        """A stream or the connection was refused."""
        self._core.tally.refuse(reason)

    # -- answering

    def _reply(self, stream: Stream, response: Response) -> None:
        """The answer to a stream's request (`message.Reply`)."""
        stream.ticket = None
        if stream.dead or self._transport is None:
            return
        entity = response.entity
        if stream.guest is not None and entity.status < 400 and not entity.own:
            stream.guest.watched = stream.at
        length: int | None = len(entity.body)
        if response.growing is not None:
            length = self._grow(stream, response)
        elif not stream.asked.bodiless:
            stream.body = memoryview(entity.body)
        if not self._turning:
            self._idle_since = self._shared.clock()
            self._make_room()
        self._session.answer(stream, self._blocks.block(response, length))
        if response.final or (self._shared.draining and not self._turning):
            self._session.go()
        if not self._turning:
            self._flush(self._shared.clock())

    def _grow(self, stream: Stream, response: Response) -> int | None:
        """The content is still coming; its length, where that is known."""
        growing, span = response.growing, response.span
        assert growing is not None
        if not stream.asked.bodiless:
            stream.grow_from(growing, span, partial(self._grown, stream))
            stream.refill()
        first, end = span if span is not None else (0, None)
        if end is None:
            end = growing.length
        return None if end is None else end - first

    def _grown(self, stream: Stream) -> None:
        """More of what a stream is sent has come, or its end."""
        self._session.sender.grown(stream)
        if not self._turning:
            self._flush(self._shared.clock())

    def _make_room(self) -> None:
        """How much may be written now."""
        transport = self._transport
        room = 0
        if transport is not None and not self._stalled:
            room = self._limits.write_high_bytes - transport.get_write_buffer_size()
        self._session.sender.room = room

    def _flush(self, now: float) -> None:
        """Write what can be written, in one piece as far as the transport takes it."""
        transport, session = self._transport, self._session
        if transport is None:
            return
        out = session.sender.out
        while not self._stalled:
            if session.sender.waiting:
                if session.sender.room <= 0:
                    session.sender.room = max(1, self._limits.write_high_bytes - transport.get_write_buffer_size())
                session.pump()
            if not out:
                break
            data = b"".join(out)
            out.clear()
            self._written += len(data)
            self._core.tally.bytes_sent += len(data)
            transport.write(data)
        if session.over is not None or (session.going and not session.streams):
            self._end(now)
        else:
            self._schedule(now)
            if not self._stalled:
                self._arm()

    def _end(self, now: float) -> None:
        """Nothing follows what was written. What the peer still sends is read and dropped until it has closed its side
        or its time is up: unread bytes would make the kernel reset the connection before GOAWAY is read."""
        if not self._ending and self._transport is not None:
            self._ending = True
            self._transport.close()
            self._watch(now)

    # -- time (listener.Swept)

    def _gone(self) -> int:
        """Bytes that left the transport."""
        return self._written - (self._transport.get_write_buffer_size() if self._transport is not None else 0)

    def _laggard_of(self, now: float, gone: int, owed: int) -> Laggard:
        return Laggard(now, gone, owed, self._limits.write_stall_s, self._limits.write_least_bytes_s)

    def _watch(self, now: float) -> None:
        """What was written has to be read: with some progress always, and all of it in its time."""
        gone = self._gone()
        self._laggard = self._laggard_of(now, gone, self._written - gone)
        self.deadline = min(self.deadline, self._laggard.deadline)

    def _schedule(self, now: float) -> None:
        """When to look again."""
        session = self._session
        if not session.streams and not session.partial and not self._stalled:
            self.deadline = self._idle_since + self._limits.idle_s
            return
        deadline = NEVER
        if session.partial:
            deadline = self._partial + self._limits.header_s
        for stream in session.unfinished.values():
            deadline = min(deadline, stream.since + self._limits.header_s)
        for stream in session.sender.blocked.values():
            if stream.laggard is None or stream.sent >= stream.laggard.goal:
                stream.laggard = self._laggard_of(now, stream.sent, stream.rest)
            deadline = min(deadline, stream.laggard.deadline)
        if self._stalled or session.sender.stuck:
            if self._laggard is None or (not self._stalled and session.sender.sent >= self._laggard.goal):
                self._laggard = self._laggard_of(
                    now, session.sender.sent, sum(s.rest for s in session.streams.values())
                )
            deadline = min(deadline, self._laggard.deadline)
        else:
            self._laggard = None
        if session.streams:
            self._idle_since = now
        else:
            deadline = min(deadline, self._idle_since + self._limits.idle_s)
        self.deadline = deadline

    def overdue(self, now: float) -> None:
        """A time-out: a slow reader, a slow sender, or nobody there."""
        transport, session = self._transport, self._session
        if transport is None:
            return
        self._settle()
        if self._ending:
            if (
                self._laggard is not None
                and transport.get_write_buffer_size()
                and not self._laggard.late(now, self._gone())
            ):
                self.deadline = self._laggard.deadline
                return
            if self._laggard is not None and not transport.get_write_buffer_size():
                self._laggard = None  # once: TLS has handed it down, the kernel may not have it yet
                self.deadline = now + self._limits.write_stall_s
                return
            transport.abort()
            return
        if self._laggard is not None and self._laggard.deadline <= now:
            gone = self._gone() if self._stalled else session.sender.sent
            if self._laggard.late(now, gone):
                self._core.tally.slow_closed += 1
                transport.abort()
                return
        for stream in list(session.sender.blocked.values()):
            laggard = stream.laggard
            if laggard is not None and laggard.deadline <= now and laggard.late(now, stream.sent):
                self._core.tally.slow_closed += 1
                session.reset(stream.id, Code.CANCEL)
        self._end_slow_requests(now)
        if session.over is None and not session.streams and self._idle_since + self._limits.idle_s <= now:
            session.go()
        self._flush(now)

    def _end_slow_requests(self, now: float) -> None:
        session, limit = self._session, self._limits.header_s
        if session.partial and self._partial + limit <= now:
            self._core.tally.refuse("slow-request")
            session.fail(ConnectionFault(Code.NO_ERROR, "a frame did not arrive in time"))
            return
        self._turning = True
        for stream in list(session.unfinished.values()):
            if stream.since + limit <= now and not stream.replied:
                self.refused(stream, local(408, "the request did not arrive in time"), "slow-request")
        self._turning = False

    def drain(self) -> None:
        """The server stops: no new stream; the connection ends with the last open one."""
        self._settle()
        self._session.go()
        self._flush(self._shared.clock())

    def abort(self) -> None:
        """End now, whatever is owed."""
        if self._transport is not None:
            self._transport.abort()
