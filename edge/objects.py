"""Plain objects: everything that is not a followed playlist. What is stored, and what is on its way. Sans-IO.

An honest shared cache (RFC 9111): one upstream request per URL in flight however many wait (rule 160), lifetimes as
the upstream states them, errors as rules 146-149 say, stale answers as rule 163 allows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from headwater.origin.hls.model import MediaPlaylist

from .collapse import Flight, Waiter
from .entities import confirmed, crowded, failed, freshened, received, upstream_age
from .freshness import NEGATIVE_UNKNOWN_S, Life, Shape
from .keys import Target, path_of, read_key
from .learn import in_ranges, model_of, shape_of, tell
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
from .overrides import Kinds, Policy
from .paths import Paths
from .purge import Purged, Scope
from .ranges import is_answered, key_of, open_ended, wanted
from .select import select
from .store import Store
from .succession import late_after
from .version import followable

MAX_FLIGHTS = 2_000
"""Upstream requests under way for viewers. Why: whoever asks for a new name and leaves costs one and holds none.
What followers fetch ahead, and playlists that the upstream holds, have bounds and connections of their own."""
PARTIAL_S = 600.0
"""How long a URL that a playlist names by byte ranges, or that is too large, is fetched by ranges."""
MOST_TARGET_S = 60.0
"""Longest target duration that is believed for the lifetimes of other objects."""
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

    def __init__(self, host: Host, cache_bytes: int, via: str, blocking: int, policy: Policy) -> None:
        """`blocking`: playlists that are not followed, whose requests with directives the upstream may hold."""
        self.store = Store(cache_bytes)
        self.least_part_s = NEGATIVE_UNKNOWN_S
        """The shortest part target seen, and the longest target duration: for rules that count in them."""
        self.target_duration_s = 0.0
        self._host = host
        self._via = via
        self._flights: dict[str, Flight] = {}
        self._open = 0
        """Upstream requests under way because a viewer asked, those that nobody may join included."""
        self._blocking, self._blocking_limit = 0, blocking
        self._policy, self.kinds = policy, Kinds()
        self._partial, self._literal, self.alone = Marks(), Marks(), HitForMiss(policy.mark_s)
        self._growing: set[str] = set()
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
        in_ranges = key in self._growing or self._partial.has(key, now)
        text = wanted(request) if in_ranges else None
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
            return flight.join(request, reply)
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
        collapsed: bool = False,
    ) -> None:
        had = entity.gzip
        chosen = select(request, entity)
        if key and entity.gzip is not had and entity.gzip is not None:
            self.store.weigh(key, entity)
        self._host.tally.requests[outcome] += 1
        reply(Response(chosen, outcome, None if entity.own else entity.age_at(now), collapsed))

    # -- upstream

    def prefetch(self, key: str, now: float, *, listed: bool) -> None:
        """Fetch `key` unless it is here or on its way. Rule 149: once it is `listed`, an earlier 404 is void."""
        if key not in self._flights:
            entity = self.store.peek(key)
            if entity is None or not entity.fresh_at(now) or (listed and entity.status >= 400):
                self._launch(key, None, purpose=Purpose.PREFETCH)

    def learn(self, model: MediaPlaylist) -> None:
        """What rules count in, from a media playlist."""
        self.least_part_s = min(self.least_part_s, model.part_target or self.least_part_s)
        self.target_duration_s = max(self.target_duration_s, min(float(model.target_duration), MOST_TARGET_S))

    def growing(self, keys: Iterable[str], grown: Iterable[str]) -> None:
        """Followed playlists name ranges of `keys`, which have no end yet; `grown` have one now."""
        self._growing.difference_update(grown)
        for key in keys:
            self._growing.add(key)
            self.store.remove(key)

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

        def done(answer: UpstreamAnswer) -> None:
            self._open -= purpose is Purpose.OBJECT
            self._blocking -= purpose is Purpose.BLOCKING
            if self._flights.get(at) is flight:
                del self._flights[at]
            self._lone.discard(flight)
            self._host.tally.fetched(purpose, answer)
            if answer.status in (206, 416):
                self._landed_range(flight, answer, alone=alone)
            else:
                self._landed(flight, answer, alone=alone)

        hedge_s = late_after(self.least_part_s) if purpose is Purpose.PREFETCH else None
        request = UpstreamRequest(key, purpose, etag, modified, text, loop=loop, hedge_s=hedge_s)
        flight.cancel = self._host.upstream.fetch(request, done)
        return flight

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
            self.learn(model)
            for part in in_ranges(model, key):
                self._partial.set(part, answer.at + PARTIAL_S)
        shape, life = self._judged(key, answer.status, answer, model)
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
        _, life = self._judged(flight.key, 200 if answer.status == 206 else 416, answer)
        entity = received(answer, life, self._via)
        entity.headers += (("Content-Range", answer.get("content-range") or "bytes */*"),)
        if life.keep and life.lifetime > 0 and not open_ended(text) and not flight.void:
            self.store.put(key_of(flight.key, text), entity)
        waiters = flight.take()
        others: list[Waiter] = []
        self.alone.judged(flight.key, life.why, now)
        if not life.share and not alone:
            waiters, others = waiters[:1], waiters[1:]
        self._send_all(flight, waiters, entity, now, alone=alone)
        self._host.again(others, now)

    def _settle(self, flight: Flight, answer: UpstreamAnswer, life: Life, *, alone: bool, ignores: bool) -> None:
        """Store a usable answer and send it to those whom it answers."""
        now, key = answer.at, flight.key
        entity = received(answer, life, self._via)
        if (
            life.keep
            and not flight.void
            and key not in self._growing
            and (life.lifetime > 0 or life.usable > 0 or entity.etag or entity.last_modified)
        ):
            self.store.put(key, entity)
        elif not flight.void:
            self.store.remove(key)
        self.alone.judged(key, life.why, now)
        mine, others = self._divide(flight, now, ignores=ignores or answer.status >= 400)
        if not life.share and not alone:
            mine, others = mine[:1], mine[1:] + others
        self._send_all(flight, mine, entity, now, alone=alone, stored=answer.stored)
        self._host.again(others, now)

    def _divide(self, flight: Flight, now: float, *, ignores: bool) -> tuple[list[Waiter], list[Waiter]]:
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
        _, life = self._judged(flight.key, 200, whole, model_of(flight.key, whole))
        stored.received, stored.age = answer.at, upstream_age(answer)
        stored.headers, stored.gzip, stored.wire = freshened(stored, answer), None, {}
        self.store.weigh(flight.key, stored)
        stored.lifetime, stored.usable = life.lifetime, max(life.usable, stored.usable)
        self._send_all(flight, waiters, stored, answer.at)

    def _unusable(self, flight: Flight, stored: Entity | None, answer: UpstreamAnswer) -> None:
        """The upstream failed: stale where rule 163 allows, else an error that says why and is kept by nobody."""
        now = answer.at
        if stored is not None and stored.status == 200 and stored.seconds_old(now) <= stored.usable:
            for waiter in flight.take():
                self._answer(waiter.request, waiter.reply, stored, Outcome.STALE, now, key=flight.key)
            return
        if answer.failure is Failure.TOO_LARGE and flight.range is None:
            # Too large to be had whole. Who wants a range of it can have that.
            self._partial.set(flight.key, now + PARTIAL_S)
            waiters = flight.take()
            ranges = [waiter for waiter in waiters if wanted(waiter.request) is not None]
            self._host.again(ranges, now)
            error = failed(answer, playlist=False)
            self._send_all(flight, [waiter for waiter in waiters if wanted(waiter.request) is None], error, now)
            return
        error = failed(answer, playlist=path_of(flight.key).endswith((".m3u8", ".m3u")))
        self._send_all(flight, flight.take(), error, now)

    def _send_all(
        self,
        flight: Flight,
        waiters: list[Waiter],
        entity: Entity,
        now: float,
        *,
        alone: bool = False,
        stored: bool = False,
    ) -> None:
        own = Outcome.FETCH if not stored else Outcome.HIT if entity.fresh_at(now) else Outcome.STALE
        for waiter in waiters:
            outcome = Outcome.PASS if alone else own if stored or waiter is flight.asker else Outcome.JOIN
            self._answer(waiter.request, waiter.reply, entity, outcome, now, key=flight.key, collapsed=len(waiters) > 1)
        self._host.handed(len(waiters))

    def _judged(
        self, key: str, status: int, answer: UpstreamAnswer, model: MediaPlaylist | None = None
    ) -> tuple[Shape, Life]:
        shape = shape_of(key, answer, listed=self.store.marked(key))
        playlist = model is not None if status == 200 and answer.body else None
        life = self._policy.judge(
            status,
            answer.get,
            shape,
            answer.unix,
            self.kinds.of(key, answer.get("content-type") or "", media_playlist=playlist),
            live=model is not None and not model.ended,
            target_duration=float(model.target_duration) if model is not None else self.target_duration_s,
            part_target=self.least_part_s,
        )
        return shape, life

    def adopt(self, key: str, entity: Entity) -> None:
        """Keep what a follower leaves behind, for its lifetime."""
        if entity.lifetime > 0:
            self.store.put(key, entity)

    def purge(self, scope: Scope, now: float, *, soft: bool) -> Purged:
        """Forget what `scope` covers, or take it for stale; what is on its way will not be kept."""
        voided = scope.void(self._flights, self._lone)
        for marks in (self.alone, self._partial, self._literal):
            marks.forget(scope.covers)
        return Purged(self.store.purge(scope.of(self.store.index), now, soft=soft), flights=voided)

    def stop(self) -> None:
        """End every upstream request; nobody is answered any more."""
        for flight in list(self._flights.values()):
            flight.take()
            if flight.cancel is not None:
                flight.cancel()
        self._flights.clear()
