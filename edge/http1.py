"""The viewers' HTTP/1 server: one protocol object per connection, on llhttp.

A request that the core can answer at once is answered inside `data_received`, with no task and one write. Requests
of one connection are answered in their order; those that arrive early wait parsed (`pipeline` of them), the rest
waits unread.

RFC 9110 and RFC 9112. What two servers could frame differently is refused with 400 and a closed connection.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from .arrival import Arrival
from .asking import Laggard, ask, refused_by, whose
from .body import Body
from .caller import Caller
from .core import Core
from .growing import finished
from .guard import Guest
from .heads import Head, Refusal
from .listener import NEVER, Limits, Shared
from .message import Entity, Outcome, Request, Response, Ticket
from .parse import Parser
from .repeats import Held, Repeat, form_of
from .wire import JOIN_LIMIT

LINGER_S = 2.0
"""After a refusal, how long the rest of what the peer sends is read and dropped. Why: closing with unread bytes
makes the kernel reset the connection, and the peer never sees the answer."""

_HIT, _JOIN = Outcome.HIT, Outcome.JOIN  # to look one up in an Enum takes as long as to count it


class Connection(Arrival):
    """One viewer connection."""

    __slots__ = (
        "_asked", "_backlog", "_beginning", "_body", "_current", "_ending", "_guest", "_laggard", "_parser", "_pumping",
        "_queue", "_reading", "_ticket", "stalled",
    )  # fmt: skip

    def __init__(self, core: Core, shared: Shared, limits: Limits, caller: Caller | None = None) -> None:
        """`caller`: who is known already, and was let in by the guard (`edge.tlsserver`)."""
        super().__init__(core, shared, limits, caller)
        self._parser = Parser(self, limits.header_bytes)
        self._queue: deque[Head | Refusal] = deque()
        self._current: Head | Refusal | None = None
        """What is being answered: nothing behind it is begun before."""
        self._ticket: Ticket | None = None
        self._body: Body | None = None
        """Of the current answer, while it is written as it comes."""
        self._backlog = b""
        """Read, but not parsed yet, because `_queue` is full."""
        self._beginning = False
        self._pumping = False
        self._reading = True
        self._ending = False
        """The last answer was written."""
        self.stalled = False
        """The transport's buffer is full."""
        self._laggard: Laggard | None = None
        """Watches how what was written is read, while it is stalled or ending."""
        self._guest: Guest | None = None
        """Whose request was begun last, and `_asked` when."""
        self._asked = 0.0

    # -- asyncio.Protocol; `connection_made` is in `edge.arrival`

    def connection_lost(self, exc: Exception | None) -> None:
        """The viewer left: whatever waits for it is forgotten, and no cycle stays for the collector."""
        self._drop_ticket()
        if self._body is not None:
            self._body.cancel()
            self._body = None
        self._shared.leave(self)
        if self._caller is not None:
            self._shared.guard.leave(self._caller.guest)
            self._caller = self._guest = None
        self._parser.close()
        self._transport = None
        self._current = None
        self._queue.clear()
        self._backlog = b""
        self._deaf = True

    def data_received(self, data: bytes) -> None:
        """Bytes of requests."""
        repeats = self._shared.repeats
        if (known := repeats.get(data)) is not None:
            if self._repeat(known):
                return
        elif (held := repeats.held(data)) is not None and self._hold(held):
            return
        if self._deaf:
            return
        if self._header is not None:
            data = self._take_header(self._header + data)
        if self._backlog:
            self._backlog += data
            return
        if data:
            self._feed(data)

    def _lone(self) -> Caller | None:
        """Who sent the request that comes now; None: something is before it, or it may be of somebody else."""
        caller = self._caller
        if self._current is not None or self._queue or self._deaf or self.stalled or self._parser.in_request:
            return None
        return caller if caller and not caller.proxies and self._header is None and not self._shared.draining else None

    def _hold(self, held: Held) -> bool:
        """Let it wait where the same bytes wait; False: it has to be read as if it were new."""
        caller, now = self._lone(), self._shared.clock()
        if caller is None or self._shared.guard.strained:
            return False
        guest = caller.guest
        if guest.bucket is not None and not guest.bucket.has(now):
            return False
        ticket = self._core.hold(held.place, caller.visitor, self.reply, now)
        if ticket is None:
            return False
        if guest.bucket is not None:
            guest.bucket.take(now)
        self._current, self._ticket = held.head, ticket
        self._guest, self._asked, self.deadline = guest, now, NEVER
        return True

    def _repeat(self, known: Repeat) -> bool:
        """Answer what was asked before, byte for byte; False: it has to be read as if it were new."""
        caller, shared, transport = self._lone(), self._shared, self._transport
        if caller is None or transport is None:
            return False
        now = shared.clock()
        form = form_of(self._core.stored(known.key, now), gzip=known.head.request.gzip)
        if form is None or (self._encrypted and len(form.body) > JOIN_LIMIT):
            return False
        guest, tally = caller.guest, self._core.tally
        if (refused := refused_by(shared.guard, guest, known.head.request, now)) is not None:
            self._current = known.head
            self._reject(refused)
            return True
        guest.watched = now
        tally.requests[_HIT] += 1
        head = shared.wire.hit(form, form.age_at(now))
        tally.bytes_sent += len(head) + len(form.body)
        shared.wire.write(transport, head, form.body)
        self._go_on()
        return True

    def eof_received(self) -> bool:
        """The viewer sends no more. Answers that are owed are still written, but nothing is held for it (rule 92)."""
        self._deaf = True
        if self._body is not None:  # whether it left or only says no more cannot be told before the next write
            owed = self._body.here
        else:
            owed = self._ticket is None and (self._current is not None or bool(self._queue))
        transport = self._transport
        # Over TLS there is no half of a connection
        keep = owed and not self._ending and transport is not None and transport.can_write_eof()
        if not keep:
            self._drop_ticket()
            self._ending = True
            self._watch_reader()  # what was written may never be read
        return keep

    def pause_writing(self) -> None:
        """The viewer reads slower than it is answered: no further answer is written."""
        self.stalled = True
        self._watch_reader()

    def resume_writing(self) -> None:
        """The buffer is low again."""
        self.stalled = False
        self._laggard = None
        if self._body is not None:
            self.deadline = NEVER
            self._body.go_on()
            return
        self._wait_idle()
        self._pump()

    # -- the parser's side

    def head_began(self) -> None:
        """The first byte of a request: from here on it has to be whole in time (slow loris)."""
        if self._current is None and not self.stalled:
            self.deadline = self._shared.clock() + self._limits.header_s

    def request(self, head: Head) -> None:
        """A request is whole."""
        if not head.keep_alive:
            self._deaf = True
        self._enqueue(head)

    def refuse(self, refusal: Refusal) -> None:
        """Answer with an error in this request's turn, and read no more."""
        if self._deaf:
            return
        self._deaf = True
        self._backlog = b""
        self._core.tally.refuse(refusal.reason)
        self._enqueue(refusal)

    def _feed(self, data: bytes) -> None:
        rest = self._parser.feed(data, self._full)
        if rest:
            self._backlog = rest
            self._pause_reading()

    def _full(self) -> bool:
        return self._deaf or len(self._queue) >= self._limits.pipeline

    def _pause_reading(self) -> None:
        if self._reading and self._transport is not None:
            self._reading = False
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if not self._reading and self._transport is not None and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    # -- answering, in order

    def _enqueue(self, item: Head | Refusal) -> None:
        if self._ending:  # what came in one piece with a request that ended the connection
            return
        if self._current is None and not self._queue and not self.stalled and not self._pumping:
            self._begin(item)
            return
        self._queue.append(item)
        if len(self._queue) >= self._limits.pipeline and not self._deaf:
            self._pause_reading()

    def _begin(self, item: Head | Refusal) -> None:
        """Answer now, or let the core hold it."""
        self._current = item
        self._beginning = True
        if isinstance(item, Refusal):
            self._core.tally.requests[Outcome.REJECT] += 1
            self.reply(Response(item.entity, Outcome.REJECT, None))
        else:
            self._ask(item.request)
        self._beginning = False

    def _ask(self, request: Request) -> None:
        """Let the core answer, unless whoever asks has had enough."""
        now = self._asked = self._shared.clock()
        caller = self._caller
        assert caller is not None  # nothing is read before it is known
        self._guest = guest = whose(caller, request, now)
        refused = refused_by(self._shared.guard, guest, request, now)
        if refused is not None:
            self._reject(refused)
            return
        ticket = ask(self._core, guest, request, self.reply, now)
        if ticket is not None:
            self._ticket = ticket
            self.deadline = NEVER
            if isinstance(self._current, Head):
                self._shared.repeats.learn_place(self._current, self._core.place)

    def _reject(self, entity: Entity) -> None:
        """Whoever asks has had enough."""
        self._core.tally.requests[Outcome.REJECT] += 1
        self.reply(Response(entity, Outcome.REJECT, None, final=entity.status == 503))

    def _pump(self) -> None:
        """Begin what is queued as long as it is answered at once, and read on when there is room."""
        if self._pumping:
            return
        self._pumping = True
        while not self._ending:
            while self._queue and self._current is None and not self.stalled and not self._ending:
                self._begin(self._queue.popleft())
            if not self._backlog or self._full():
                break
            data, self._backlog = self._backlog, b""
            self._feed(data)
        self._pumping = False
        if not self._backlog and not self._full():
            self._resume_reading()

    def reply(self, response: Response) -> None:
        """Write the answer to the current request (`message.Reply`)."""
        transport, item = self._transport, self._current
        self._ticket = None
        if transport is None or item is None:
            self._current = None
            return
        shared, entity = self._shared, response.entity
        keep_alive = item.keep_alive and not response.final and not shared.draining
        if self._guest is not None and entity.status < 400 and not entity.own:
            self._guest.watched = self._asked
        if self._encrypted and not item.bodiless and len(entity.body) > JOIN_LIMIT:
            # TLS encrypts at once all that it is given: a copy of the body for each viewer, that nobody sees waiting.
            response = replace(response, growing=finished(entity.body))
        if response.growing is not None:
            self.deadline = NEVER  # the upstream has its own limits; nothing behind this answer is begun before its end
            self._body = Body(self, transport, self._core.tally)
            self._body.begin(response, item, shared.wire, keep_alive=keep_alive)
            return
        self._current = None
        usual = keep_alive and not item.http10 and not item.bodiless and len(entity.body) <= JOIN_LIMIT
        if usual and response.outcome is _JOIN:
            data = shared.wire.rendered(response)
            self._core.tally.bytes_sent += len(data)
            transport.write(data)
            self._go_on()
            return
        head = shared.wire.head(response, keep_alive=keep_alive, http10=item.http10)
        body = b"" if item.bodiless else entity.body
        self._core.tally.bytes_sent += len(head) + len(body)
        if response.outcome is _HIT and isinstance(item, Head) and item.raw is not None:
            shared.repeats.learn(item, response)
        shared.wire.write(transport, head, body)
        if not keep_alive:
            self._end(lingering=item.linger if isinstance(item, Refusal) else entity.status == 400)
            return
        self._go_on()

    def _go_on(self) -> None:
        """An answer was written, and the connection stays."""
        if not self.stalled:
            self._wait_idle()
        if not self._beginning and (self._queue or self._backlog or not self._reading):
            self._pump()

    def body_ended(self, *, keep: bool) -> None:
        """A growing body is written, or ended short; `keep`: another answer may follow (`body.Owner`)."""
        self._current = self._body = None
        if keep and not self._shared.draining:
            self._go_on()
        else:
            self._end(lingering=False)

    def _end(self, *, lingering: bool) -> None:
        """Nothing follows the answer just written."""
        self._ending = self._deaf = True
        self._queue.clear()
        self._backlog = b""
        transport = self._transport
        if transport is None:
            return
        if lingering and transport.can_write_eof() and not transport.is_closing():
            transport.write_eof()
            self._resume_reading()
            self.deadline = self._shared.clock() + LINGER_S
        else:
            transport.close()
            self._watch_reader()

    def _drop_ticket(self) -> None:
        if self._ticket is not None:
            self._ticket.cancel()
            self._ticket = None

    # -- time (listener.Swept)

    def _wait_idle(self) -> None:
        limit = self._limits.header_s if self._parser.in_request else self._limits.idle_s
        self.deadline = self._shared.clock() + limit if self._ticket is None else NEVER

    def _watch_reader(self) -> None:
        """What is written has to be read: with some progress always, and all of it in its time."""
        limits, left = self._limits, self._buffered()
        self._laggard = Laggard(self._shared.clock(), -left, left, limits.write_stall_s, limits.write_least_bytes_s)
        self.deadline = self._laggard.deadline

    def overdue(self, now: float) -> None:
        """A time-out: a slow reader, a slow sender, or nobody there."""
        if self._transport is None:
            return
        if self.stalled or self._ending:
            left = self._buffered()
            if left and self._laggard is not None and not self._laggard.late(now, -left):
                self.deadline = self._laggard.deadline
                return
            if self.stalled:
                self._core.tally.slow_closed += 1
            self._transport.abort()
        elif self._parser.in_request:
            self.refuse(Refusal.of(408, "the request did not arrive in time", "slow-request"))
        else:
            self._end(lingering=False)

    def _buffered(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def drain(self) -> None:
        """The server stops: end now unless an answer is owed, which then ends the connection."""
        if self._current is None and not self._queue and not self._ending:
            self._end(lingering=False)

    def abort(self) -> None:
        """End now, whatever is owed."""
        if self._transport is not None:
            self._transport.abort()
