"""Which upstream a stream lives at: rendezvous hashing with bounded load and slow start; and which streams stand
still where. Sans-IO.

A stream stays where it is as long as it is asked for and its home has not failed: moving costs a second copy of its
window upstream, and where origins do not agree on names it costs viewers a jump. Who returns gets streams that are
chosen anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from .join import Join
from .member import Member
from .rendezvous import most_streams, rank

IDLE_S = 60.0
"""Without a request until a stream has no home any more: a window of the default stream."""
MAX_HOMES = 20_000
FROZEN_S = 30.0
"""How long an upstream where a stream stood still is asked for it last."""
MAX_FROZEN = 10_000


@dataclass(slots=True)
class _Home:
    member: Member
    used: float
    joins: dict[int, Join]
    """By upstream: how viewers were joined to its presentation."""


class Homes:
    """`node`: our own name among the siblings."""

    def __init__(self, members: Sequence[Member], node: str, load_factor: float, slow_start_s: float) -> None:
        self._members = members
        self._parents = {member.name: member for member in members if not member.sibling}
        self._siblings = {member.name: member for member in members if member.sibling}
        self._node = node
        self._factor = load_factor
        self._slow_start_s = slow_start_s
        self._homes: OrderedDict[str, _Home] = OrderedDict()
        self._frozen: OrderedDict[tuple[str, int], float] = OrderedDict()

    def well(self, member: Member, stream: str, now: float) -> bool:
        """Whether `member` may be asked for `stream`."""
        return member.breaker.allows(now) and self._frozen.get((stream, member.index), 0.0) <= now

    @property
    def ailing(self) -> bool:
        """Whether anybody is not well for anything: most of the time a short answer to `well`."""
        return bool(self._frozen) or any(not member.up for member in self._members)

    def settled(self, stream: str, now: float) -> bool:
        """Whether `stream` has a home that is well."""
        home = self._homes.get(stream)
        return home is not None and self.well(home.member, stream, now)

    def order(self, stream: str, now: float, *, siblings: bool) -> list[Member]:
        """Whom to ask, best first: the home, then the sibling whose turn it is, then the parents by rank.

        `siblings`: False for what an edge asks: it is answered from here or from above, never from beside.
        """
        ranked = self._ranked(stream, now, siblings=siblings)
        if not self.settled(stream, now):
            self.settle(stream, self._first(ranked, stream, now), now)
        home = self._homes[stream]
        home.used = now
        self._homes.move_to_end(stream)
        if home.member.sibling and not siblings:
            return ranked
        return [home.member, *(member for member in ranked if member is not home.member)]

    def _ranked(self, stream: str, now: float, *, siblings: bool) -> list[Member]:
        weights = {name: member.weight_at(now, self._slow_start_s) for name, member in self._parents.items()}
        ranked = [self._parents[name] for name in rank(stream, weights)]
        if siblings and self._siblings:
            turn = rank(stream, {self._node: 1.0, **dict.fromkeys(self._siblings, 1.0)})[0]
            if turn != self._node:
                ranked.insert(0, self._siblings[turn])
        return ranked

    def _first(self, ranked: list[Member], stream: str, now: float) -> Member:
        """The first that is well and has room; else the first that is well; else the first."""
        well = [member for member in ranked if self.well(member, stream, now)]
        weights = sum(member.weight_at(now, self._slow_start_s) for member in well if not member.sibling)
        total = sum(member.streams for member in self._parents.values()) + 1
        for member in well:
            weight = member.weight_at(now, self._slow_start_s)
            if member.sibling or member.streams < most_streams(total, weight, weights, self._factor):
                return member
        return (well or ranked)[0]

    def settle(self, stream: str, member: Member, now: float) -> None:
        """`member` is the home of `stream` now."""
        before = self._homes.pop(stream, None)
        if before is not None:
            before.member.streams -= 1
        elif len(self._homes) >= MAX_HOMES:
            self._drop()
        member.streams += 1
        self._homes[stream] = _Home(member, now, before.joins if before is not None else {})
        self._frozen.pop((stream, member.index), None)

    def joined(self, stream: str, member: Member, at: Join | None, *, changed: bool) -> None:
        """Viewers of `stream`, whose home `member` is, get its presentation like this. `changed`: it is another one
        than before, so how they were joined to what they left means nothing any more."""
        joins = self._homes[stream].joins
        if changed:
            joins.clear()
        if at is None:
            joins.pop(member.index, None)
        else:
            joins[member.index] = at

    def join_of(self, stream: str, member: Member) -> Join | None:
        """How viewers were joined to the presentation of `stream` at `member`."""
        home = self._homes.get(stream)
        return None if home is None else home.joins.get(member.index)

    def freeze(self, stream: str, member: Member, now: float) -> None:
        """`stream` stands still at `member`. Where it stands still everywhere, only the last one counts."""
        self._frozen[stream, member.index] = now + FROZEN_S
        self._frozen.move_to_end((stream, member.index))
        if not any(self.well(other, stream, now) for other in self._members):
            for other in self._members:
                if other is not member:
                    self._frozen.pop((stream, other.index), None)
        while len(self._frozen) > MAX_FROZEN:
            self._frozen.popitem(last=False)

    def expire(self, now: float) -> None:
        """Forget streams that nobody asked for in a while."""
        while self._homes and next(iter(self._homes.values())).used < now - IDLE_S:
            self._drop()
        while self._frozen and next(iter(self._frozen.values())) <= now:
            self._frozen.popitem(last=False)

    def _drop(self) -> None:
        _, home = self._homes.popitem(last=False)
        home.member.streams -= 1
