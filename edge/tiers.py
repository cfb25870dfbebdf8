"""Several upstreams, or one, as one (`message.Upstream`): choice, failover, hedging. Sans-IO.

    fetch ─> choose ─> ask ── good ──────────────────────────────> done
                        ├─ failed ─> the next that may be asked ─> ask …, else park or done with the failure
                        └─ overdue ─> ask another as well; the first good answer is the one

A body that the core takes while it comes (`message.Arriving`) belongs to the upstream whose head was first: the others
are left. Where it breaks off, the core asks for the rest, and says whom to avoid.

Whoever is asked for a part, a segment or an init section has named it in a playlist of its own, as far as playlists
are known: names of two origins never mix. Where the only namers have failed, the request is parked until another
upstream's playlist names it too (a shield took over), or until `PARK_S`.
A held playlist request that fails goes back to its follower, which asks plainly, to learn the new upstream's names.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .growing import Flow
from .homes import Homes
from .join import Join
from .lineage import Lineage
from .member import Member, ProbeRules
from .message import Arriving, Cancel, Done, Failure, Purpose, UpstreamAnswer, UpstreamRequest

PARK_S = 3.0
"""How long a request waits for another upstream to name what is asked for. Why: a follower asks plainly within 0.2 s
and then every 2 s; a player waits about as long as its hold-back, 1.5 s and more."""
AGAIN_S = 0.25
"""Until a parked request may try those that failed it once more."""
MAX_TRIES = 4
"""Upstreams that one request is sent to, one after the other. Why: what four cannot answer, a fifth seldom can."""
MAX_HEDGES = 512
"""Second requests under way at once. Why: when everything is slow, asking twice makes it slower."""
EXPIRE_EVERY_S = 1.0
MAX_NOTICES = 100


@dataclass(frozen=True, slots=True)
class TierRules:
    """From `config.settings_upstream.EdgeTiers`, and the node's name."""

    node: str
    probes: ProbeRules
    slow_start_s: float
    load_factor: float


@dataclass(frozen=True, slots=True)
class Notice:
    """Something for the log: `event` is one of a fixed set of words, `key` a playlist's or empty."""

    event: str
    upstream: str
    key: str = ""


class _Call:
    """One request of the core and all that was asked for it."""

    __slots__ = (
        "done",
        "hedge_at",
        "hedged",
        "last",
        "live",
        "parked",
        "relayed",
        "request",
        "retry_at",
        "stream",
        "tried",
        "tries",
    )

    def __init__(self, request: UpstreamRequest, done: Done, stream: str, now: float) -> None:
        self.request = request
        self.done = done
        self.stream = stream
        self.tried: set[int] = set()
        self.tries = 0
        self.live: dict[Member, Cancel] = {}
        self.hedge_at = now + request.hedge_s if request.hedge_s is not None else float("inf")
        self.hedged: Member | None = None
        self.parked = float("inf")
        """When a parked request is given up; infinite: it is not parked."""
        self.retry_at = 0.0
        self.last: UpstreamAnswer | None = None
        self.relayed: Member | None = None
        """Whose answer goes to the core while it comes."""


class _Ear:
    """`message.Arriving` of one upstream: hands on what is the core's."""

    def __init__(self, tiers: Tiers, call: _Call, member: Member, arriving: Arriving) -> None:
        self._tiers = tiers
        self._call = call
        self._member = member
        self._arriving = arriving

    def head(self, answer: UpstreamAnswer, length: int | None, flow: Flow) -> bool:
        """It is taken unless another upstream's is."""
        return self._tiers.relays(self._call, self._member, self._arriving, answer, length, flow)

    def piece(self, data: bytes, at: float) -> None:
        """Nobody but the one whose head was taken has any."""
        self._arriving.piece(data, at)


class Tiers:
    """`message.Upstream` and `paths.Paths` of a node.

    `now` is heard from the shell's timer and from answers: nothing here has to be exact to better than a tick.
    """

    def __init__(self, members: Sequence[Member], rules: TierRules, now: float) -> None:
        self.members = tuple(members)
        self.several = len(self.members) > 1
        self.notices: deque[Notice] = deque(maxlen=MAX_NOTICES)
        self._rules = rules
        self._now = now
        self._names = {member.name: member for member in members}
        self._lineage = Lineage()
        self._homes = Homes(self.members, rules.node, rules.load_factor, rules.slow_start_s)
        self._calls: dict[_Call, None] = {}
        self._hedges = 0
        self._expire_at = now
        self.ailing = False
        self._up = dict.fromkeys(self.members, True)

    # -- message.Upstream

    def fetch(self, request: UpstreamRequest, done: Done) -> Cancel:
        """Ask the upstream that should have it; `done` is called once, from a later event."""
        call = _Call(request, done, self._lineage.stream_of(request.target), self._now)
        if request.avoid in self._names:
            call.tried.add(self._names[request.avoid].index)
        self._calls[call] = None
        member = self._choose(call)
        if member is None:
            self._park(call)
        else:
            self._ask(call, member)

        def cancel() -> None:
            self._drop(call)

        return cancel

    def _choose(self, call: _Call) -> Member | None:
        """Who is asked next; None when there is nobody, or only such as have failed while others may yet serve."""
        request, homes, now = call.request, self._homes, self._now
        order = homes.order(call.stream, now, siblings=not request.loop)
        source = self._names.get(request.source)
        if source is not None:
            order = [source, *(member for member in order if member is not source)]
        playlist = request.purpose in (Purpose.PLAYLIST, Purpose.BLOCKING)
        fit = [
            member
            for member in order
            if member.index not in call.tried and (playlist or self._lineage.named_by(request.target, member.index))
        ]
        well = [member for member in fit if homes.well(member, call.stream, now)]
        if well:
            return well[0]
        if call.tries or any(homes.well(member, call.stream, now) for member in order):
            return None
        # Nobody is well: then the best of those that are not, rather than nothing.
        return fit[0] if fit else None

    def _ask(self, call: _Call, member: Member) -> None:
        call.tried.add(member.index)
        call.tries += 1
        call.parked = float("inf")
        member.breaker.sent(self._now)
        request = call.request
        if request.arriving is not None:
            request = replace(request, arriving=_Ear(self, call, member, request.arriving))
        call.live[member] = member.upstream.fetch(request, lambda answer: self._answered(call, member, answer))

    def relays(
        self, call: _Call, member: Member, arriving: Arriving, answer: UpstreamAnswer, length: int | None, flow: Flow
    ) -> bool:
        """A good head came from `member`; True: the core takes its body as it comes, and nobody else's."""
        self._now = max(self._now, answer.at)
        if call.relayed is not None or member not in call.live:
            return False
        if not arriving.head(replace(answer, source=member.name), length, flow):
            return False
        call.relayed = member
        for other in [each for each in call.live if each is not member]:
            call.live.pop(other)()
        return True

    def _answered(self, call: _Call, member: Member, answer: UpstreamAnswer) -> None:
        self._now = max(self._now, answer.at)
        del call.live[member]
        member.heard(answer)
        self.ailing = self.ailing or not member.up
        if call.relayed is not None or not self._again(call, member, answer):
            self._finish(call, member, answer)
            return
        call.last = _better(call.last, replace(answer, source=member.name))
        if call.live:  # the other one may still be good
            return
        following = self._choose(call) if call.tries < MAX_TRIES else None
        if following is not None:
            member.counts.failovers += 1
            self._ask(call, following)
        elif self._may_be_named(call):
            self._park(call)
        else:
            self._end(call, call.last)

    def _again(self, call: _Call, member: Member, answer: UpstreamAnswer) -> bool:
        """Whether somebody else should be heard before this answer is believed."""
        request = call.request
        if answer.failure is Failure.TOO_LARGE or (answer.failure is None and answer.status < 400):
            return False
        if call.live:
            return True
        if request.purpose is Purpose.PLAYLIST and request.held:
            return False
        if answer.failure is not None or answer.status >= 500:
            return True
        # A playlist may be somewhere else; so may what another upstream's playlist names as well.
        return answer.status == 404

    def _finish(self, call: _Call, member: Member, answer: UpstreamAnswer) -> None:
        if call.hedged is member:
            member.counts.hedges_won += 1
        homes, now = self._homes, self._now
        serves = answer.status == 200 and call.request.purpose is not Purpose.PLAYLIST
        if serves and not homes.settled(call.stream, now):
            home = homes.order(call.stream, now, siblings=not call.request.loop)[0]
            if home is not member and not homes.well(home, call.stream, now):
                homes.settle(call.stream, member, now)
        self._end(call, replace(answer, source=member.name))

    def _end(self, call: _Call, answer: UpstreamAnswer) -> None:
        done = call.done
        self._drop(call)
        done(answer)

    def _drop(self, call: _Call) -> None:
        if call in self._calls:
            del self._calls[call]
            self._hedges -= call.hedged is not None
            for cancel in call.live.values():
                cancel()
            call.live.clear()

    # -- parking: named by those alone that have failed

    def _may_be_named(self, call: _Call) -> bool:
        """Whether another upstream that is well may come to name what nobody could answer now."""
        target, last = call.request.target, call.last
        if call.request.purpose in (Purpose.PLAYLIST, Purpose.BLOCKING) or (last and last.failure is None):
            return False
        return any(
            not self._lineage.named_by(target, member.index) and self._homes.well(member, call.stream, self._now)
            for member in self.members
        )

    def _park(self, call: _Call) -> None:
        call.parked = self._now + PARK_S
        call.retry_at = self._now + AGAIN_S

    # -- time

    def handle_timeout(self, now: float) -> None:
        """Whatever is due: probes, second requests, parked requests."""
        self._now = max(self._now, now)
        for member in self.members:
            member.probe(self._rules.probes, now)
            if member.up is not self._up[member]:
                self._up[member] = member.up
                self.notices.append(Notice("upstream-up" if member.up else "upstream-down", member.name))
        self.ailing = self._homes.ailing
        for call in list(self._calls) if self.several else ():
            if call not in self._calls:  # an answer given just now made somebody cancel it
                continue
            if call.parked <= now:
                self._end(call, call.last or UpstreamAnswer(now, 0.0, failure=Failure.ORPHAN))
            elif not call.live:
                self._unpark(call, now)
            elif call.hedged is call.relayed is None and (
                now >= call.hedge_at or (self.ailing and self._stranded(call, now))
            ):
                self._hedge(call)
        if now >= self._expire_at:
            self._expire_at = now + EXPIRE_EVERY_S
            self._homes.expire(now)

    def _unpark(self, call: _Call, now: float) -> None:
        if now >= call.retry_at:  # those that failed it, once more
            call.retry_at = float("inf")
            call.tried.clear()
        member = self._choose(call) if call.tries < MAX_TRIES else None
        if member is not None:
            self._ask(call, member)

    def _stranded(self, call: _Call, now: float) -> bool:
        return not any(self._homes.well(member, call.stream, now) for member in call.live)

    def _hedge(self, call: _Call) -> None:
        member = self._choose(call) if self._hedges < MAX_HEDGES else None
        if member is not None:
            self._hedges += 1
            call.hedged = member
            member.counts.hedges += 1
            self._ask(call, member)

    def stop(self) -> None:
        """End every request; nobody is answered any more."""
        for call in list(self._calls):
            self._drop(call)
        for member in self.members:
            member.stop()

    # -- paths.Paths

    def gone(self, key: str, source: str, now: float) -> bool:
        """Whether `source` has failed, as a whole or for the stream of `key`."""
        if not self.several or not self.ailing:
            return False
        member = self._names.get(source)
        return member is None or not member.up or not self._homes.well(member, self._lineage.stream_of(key), now)

    def stands_still(self, key: str, source: str, now: float) -> None:
        """`source` answers, but the playlist at `key` makes no progress there."""
        member = self._names.get(source)
        if member is not None:
            member.counts.frozen += 1
            self._homes.freeze(self._lineage.stream_of(key), member, now)
            self.ailing = True
            self.notices.append(Notice("stream-stands-still", source, key))

    def taken_over(self, key: str, source: str, now: float, at: Join | None, *, changed: bool) -> None:
        """The playlist at `key` is followed at `source` now."""
        member = self._names[source]
        member.counts.taken_over += 1
        member.counts.taken_over_changed += changed
        stream = self._lineage.stream_of(key)
        self._homes.settle(stream, member, now)
        self._homes.joined(stream, member, at, changed=changed)
        if changed:
            self._give_up(stream, member)
        self.notices.append(Notice("stream-taken-over-changed" if changed else "stream-taken-over", source, key))

    def _give_up(self, stream: str, member: Member) -> None:
        """What only the presentation before has, and is not here yet, does not come any more (with the next tick)."""
        for call in self._calls:
            playlist = call.request.purpose in (Purpose.PLAYLIST, Purpose.BLOCKING)
            if call.stream == stream and not playlist and not self._lineage.named_by(call.request.target, member.index):
                call.parked = self._now

    def join_of(self, key: str, source: str) -> Join | None:
        """How viewers of the stream of `key` were joined to its presentation at `source`, if they were."""
        member = self._names.get(source)
        return self._homes.join_of(self._lineage.stream_of(key), member) if member is not None else None

    def names(self, keys: Iterable[str], source: str) -> None:
        """A playlist of `source` names these."""
        if self.several and source in self._names:
            self._lineage.name(keys, self._names[source].index)

    def leads_to(self, key: str, children: Iterable[str]) -> None:
        """The multivariant playlist at `key` names these playlists."""
        self._lineage.leads_to(key, children)

    def beside(self, key: str, others: Iterable[str]) -> None:
        """The media playlist at `key` reports on these."""
        self._lineage.beside(key, others)


def _better(one: UpstreamAnswer | None, other: UpstreamAnswer) -> UpstreamAnswer:
    """Of two answers that are no good, the one that says more: a status before a failure, 404 before 5xx."""
    if one is None:
        return other
    return min(one, other, key=lambda answer: (answer.failure is not None, answer.status >= 500))
