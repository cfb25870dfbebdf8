"""A fill: one upstream answer that goes to viewers while it comes. Sans-IO.

    offered ── head taken ──> GROWING ── last byte ──> kept where it may be, and whoever still waits is answered
                              │  └── broke off ──> RESUMING ── the rest of the same version ──> GROWING
                              │                      └── another version, or given up ──> broken: readers end short
                              └── nobody reads, and it is not worth keeping ──> cancelled

What may be kept is read at the upstream's speed and held whole, up to `object_bytes`. What is larger goes on for those
who read it, within a bound (`growing`); nobody joins who would need what is gone, and nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from .collapse import Flight, Waiter
from .freshness import Life
from .growing import Flow, Growing
from .message import (
    Cancel,
    Entity,
    Outcome,
    Purpose,
    Reply,
    Request,
    Response,
    Tally,
    Ticket,
    Upstream,
    UpstreamAnswer,
    UpstreamRequest,
)
from .ranges import ContentRange, content_range, is_within
from .select import Form, bounds, select_growing

WINDOW_BYTES = 16 << 20
"""How far a reader of what is too large to keep may be behind the newest byte. Why: two minutes at 1 Mbit/s."""
PIECE_BYTES = 64
"""What a piece costs on top of its bytes; all of them together may cost as much as the bytes of a body. Why: an
upstream may write single bytes."""
SEEK_BYTES = 4 << 20
"""How far ahead of what came a range may begin that waits for it; what is farther is fetched as a range."""
RESUME_AFTER_S = (0.0, 0.25, 0.75, 2.0)
"""Before each attempt at the rest. Why: first another upstream, at once; an only one needs time to come back."""
UNREAD_S = 30.0
"""How long a fill goes on that nobody reads any more. Why: what is worth keeping is here within that."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is made of a head."""

    entity: Entity
    """Status and fields for viewers, without content."""
    life: Life
    keep: bool
    """The whole goes into the store."""


class Host(Protocol):
    """What a fill needs of `fills`."""

    object_bytes: int
    several: bool
    """Whether there is another upstream."""
    tally: Tally
    upstream: Upstream

    def head(self, flight: Flight, answer: UpstreamAnswer) -> Verdict | None:
        """What to make of a 200 or 206 whose body is yet to come; None: it is wanted whole only."""

    def room_for_large(self) -> bool:
        """Whether one more fill may be larger than `object_bytes`; a refusal is counted."""

    def opened(self, fill: Fill) -> None:
        """Its head was taken."""

    def closed(self, fill: Fill) -> bool:
        """It is over; False: it was before."""

    def divide(self, fill: Fill, now: float) -> tuple[list[Waiter], list[Waiter]]:
        """Empty the fill's line: those whom the answer is for, and those who have to ask again."""

    def again(self, waiters: list[Waiter], now: float) -> None:
        """Handle these requests anew."""

    def filled(self, fill: Fill, now: float) -> None:
        """It is whole: keep it where it may be, end its body, answer who still waits for that."""

    def too_large(self, fill: Fill, now: float) -> None:
        """It will not be kept: whoever waits for a range of it asks for that."""


class Fill:
    """`message.Arriving` for one flight. `close` is called once when all is over; `alone`: nobody may join."""

    def __init__(self, flight: Flight, host: Host, close: Callable[[], None], *, alone: bool) -> None:
        self.flight = flight
        self.alone = alone
        self.large = False
        """Larger than may be kept."""
        self.first: UpstreamAnswer
        """Its head, as it came first; likewise `verdict`, `body`. Only once the head was taken."""
        self.verdict: Verdict
        self.body: Growing | None = None
        self._host = host
        self._close = close
        self._begins_at = 0
        """Of its first byte in the object, for a range."""
        self._total: int | None = None
        """Bytes of the whole object, where known."""
        self._flow: Flow | None = None
        self._source = ""
        self._resumes = 0
        self._resume_at: float | None = None
        self._rest: Cancel | None = None
        self._unread_since: float | None = None

    # -- message.Arriving

    def head(self, answer: UpstreamAnswer, length: int | None, flow: Flow) -> bool:
        """Status and fields: of the answer, or of its rest."""
        if self.body is not None:
            return self._goes_on(answer, flow)
        part: ContentRange | None = None
        if answer.status == 206:
            part = content_range(answer)
            if part is None or self.flight.range is None or not is_within(self.flight.range, part):
                return False
            if length not in (None, part.size):
                return False
            length = part.size
        verdict = self._host.head(self.flight, answer)
        if verdict is None:
            return False
        large = length is not None and length > self._host.object_bytes
        # An upstream that ignores Range would send all of what is too large for each range of it
        if large and ((self.flight.range is not None and part is None) or not self._host.room_for_large()):
            return False
        self.first, self.verdict, self.body = answer, verdict, Growing(length)
        self._begins_at, self._total = (part.first, part.total) if part else (0, length)
        self._flow, self._source = flow, answer.source
        self.flight.fill = self
        self._host.opened(self)
        self._host.tally.fills.streamed += 1
        self._release(answer.at)
        if large:
            self._enlarge(self.body, answer.at)
        return True

    def piece(self, data: bytes, at: float) -> None:
        """More of the body."""
        body = self.body
        if body is None or body.over:
            return
        self._host.tally.fills.size += len(data)
        if body.length is not None and body.size + len(data) > body.length:
            self._leave_upstream()
            self._end_broken("invalid", at)
            return
        body.append(data)
        most = self._host.object_bytes
        if not self.large and (body.size > most or len(body.pieces) * PIECE_BYTES > most):
            if self._host.room_for_large():
                self._enlarge(body, at)
            else:
                self._leave_upstream()
                self._end_broken("too_large", at)
        if len(self.flight):
            self._offer(at)

    # -- viewers

    @property
    def joinable(self) -> bool:
        """Others may have it too, and all that came is still here."""
        if self.body is None or self.body.kept_from or self.flight.void:
            return False
        return self.verdict.life.share and not self.alone

    def join(self, request: Request, reply: Reply, now: float) -> Ticket | None:
        """A viewer who came late: gets what is there and follows, or waits for what it asks for."""
        assert self.body is not None  # the flight has a fill once it has a body
        self._host.tally.fills.joined += 1
        form = self._form(request, self.body)
        if form is None:
            return self.flight.join(request, reply)
        self._send(request, reply, form, Outcome.JOIN, now, collapsed=True)
        return None

    def seek(self, request: Request) -> str | None:
        """The range to fetch for a request that begins far behind what came; None: it may wait here."""
        body = self.body
        if body is None or body.length is None or self.verdict.entity.status != 200 or request.method.value != "GET":
            return None
        if (self.first.get("accept-ranges") or "").strip().lower() == "none":
            return None
        if request.range is None or request.if_range or request.if_none_match or request.if_modified_since:
            return None
        found = bounds(request.range, body.length)
        if found is None or found[0] > found[1] or found[0] - body.size <= SEEK_BYTES:
            return None
        return f"bytes={found[0]}-{found[1]}"

    def _release(self, now: float) -> None:
        """The head is there: answer those whom it answers already, the others wait on."""
        mine, others = self._host.divide(self, now)
        for waiter in mine:
            self.flight.put_back(waiter)
        self._offer(now, collapsed=len(mine) > 1)
        self._host.again(others, now)

    def _offer(self, now: float, *, collapsed: bool = True) -> None:
        assert self.body is not None
        for waiter in self.flight.waiting():
            form = self._form(waiter.request, self.body)
            if form is not None:
                self.flight.leave(waiter)
                mine = waiter is self.flight.asker
                outcome = Outcome.PASS if self.alone else Outcome.FETCH if mine else Outcome.JOIN
                self._send(waiter.request, waiter.reply, form, outcome, now, collapsed=collapsed)

    def _form(self, request: Request, body: Growing) -> Form | None:
        # RFC 9110 section 14.2: Range may be ignored. What is too large is not kept until somebody's range is there.
        if self.large and request.range is not None:
            request = replace(request, range=None)
        return select_growing(request, self.verdict.entity, body)

    def _send(
        self, request: Request, reply: Reply, form: Form, outcome: Outcome, now: float, *, collapsed: bool
    ) -> None:
        entity, span = form
        self._host.tally.requests[outcome] += 1
        age = self.verdict.entity.age_at(now)
        growing = self.body if span is not None else None
        reply(Response(entity, outcome, age, collapsed and not self.alone, growing=growing, span=span))

    # -- the end

    def ended(self, answer: UpstreamAnswer) -> bool:
        """The upstream request ended. False: its head was not taken, so `answer` is for others to deal with."""
        body = self.body
        if body is None:
            return False
        if body.over:
            return True
        if body.size == body.length or (answer.failure is None and body.length is None):
            self._forget()
            self._host.filled(self, answer.at)
            self._let_go()
        else:
            self._broke(answer.failure.name.lower() if answer.failure is not None else "short", answer)
        return True

    def stop(self) -> None:
        """End it: nobody is answered any more."""
        self._leave_upstream()
        if self.body is not None:
            self._forget()
            self.body.finish(broken=True)
            self._let_go()

    def _enlarge(self, body: Growing, now: float) -> None:
        """It is too large to be kept. All that came is still here: who waits gets it, or asks for a range."""
        self.large = True
        self._host.too_large(self, now)
        if len(self.flight):
            self._offer(now)
        body.bound(min(WINDOW_BYTES, self._host.object_bytes), self._flow)

    def _end_broken(self, reason: str, now: float) -> None:
        """Readers end short; whoever has not begun may try again."""
        assert self.body is not None
        self._host.tally.fills.broke(reason)
        self._forget()
        self.body.finish(broken=True)
        self._host.again(self.flight.take(), now)
        self._let_go()

    def _forget(self) -> None:
        self._resume_at = None
        if self._host.closed(self):
            self._close()

    def _let_go(self) -> None:
        """Leave no cycle for the collector, and no viewer in it."""
        self.flight.fill = self.flight.asker = None

    def _leave_upstream(self) -> None:
        cancel = self._rest or self.flight.cancel
        if cancel is not None:
            cancel()

    # -- going on elsewhere (RFC 9110 sections 13.1.5 and 14.2)

    def _broke(self, reason: str, answer: UpstreamAnswer) -> None:
        """It broke off. With a strong tag and a known length the rest can be had, and checked to be of this version."""
        body, tag = self.body, self.verdict.entity.etag
        assert body is not None
        strong = tag is not None and tag.startswith('"')
        if not strong or body.length is None or self._resumes >= len(RESUME_AFTER_S) or not self._wanted:
            self._end_broken(reason, answer.at)
            return
        self._source = answer.source or self._source
        self._resume_at = answer.at + RESUME_AFTER_S[self._resumes]
        self._resumes += 1
        self._resume(answer.at)

    def _resume(self, now: float) -> None:
        """Ask for the rest when it is time."""
        body = self.body
        if self._resume_at is None or now < self._resume_at or body is None or body.length is None:
            return
        self._resume_at = None
        self._host.tally.fills.resumed += 1
        first, last = self._begins_at + body.size, self._begins_at + body.length - 1
        request = UpstreamRequest(
            self.flight.key,
            Purpose.OBJECT,
            range=f"bytes={first}-{last}",
            loop=self.flight.loop,
            avoid=self._source if self._host.several else "",
            if_range=self.verdict.entity.etag,
            arriving=self,
        )
        self._rest = self._host.upstream.fetch(request, self._rest_ended)

    def _goes_on(self, answer: UpstreamAnswer, flow: Flow) -> bool:
        """The head of the rest."""
        assert self.body is not None
        if self.body.over or not self._is_the_rest(answer):
            self._leave_upstream()
            if not self.body.over:
                self._end_broken("changed", answer.at)
            return False
        self._source = answer.source
        self._flow = flow
        self.body.use(flow)
        return True

    def _is_the_rest(self, answer: UpstreamAnswer) -> bool:
        """Whether it is of this version, and begins where the body ends."""
        part, body = content_range(answer), self.body
        if answer.status != 206 or part is None or body is None or body.length is None:
            return False
        if answer.get("etag") != self.verdict.entity.etag or part.total not in (None, self._total or part.total):
            return False
        return part.first == self._begins_at + body.size and part.last == self._begins_at + body.length - 1

    def _rest_ended(self, answer: UpstreamAnswer) -> None:
        """The request for the rest ended: with the rest of the body, with all that it was, or in vain."""
        self._rest = None
        self._host.tally.fetched(Purpose.OBJECT, answer)
        if self.body is None or self.body.over:
            return
        if answer.body or (answer.failure is None and answer.status != 206):
            if not self._is_the_rest(answer):
                again = answer.status >= 500 or answer.status == 404
                if again:
                    self._broke("refused", answer)
                else:
                    self._end_broken("changed", answer.at)
                return
            self.piece(answer.body, answer.at)
        self.ended(answer)

    # -- time

    @property
    def _wanted(self) -> bool:
        """Whether anybody reads it or waits for it, or it will be kept."""
        assert self.body is not None
        return bool(self.body.readers or len(self.flight) or (self.verdict.keep and not self.large))

    def handle_timeout(self, now: float) -> None:
        """Resume when it is time; give up what nobody wants."""
        assert self.body is not None
        self._resume(now)
        if self.body.over or self.body.readers or len(self.flight):
            self._unread_since = None
            return
        if self._unread_since is None:
            self._unread_since = now
        if not self._wanted or now - self._unread_since > UNREAD_S:
            self._leave_upstream()
            self._end_broken("unwanted", now)
