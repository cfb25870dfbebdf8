"""Plain objects: everything that is not a followed playlist. What is stored, and what is on its way. Sans-IO.

An honest shared cache (RFC 9111): one upstream request per URL in flight however many wait (rule 160), lifetimes as
the upstream states them, errors as rules 146-149 say, stale answers as rule 163 allows. What is large or slow goes to
all who wait while it comes (`fill`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from headwater.origin.hls.model import MediaPlaylist

from .collapse import Answers, Flight, Waiter
from .entities import confirmed, crowded, failed, freshened, upstream_age
from .fill import Fill
from .fills import PARTIAL_S, Fills
from .freshness import Life, Shape
from .judge import Judge
from .kept import Kept
from .keys import Target, path_of, read_key
from .learn import in_ranges, model_of, tell
from .marks import HitForMiss, Marks
from .message import (
    Entity,
    Failure,
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
from .overrides import Kind, Policy
from .paths import Paths
from .purge import Purged, Scope
from .ranges import is_answered, key_of, wanted
from .select import select
from .succession import late_after
from .version import followable

MAX_FLIGHTS = 2_000
"""Upstream requests under way for viewers. Why: whoever asks for a new name and leaves costs one and holds none.
What followers fetch ahead, and playlists that the upstream holds, have bounds and connections of their own."""
LITERAL_S = 30.0
"""How long a URL that proved not to be a live playlist is taken with its whole query."""


class Host(Protocol):
    """What objects need of the core."""

    tally: Tally
    upstream: Upstream
    paths: Paths

    def room(self) -> bool:
        """Whether one more viewer may wait."""

    def target_of(self, request: Request) -> Target:
        """The parsed target of a request that was valid."""

    def again(self, waiters: list[Waiter], now: float) -> None:
        """Handle these requests anew."""

    def found_live(self, flight: Flight, answer: UpstreamAnswer, model: MediaPlaylist) -> bool:
        """The URL is a live playlist. True: it is followed now, and who waited was sent there."""

    def handed(self, count: int) -> None:
        """Answered `count` viewers who waited."""


class Objects:
    """The store and the flights of one edge."""

    def __init__(
        self, host: Host, cache_bytes: int, via: str, blocking: int, policy: Policy, object_bytes: int
    ) -> None:
        """`blocking`: playlists that are not followed, whose requests with directives the upstream may hold."""
        self.kept = Kept(cache_bytes, via)
        self.store = self.kept.store
        self.fills = Fills(self, host, object_bytes)
        """Answers that go to viewers while they come."""
        self.judge = Judge(policy, self.store)
        self._host = host
        self._flights: dict[str, Flight] = {}
        self._open = 0
        """Upstream requests under way because a viewer asked, those that nobody may join included."""
        self._blocking, self._blocking_limit = 0, blocking
        self.partial, self._literal, self.alone = Marks(), Marks(), HitForMiss(policy.mark_s)
        self._lone: set[Flight] = set()

    @property
    def flights(self) -> int:
        """Objects on their way now."""
        return len(self._flights)

    # -- viewers

    def ask(self, request: Request, reply: Reply, target: Target, now: float) -> Ticket | None:
        """Answer from the store, join a flight, or begin one."""
        key = self._key(target, now)
        entity = self.store.get(key)
        if entity is not None and entity.fresh_at(now):
            self._answer(request, reply, entity, Outcome.HIT, now, key=key)
            return None
        text = wanted(request) if key in self.kept.growing or self.partial.has(key, now) else None
        flight = self._flights.get(key)
        if text is None and flight is not None and flight.fill is not None and target.full == key:
            text = flight.fill.seek(request)
        at = key if text is None else key_of(key, text)
        if text is not None and (part := self.store.get(at)) is not None and part.fresh_at(now):
            self._answer(request, reply, part, Outcome.HIT, now)
            return None
        if not self._host.room():
            self._answer(request, reply, crowded(), Outcome.REJECT, now)
            return None
        alone = self.alone.has(key, now)
        flight = self._flights.get(at)
        if flight is not None and not alone:
            if flight.fill is None:
                return flight.join(request, reply)
            if target.full != key:  # what grows is no playlist: with directives it is another object
                self._literal.set(key, now + LITERAL_S)
                return self.ask(request, reply, target, now)
            if flight.fill.joinable:
                return flight.fill.join(request, reply, now)
        purpose = Purpose.BLOCKING if "_HLS_" in key and read_key(key).asked else Purpose.OBJECT
        if not self._connection_for(purpose):
            self._answer(request, reply, crowded(), Outcome.REJECT, now)
            return None
        stale = entity if text is None else None
        flight = self._launch(key, stale, alone=alone, purpose=purpose, text=text, loop=request.loop)
        waiter = flight.join(request, reply)
        if not alone:
            flight.asker = waiter
        return waiter

    def _connection_for(self, purpose: Purpose) -> bool:
        """Whether one more upstream request is within its bound; a refusal is counted."""
        if purpose is Purpose.BLOCKING and self._blocking >= self._blocking_limit:
            self._host.tally.refuse("blocking")
            return False
        if purpose is Purpose.OBJECT and self._open >= MAX_FLIGHTS:
            self._host.tally.refuse("flights")
            return False
        return True

    def _key(self, target: Target, now: float) -> str:
        """Which URL to ask the upstream for: without what a live playlist would be followed without."""
        if target.full is target.path:
            return target.path
        # What is stored at the bare path is known not to be live: queries may make another object of it.
        known = self._literal.has(target.path, now) or self.store.peek(target.path) is not None
        if target.playlist_like and target.plain != target.path and not known:
            return target.path
        if target.asked and self._literal.has(target.plain, now):
            return target.full
        return target.plain

    def _answer(
        self,
        request: Request,
        reply: Reply,
        entity: Entity,
        outcome: Outcome,
        now: float,
        *,
        key: str = "",
    ) -> None:
        self._host.tally.requests[outcome] += 1
        reply(Response(self._form(request, entity, key), outcome, entity.age_told(now)))

    def _form(self, request: Request, entity: Entity, key: str) -> Entity:
        """What of `entity`, which is or may be stored at `key`, is sent for `request`."""
        had = entity.gzip
        chosen = select(request, entity)
        if key and entity.gzip is not had and entity.gzip is not None:
            self.store.weigh(key, entity)
        return chosen

    # -- upstream

    def prefetch(self, key: str, now: float, *, listed: bool) -> None:
        """Fetch `key` unless it is here or on its way. Rule 149: once it is `listed`, an earlier 404 is void."""
        if key not in self._flights:
            entity = self.store.peek(key)
            if entity is None or not entity.fresh_at(now) or (listed and entity.status >= 400):
                self._launch(key, None, purpose=Purpose.PREFETCH)

    def _launch(
        self,
        key: str,
        stale: Entity | None,
        *,
        alone: bool = False,
        purpose: Purpose,
        text: str | None = None,
        loop: str = "",
    ) -> Flight:
        flight = Flight(key, self._host.tally, text, loop)
        at = key if text is None else key_of(key, text)
        self._open += purpose is Purpose.OBJECT
        self._blocking += purpose is Purpose.BLOCKING
        if alone:
            self._lone.add(flight)
        else:
            self._flights[at] = flight
        # RFC 9111 section 4.3.1: revalidate what is stored
        etag = modified = None
        if stale is not None and stale.status == 200:
            etag, modified = stale.etag, stale.last_modified

        def close() -> None:
            self._open -= purpose is Purpose.OBJECT
            self._blocking -= purpose is Purpose.BLOCKING
            if self._flights.get(at) is flight:
                del self._flights[at]
            self._lone.discard(flight)

        def done(answer: UpstreamAnswer) -> None:
            self._host.tally.fetched(purpose, answer)
            if fill is not None and fill.ended(answer):
                return
            close()
            if answer.status in (206, 416):
                self._landed_range(flight, answer, alone=alone)
            else:
                self._landed(flight, answer, alone=alone)
            flight.asker = None  # nothing of a viewer stays with what may outlive the fetch

        fill = Fill(flight, self.fills, close, alone=alone) if self._may_grow(key, purpose) else None
        hedge_s = late_after(self.judge.least_part_s) if purpose is Purpose.PREFETCH else None
        request = UpstreamRequest(key, purpose, etag, modified, text, loop=loop, hedge_s=hedge_s, arriving=fill)
        flight.cancel = self._host.upstream.fetch(request, done)
        return flight

    def _may_grow(self, key: str, purpose: Purpose) -> bool:
        """Whether the answer may go out while it comes. Rules 66 and 166: parts go out complete, and so do playlists.

        A part with a URL of its own is known by the followed playlist that lists it or hints at it, and what followers
        fetch ahead is a part or an init section. A playlist is known by its path or its directives, else by the type
        in its head (`fills`). Ranges of a growing file do go out while they come: their URL says nothing of parts.
        """
        kind = self.judge.kinds.of(key, "", media_playlist=None)
        return purpose is Purpose.OBJECT and kind not in (Kind.PART, Kind.PLAYLIST)

    # -- whole answers

    def _landed(self, flight: Flight, answer: UpstreamAnswer, *, alone: bool) -> None:
        """An upstream fetch ended: keep what may be kept, answer who waits."""
        key = flight.key
        stored = self.store.peek(key)
        if answer.status == 304:
            self._freshen(flight, stored, answer)
            return
        if answer.failure is not None or answer.status >= 500:
            self._unusable(flight, stored, answer)
            return
        model = model_of(key, answer)
        tell(self._host.paths, key, answer, model)
        if model is not None:
            self.judge.learn(model)
            for part in in_ranges(model, key):
                self.partial.set(part, answer.at + PARTIAL_S)
        shape, life = self.judge.life(key, answer.status, answer, model)
        live = model if model is not None and followable(model) else None
        may_follow = life.share and shape is Shape.PLAYLIST
        if live is not None and may_follow and self._host.found_live(flight, answer, live):
            return
        self._settle(flight, answer, life, alone=alone, ignores=model is not None and live is None)

    def _landed_range(self, flight: Flight, answer: UpstreamAnswer, *, alone: bool) -> None:
        """206 or 416: an answer to a range, and to nothing else."""
        now, text = answer.at, flight.range
        if text is None or (answer.status == 206 and not is_answered(text, answer)):
            self._unusable(flight, self.store.peek(flight.key), replace(answer, failure=Failure.INVALID))
            return
        _, life = self.judge.life(flight.key, 200 if answer.status == 206 else 416, answer)
        entity = self.kept.entity(answer, life)
        self.kept.keep(flight, entity, life)
        waiters = flight.take()
        others: list[Waiter] = []
        self.alone.judged(flight.key, life.why, now)
        if not life.share and not alone:
            waiters, others = waiters[:1], waiters[1:]
        self.send_all(flight, waiters, entity, now, alone=alone)
        self._host.again(others, now)

    def _settle(self, flight: Flight, answer: UpstreamAnswer, life: Life, *, alone: bool, ignores: bool) -> None:
        """Store a usable answer and send it to those whom it answers."""
        now, key = answer.at, flight.key
        entity = self.kept.entity(answer, life)
        self.kept.keep(flight, entity, life)
        self.alone.judged(key, life.why, now)
        mine, others = self.divide(flight, now, ignores=ignores or answer.status >= 400)
        if not life.share and not alone:
            mine, others = mine[:1], mine[1:] + others
        self.send_all(flight, mine, entity, now, alone=alone, stored=answer.stored)
        self._host.again(others, now)

    def divide(self, flight: Flight, now: float, *, ignores: bool) -> tuple[list[Waiter], list[Waiter]]:
        """Those whom the answer is for, and those who asked for more than its URL and go round with all of theirs.

        `ignores`: directives change nothing. A media playlist that does not block ignores them; an error at the plain
        URL is one with them too.
        """
        key = flight.key
        mine: list[Waiter] = []
        others: list[Waiter] = []
        for waiter in flight.take():
            target = self._host.target_of(waiter.request)
            (mine if target.full == key or (target.plain == key and ignores) else others).append(waiter)
        if others:
            self._literal.set(key, now + LITERAL_S)
        return mine, others

    def _freshen(self, flight: Flight, stored: Entity | None, answer: UpstreamAnswer) -> None:
        """304: what is stored is good for another lifetime (RFC 9111 section 4.3.4)."""
        waiters = flight.take()
        if stored is None or flight.void:  # evicted or purged while it was asked for: once more
            self._host.again(waiters, answer.at)
            return
        whole = confirmed(stored, answer)
        _, life = self.judge.life(flight.key, 200, whole, model_of(flight.key, whole))
        stored.surrogate = answer.get("surrogate-control") or stored.surrogate
        stored.received, stored.age = answer.at, upstream_age(answer)
        stored.headers, stored.gzip, stored.wire = freshened(stored, answer), None, {}
        self.store.weigh(flight.key, stored)
        stored.lifetime, stored.usable = life.lifetime, max(life.usable, stored.usable)
        self.send_all(flight, waiters, stored, answer.at)

    def _unusable(self, flight: Flight, stored: Entity | None, answer: UpstreamAnswer) -> None:
        """The upstream failed: stale where rule 163 allows, else an error that says why and is kept by nobody."""
        now = answer.at
        if stored is not None and stored.status == 200 and stored.seconds_old(now) <= stored.usable:
            for waiter in flight.take():
                self._answer(waiter.request, waiter.reply, stored, Outcome.STALE, now, key=flight.key)
            return
        if answer.failure is Failure.TOO_LARGE and flight.range is None:
            self.partial.set(flight.key, now + PARTIAL_S)
            self.ask_for_ranges(flight, answer)
            return
        error = failed(answer, playlist=path_of(flight.key).endswith((".m3u8", ".m3u")))
        self.send_all(flight, flight.take(), error, now)

    def ask_for_ranges(self, flight: Flight, answer: UpstreamAnswer) -> None:
        """It is too large to be had whole. Who wants a range of it can have that."""
        waiters = flight.take()
        self._host.again([waiter for waiter in waiters if wanted(waiter.request) is not None], answer.at)
        whole = [waiter for waiter in waiters if wanted(waiter.request) is None]
        self.send_all(flight, whole, failed(answer, playlist=False), answer.at)

    def send_all(
        self,
        flight: Flight,
        waiters: list[Waiter],
        entity: Entity,
        now: float,
        *,
        alone: bool = False,
        stored: bool = False,
    ) -> None:
        """Answer these, who waited for `flight`, with the right form of `entity`. `stored`: it came from the disk."""
        own = Outcome.FETCH if not stored else Outcome.HIT if entity.fresh_at(now) else Outcome.STALE
        answers = Answers(entity, now, collapsed=len(waiters) > 1)
        for waiter in waiters:
            outcome = Outcome.PASS if alone else own if stored or waiter is flight.asker else Outcome.JOIN
            self._host.tally.requests[outcome] += 1
            waiter.reply(answers.of(self._form(waiter.request, entity, flight.key), outcome))
        self._host.handed(len(waiters))

    def adopt(self, key: str, entity: Entity) -> None:
        """Keep what a follower leaves behind, for its lifetime."""
        if entity.lifetime > 0:
            self.store.put(key, entity)

    def purge(self, scope: Scope, now: float, *, soft: bool) -> Purged:
        """Forget what `scope` covers, or take it for stale; what is on its way will not be kept."""
        # A fill that is not joined any more may have given its place to another
        flights = self._lone | {fill.flight for fill in self.fills if fill.flight not in self._flights.values()}
        voided = scope.void(self._flights, flights)
        for marks in (self.alone, self.partial, self._literal):
            marks.forget(scope.covers)
        return Purged(self.store.purge(scope.of(self.store.index), now, soft=soft), flights=voided)

    def stop(self) -> None:
        """End every upstream request; nobody is answered any more."""
        self.fills.stop()
        for flight in list(self._flights.values()):
            flight.take()
            if flight.cancel is not None:
                flight.cancel()
        self._flights.clear()
