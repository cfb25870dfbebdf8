"""The request core: what every viewer front end talks to. Sans-IO.

    handle(request) ─┬─ follower of that playlist ──> answer now, or a place in a line
                     ├─ stored and fresh ───────────> answer now
                     ├─ on its way ─────────────────> join the flight
                     └─ else ───────────────────────> a flight of its own

A media playlist is found out to be live by its first answer; whoever waited for that is then sent round again, to
the new follower. What an answer says about sharing it is known only when it is there: those who may not share it
are sent round likewise, each with a fetch of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from headwater.origin.hls.model import MediaPlaylist

from . import cmcd
from .cmcd import QUERY
from .collapse import Answers, Flight, Waiter
from .entities import PREFLIGHT, RETRY_AFTER_S, local, received
from .follow import Follower, State
from .freshness import Shape
from .gate import Gate
from .keys import BadTarget, Target, read_target, resolve
from .loops import looping
from .marks import HitForMiss
from .message import Entity, Method, Outcome, Reply, Request, Response, Tally, Ticket, Upstream, UpstreamAnswer
from .objects import Objects
from .overrides import Kind, Kinds, Policy
from .paths import Paths
from .places import Place
from .purge import Order, Purged, Purges, Scope, named_by, scope_of, without_token
from .select import select
from .store import Store
from .viewers import Audience, Visitor

TICK_S = 0.05
"""How often a shell calls `handle_timeout`: finer than any wait that a viewer could notice."""

MAX_ROUNDS = 4
"""How often a request is sent round again before it is refused."""
MAX_TARGETS = 8_192
"""Parsed request-targets that are remembered. Why: all viewers ask for the same few."""
MAX_TARGET_BYTES = 512
"""Longest of those, so that their memory is bounded."""


@dataclass(frozen=True, slots=True)
class CoreLimits:
    """What the core may use, from `config.settings.Edge`."""

    node: str
    """Name in Via; empty: none is added."""
    cache_bytes: int
    held: int
    followers: int
    follow_grace_s: float
    viewer_key: bytes
    """Secret under which viewers are hashed to be counted; `viewers.KEY_BYTES`."""
    policy: Policy = Policy()  # noqa: RUF009  (immutable)
    object_bytes: int = 64 << 20


class Observer(Protocol):
    """Hears of wakes, to measure them; the core has no clock of its own."""

    def waking(self, count: int) -> None:
        """About to answer `count` held viewers in one go."""

    def woke(self, count: int) -> None:
        """Done."""

    def handed(self, count: int) -> None:
        """Answered `count` viewers who waited for the object that has just come."""


class Core:
    """One cache with one upstream. Every method that takes `now` wants monotonic seconds that never go back."""

    def __init__(
        self,
        limits: CoreLimits,
        upstream: Upstream,
        observer: Observer,
        ready: Callable[[], bool],
        paths: Paths,
        cdn_id: str,
    ) -> None:
        """`paths` chooses what `upstream` asks, where that is several. `cdn_id`: this process's entry in CDN-Loop."""
        self.tally = Tally()
        self.gate: Gate | None = None
        """Set: nothing is looked up without a playback token."""
        self.purges = Purges()
        self.upstream = upstream
        self.paths = paths
        self._cdn_id = cdn_id
        self.waking = observer.waking
        self.woke = observer.woke
        self.handed = observer.handed
        self.audience = Audience(limits.viewer_key, limits.followers)
        self._limits = limits
        self._ready = ready
        self._via = f"1.1 {limits.node}" if limits.node else ""
        self._targets: dict[bytes, Target | BadTarget] = {}
        self._followers: dict[str, Follower] = {}
        self._objects = Objects(
            self, limits.cache_bytes, self._via, limits.followers, limits.policy, limits.object_bytes
        )
        self.edition = self._objects.store.edition
        """Of what `stored` says."""

    @property
    def followers(self) -> int:
        """Playlists that are followed now."""
        return len(self._followers)

    def following(self) -> list[Follower]:
        """All followers."""
        return list(self._followers.values())

    @property
    def flights(self) -> int:
        """Objects on their way now."""
        return self._objects.flights

    @property
    def fills(self) -> int:
        """Those of them that go to viewers while they come."""
        return len(self._objects.fills)

    @property
    def store(self) -> Store:
        """What is kept."""
        return self._objects.store

    # -- viewers

    def handle(self, request: Request, reply: Reply, now: float) -> Ticket | None:
        """Answer `request` through `reply`, at once (None) or later (the ticket to cancel when the viewer leaves)."""
        report = None
        if request.cmcd is not None or QUERY in request.target:
            report = self._take_report(request)
        if self.gate is not None and (refusal := self._refused(self.gate, request, now)) is not None:
            self.send(request, reply, refusal, Outcome.REJECT, now)
            return None
        return self.look_up(request, reply, now, report)

    def _refused(self, gate: Gate, request: Request, now: float) -> Entity | None:
        """The gate's answer; None: the request may go on, without its token."""
        token, in_query = gate.take(request)
        target = self._targets.get(request.target) or self._read(request.target)
        if isinstance(target, BadTarget) or request.method is Method.OPTIONS:
            return None
        return gate.judge(token, in_query, target, request, now)

    def look_up(
        self, request: Request, reply: Reply, now: float, report: cmcd.Report | cmcd.Fault | None = None
    ) -> Ticket | None:
        """Answer a request that is past the gate, or the edge's own."""
        target = self._targets.get(request.target) or self._read(request.target)
        if isinstance(target, BadTarget):
            # What another server could read differently ends the connection too: nothing behind it is believed.
            self.tally.refuse("target")
            self.tally.requests[Outcome.REJECT] += 1
            reply(Response(local(400, target.reason), Outcome.REJECT, None, final=True))
            return None
        if request.loop and (reason := looping(request.loop, self._cdn_id)) is not None:
            self.tally.refuse("loop")
            self.send(request, reply, local(508, reason), Outcome.REJECT, now)
            return None
        if report is not None:
            self.audience.report(report, request.visitor, target.path)
        if request.method is Method.OPTIONS:
            self.send(request, reply, PREFLIGHT, Outcome.REJECT, now)
            return None
        follower = self._follower(target)
        if follower is not None:
            if request.visitor is not None:
                self.audience.look(request.visitor, request.agent, follower.key)
            return follower.ask(request, reply, target, now)
        if target.path in ("/healthz", "/readyz"):
            self._health(request, reply, target.path, now)
            return None
        return self._objects.ask(request, reply, target, now)

    def _follower(self, target: Target) -> Follower | None:
        """Of the playlist that is asked for."""
        follower = self._followers.get(target.plain)
        if follower is None and target.plain is not target.path and target.playlist_like:
            follower = self._followers.get(target.path)
        return follower

    def place(self, request: Request) -> Place | None:
        """Where `request` waits, for `hold`; None: it does not, or not everybody who sends the same may."""
        target = self._targets.get(request.target)
        if self.gate is not None or request.loop or target is None or isinstance(target, BadTarget):
            return None
        follower = self._follower(target)
        return follower.place(request, target.directives) if follower is not None else None

    def hold(self, place: Place, visitor: Visitor | None, reply: Reply, now: float) -> Ticket | None:
        """As `handle`, for a request that is the same as the one at `place`; None: it has to be handled."""
        if place.over or self.gate is not None or self.tally.held >= self._limits.held:
            return None
        if visitor is not None:
            self.audience.look(visitor, place.request.agent, place.follower.key)
        return place.join(reply, now)

    def stored(self, key: str, now: float) -> Entity | None:
        """What a plain request for the path `key` is answered with from the store; None: it has to be handled."""
        if self.gate is not None or key in self._followers:
            return None
        entity = self._objects.store.get(key)
        return entity if entity is not None and entity.status == 200 and entity.fresh_at(now) else None

    def _take_report(self, request: Request) -> cmcd.Report | cmcd.Fault | None:
        """What the player tells, taken out of the request: nothing after this sees it."""
        fields, request.cmcd = request.cmcd, None
        request.target, query = cmcd.take(request.target)
        return cmcd.gather(query, fields) if query is not None or fields is not None else None

    def _read(self, raw: bytes) -> Target | BadTarget:
        target = read_target(raw)
        if len(raw) <= MAX_TARGET_BYTES:
            if len(self._targets) >= MAX_TARGETS:
                self._targets.clear()
            self._targets[raw] = target
        return target

    def _health(self, request: Request, reply: Reply, path: str, now: float) -> None:
        well = path == "/healthz" or self._ready()
        entity = local(200, "alive") if well else local(503, "draining", retry_after=RETRY_AFTER_S)
        self.send(request, reply, entity, Outcome.REJECT, now)

    # -- what objects and followers need (objects.Host, follow.Host)

    def send(self, request: Request, reply: Reply, entity: Entity, outcome: Outcome, now: float) -> None:
        """Answer one viewer with the right form of `entity`."""
        self.tally.requests[outcome] += 1
        reply(Response(select(request, entity), outcome, entity.age_told(now)))

    def send_all(self, waiters: Iterable[Waiter], entity: Entity, outcome: Outcome, now: float) -> None:
        """Answer many viewers, each with the right form of `entity`."""
        answers, count = Answers(entity, now), 0
        request: Request | None = None
        for waiter in waiters:
            if waiter.request is not request:  # most have one between them (`places`)
                request = waiter.request
                answer = answers.of(select(request, entity), outcome)
            waiter.reply(answer)
            count += 1
        self.tally.requests[outcome] += count

    def room(self) -> bool:
        """Whether one more viewer may wait; a refusal is counted."""
        if self.tally.held < self._limits.held:
            return True
        self.tally.refuse("held")
        return False

    def target_of(self, request: Request) -> Target:
        """The parsed target of a request that was valid."""
        target = self._targets.get(request.target) or self._read(request.target)
        assert isinstance(target, Target)  # only valid targets wait
        return target

    def again(self, waiters: list[Waiter], now: float) -> None:
        """Handle these requests anew, their tickets staying valid."""
        for waiter in waiters:
            waiter.request.rounds += 1
            if waiter.request.rounds > MAX_ROUNDS:
                error = local(503, "the upstream's answers keep changing", retry_after=RETRY_AFTER_S)
                self.send(waiter.request, waiter.reply, error, Outcome.REJECT, now)
                continue
            waiter.follow(self.look_up(waiter.request, waiter.reply, now))

    def found_live(self, flight: Flight, answer: UpstreamAnswer, model: MediaPlaylist) -> bool:
        """Follow the playlist at the flight's key from now on; False when it is one too many."""
        key = flight.key
        if key not in self._followers:
            if len(self._followers) >= self._limits.followers:
                self.tally.refuse("followers")
                return False
            follower = Follower(
                key, self, answer, model, grace_s=self._limits.follow_grace_s, via=self._via, loop=flight.loop
            )
            self.paths.beside(key, [at for report in model.reports if (at := resolve(key, report.uri)) is not None])
            self._followers[key] = follower
            self.store.remove(key)
            follower.start(answer.at)
            if flight.void:
                follower.ask_anew(answer.at)
        self.again(flight.take(), answer.at)
        return True

    def prefetch(self, keys: Iterable[str], now: float, *, listed: bool) -> None:
        """Fetch what viewers will ask for, unless it is here or on its way."""
        for key in keys:
            if key not in self._followers:
                self._objects.prefetch(key, now, listed=listed)

    @property
    def via(self) -> str:
        """Our entry of the Via field."""
        return self._via

    @property
    def kinds(self) -> Kinds:
        """What is a part and what an init section."""
        return self._objects.judge.kinds

    @property
    def alone(self) -> HitForMiss:
        """URLs that nobody queues for."""
        return self._objects.alone

    def window(self, added: Iterable[str], dropped: Iterable[str]) -> None:
        """Keep the live window from being evicted first."""
        self.store.mark(added)
        self.store.release(dropped)

    def growing(self, keys: Iterable[str], grown: Iterable[str]) -> None:
        """Files whose parts are byte ranges: such as still grow, and such as do not any more."""
        self._objects.kept.grow(keys, grown)

    def finished(self, follower: Follower, answer: UpstreamAnswer) -> None:
        """A follower ended: what it leaves is a plain object from now on."""
        if self._followers.get(follower.key) is follower:
            del self._followers[follower.key]
        if follower.state is State.STOPPED:
            return
        duration = float(follower.version.model.target_duration)
        life = self._limits.policy.judge(
            answer.status,
            answer.get,
            Shape.PLAYLIST,
            answer.unix,
            Kind.PLAYLIST,
            live=not follower.version.model.ended,
            target_duration=duration,
        )
        entity = received(answer, life, self._via)
        self._objects.adopt(follower.key, entity)
        for waiter in follower.take_waiters():
            self.send(waiter.request, waiter.reply, entity, Outcome.JOIN, answer.at)

    def uncounted(self, outcome: Outcome) -> None:
        """The last answer with this outcome went to no viewer (pins.Core)."""
        self.tally.requests[outcome] -= 1

    def purge(self, order: Order, now: float) -> tuple[Scope, Purged]:
        """Carry out `order` on what is in memory: the keys that it was about, and what there was."""
        if self.gate is not None:  # as it was copied from a viewer's address bar
            order = without_token(order, self.gate)
        playlists = {key: follower.version for key, follower in self._followers.items()}
        scope = scope_of(order, named_by(order, self.store, playlists))
        purged = self._objects.purge(scope, now, soft=order.soft)
        for follower in self.following():
            if scope.covers(follower.key):
                follower.ask_anew(now)
                purged.followers += 1
        self.purges.count(order.what, purged.objects + purged.followers)
        return scope, purged

    # -- time

    def handle_timeout(self, now: float) -> None:
        """Let followers do what is due; to be called every `TICK_S`."""
        for follower in list(self._followers.values()):
            follower.handle_timeout(now)
        self._objects.fills.handle_timeout(now)
        self.store.sweep(now)
        self.alone.expire(now)
        self.audience.handle_timeout(now)

    def drain(self, now: float) -> None:
        """Answer held playlist requests with what there is now."""
        for follower in self._followers.values():
            follower.release(now)

    def stop(self) -> None:
        """End every upstream request; nobody is answered any more."""
        for follower in list(self._followers.values()):
            follower.stop()
        self._followers.clear()
        self._objects.stop()
