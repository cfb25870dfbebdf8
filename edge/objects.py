"""Plain objects: everything that is not a followed playlist. What is stored, and what is on its way. Sans-IO.

An honest shared cache (RFC 9111): one upstream request per URL in flight however many wait (rule 160), lifetimes as
the upstream states them, errors as rules 146-149 say, stale answers as rule 163 allows.
"""

from __future__ import annotations

from typing import Protocol

from headwater.origin.hls.model import MediaPlaylist

from .collapse import Flight, Waiter
from .entities import crowded, is_media, is_playlist, local, received, upstream_age
from .freshness import NEGATIVE_UNKNOWN_S, PRIVATE_MARK_S, Life, Shape, judge
from .keys import Target, read_target
from .message import (
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
from .select import select
from .store import Store
from .version import followable, read_playlist

RETRY_AFTER_S = 1
MAX_FLIGHTS = 2_000
"""Upstream requests under way for viewers. Why: whoever asks for a new name and leaves costs one and holds none."""
MAX_MARKS = 10_000
"""Remembered URLs of a kind: private, or not followed."""
LITERAL_S = 30.0
"""How long a URL that proved not to be a live playlist is taken with its whole query."""


class Host(Protocol):
    """What objects need of the core."""

    tally: Tally
    upstream: Upstream

    def room(self) -> bool:
        """Whether one more viewer may wait."""

    def target_of(self, request: Request) -> Target:
        """The parsed target of a request that was valid."""

    def again(self, waiters: list[Waiter], now: float) -> None:
        """Handle these requests anew."""

    def found_live(self, flight: Flight, answer: UpstreamAnswer, model: MediaPlaylist) -> bool:
        """The URL is a live playlist. True: it is followed now, and who waited was sent there."""


class Objects:
    """The store and the flights of one edge."""

    def __init__(self, host: Host, cache_bytes: int, via: str) -> None:
        self.store = Store(cache_bytes)
        self.least_part_s = NEGATIVE_UNKNOWN_S
        """The shortest part target seen, and the longest target duration: for rules that count in them."""
        self.target_duration_s = 0.0
        self._host = host
        self._via = via
        self._flights: dict[str, Flight] = {}
        self._open = 0
        """Upstream requests under way: the flights, and those that nobody may join."""
        self._alone: dict[str, float] = {}
        self._literal: dict[str, float] = {}

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
        if not self._host.room():
            self._answer(request, reply, crowded(), Outcome.REJECT, now)
            return None
        alone = self._alone.get(key, 0.0) > now
        flight = self._flights.get(key)
        if flight is not None and not alone:
            return flight.join(request, reply)
        if self._open >= MAX_FLIGHTS:
            self._host.tally.refuse("flights")
            self._answer(request, reply, crowded(), Outcome.REJECT, now)
            return None
        if alone:
            return self._launch(key, entity, alone=True).join(request, reply)
        flight = self._launch(key, entity)
        flight.asker = flight.join(request, reply)
        return flight.asker

    def _key(self, target: Target, now: float) -> str:
        """Which URL to ask the upstream for: without what a live playlist would be followed without."""
        if target.full is target.path:
            return target.path
        # What is stored at the bare path is known not to be live: queries may make another object of it.
        known = self._literal.get(target.path, 0.0) > now or self.store.peek(target.path) is not None
        if target.playlist_like and target.plain != target.path and not known:
            return target.path
        if target.asked and self._literal.get(target.plain, 0.0) > now:
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

    def prefetch(self, key: str, now: float) -> None:
        """Fetch `key` unless it is here or on its way."""
        if key not in self._flights:
            entity = self.store.peek(key)
            if entity is None or not entity.fresh_at(now):
                self._launch(key, None, purpose=Purpose.PREFETCH)

    def _launch(
        self, key: str, stale: Entity | None, *, alone: bool = False, purpose: Purpose = Purpose.OBJECT
    ) -> Flight:
        flight = Flight(key, self._host.tally)
        self._open += 1
        if not alone:
            self._flights[key] = flight
        # RFC 9111 section 4.3.1: revalidate what is stored
        etag = modified = None
        if stale is not None and stale.status == 200:
            etag, modified = stale.etag, stale.last_modified

        def done(answer: UpstreamAnswer) -> None:
            self._open -= 1
            if self._flights.get(key) is flight:
                del self._flights[key]
            self._host.tally.fetched(purpose, answer)
            self._landed(flight, answer, alone=alone)

        flight.cancel = self._host.upstream.fetch(UpstreamRequest(key, purpose, etag, modified), done)
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
        model = None
        if answer.status == 200 and is_playlist(path_of(key), answer.get("content-type") or ""):
            model = read_playlist(answer.body)
        shape = self._shape(key, answer)
        duration = float(model.target_duration) if model is not None else self.target_duration_s
        life = judge(
            answer.status, answer.get, shape, answer.unix, target_duration=duration, part_target=self.least_part_s
        )
        live = model if model is not None and followable(model) else None
        may_follow = life.share and shape is Shape.PLAYLIST
        if live is not None and may_follow and self._host.found_live(flight, answer, live):
            return
        self._settle(flight, answer, life, alone=alone, ignores=model is not None and live is None)

    def _settle(self, flight: Flight, answer: UpstreamAnswer, life: Life, *, alone: bool, ignores: bool) -> None:
        """Store a usable answer and send it to those whom it answers."""
        now, key = answer.at, flight.key
        entity = received(answer, life, self._via)
        if life.keep and (life.lifetime > 0 or life.usable > 0 or entity.etag or entity.last_modified):
            self.store.put(key, entity)
        else:
            self.store.remove(key)
        if not life.share:
            _mark(self._alone, key, now + PRIVATE_MARK_S)
        mine, others = self._divide(flight, now, ignores=ignores or answer.status >= 400)
        if not life.share and not alone:
            mine, others = mine[:1], mine[1:] + others
        for waiter in mine:
            outcome = Outcome.PASS if alone else Outcome.FETCH if waiter is flight.asker else Outcome.JOIN
            self._answer(waiter.request, waiter.reply, entity, outcome, now, key=key, collapsed=len(mine) > 1)
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
            _mark(self._literal, key, now + LITERAL_S)
        return mine, others

    def _freshen(self, flight: Flight, stored: Entity | None, answer: UpstreamAnswer) -> None:
        """304: what is stored is good for another lifetime (RFC 9111 section 4.3.4)."""
        waiters = flight.take()
        if stored is None:  # evicted while it was asked for: once more, without conditions
            self._host.again(waiters, answer.at)
            return
        life = judge(
            200, answer.get, self._shape(flight.key, answer), answer.unix, target_duration=self.target_duration_s
        )
        stored.received, stored.age = answer.at, upstream_age(answer)
        if answer.get("cache-control") is not None or answer.get("expires") is not None:
            stored.lifetime, stored.usable = life.lifetime, max(life.usable, stored.usable)
        self._send_all(flight, waiters, stored, answer.at)

    def _unusable(self, flight: Flight, stored: Entity | None, answer: UpstreamAnswer) -> None:
        """The upstream failed: stale where rule 163 allows, else an error that says why and is kept by nobody."""
        now = answer.at
        if stored is not None and stored.status == 200 and stored.seconds_old(now) <= stored.usable:
            for waiter in flight.take():
                self._answer(waiter.request, waiter.reply, stored, Outcome.STALE, now, key=flight.key)
            return
        error = _failure(answer, playlist=path_of(flight.key).endswith((".m3u8", ".m3u")))
        self._send_all(flight, flight.take(), error, now)

    def _send_all(self, flight: Flight, waiters: list[Waiter], entity: Entity, now: float) -> None:
        for waiter in waiters:
            outcome = Outcome.FETCH if waiter is flight.asker else Outcome.JOIN
            self._answer(waiter.request, waiter.reply, entity, outcome, now, key=flight.key, collapsed=len(waiters) > 1)

    def _shape(self, key: str, answer: UpstreamAnswer) -> Shape:
        if answer.status >= 400:
            # A name that no playlist lists any more cannot be told from one that none lists yet (rule 149).
            return Shape.PLAYLIST if path_of(key).endswith((".m3u8", ".m3u")) else Shape.PENDING
        if is_playlist(path_of(key), answer.get("content-type") or ""):
            return Shape.BLOCKING if _read_key(key).asked else Shape.PLAYLIST
        if self.store.marked(key) or is_media(answer.get("content-type") or ""):
            return Shape.LISTED
        return Shape.OTHER

    def adopt(self, key: str, entity: Entity) -> None:
        """Keep what a follower leaves behind, for its lifetime."""
        if entity.lifetime > 0:
            self.store.put(key, entity)

    def stop(self) -> None:
        """End every upstream request; nobody is answered any more."""
        for flight in list(self._flights.values()):
            flight.take()
            if flight.cancel is not None:
                flight.cancel()
        self._flights.clear()


def path_of(key: str) -> str:
    """The path of a key."""
    return key.partition("?")[0]


def _read_key(key: str) -> Target:
    target = read_target(key.encode("ascii"))
    assert isinstance(target, Target)  # keys are canonical targets
    return target


def _failure(answer: UpstreamAnswer, *, playlist: bool) -> Entity:
    """502, 503 or 504 in plain words. A playlist that cannot be had now is 503: players come back for that."""
    if answer.failure is not None:
        status, reason = answer.failure.status, answer.failure.reason
    else:
        status = answer.status if answer.status in (503, 504) else 502
        reason = f"the upstream answered {answer.status}"
    return local(503 if playlist else status, reason, retry_after=_retry_after(answer))


def _retry_after(answer: UpstreamAnswer) -> int:
    text = answer.get("retry-after") or ""
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        return RETRY_AFTER_S
    return min(max(int(text), RETRY_AFTER_S), 60)


def _mark(marks: dict[str, float], key: str, until: float) -> None:
    if len(marks) >= MAX_MARKS:
        marks.clear()
    marks[key] = until
