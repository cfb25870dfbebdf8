"""Limits per address and of all, and who is given up first when there is too much. Sans-IO.

A guest is all that comes from one address (IPv6: from one /64). Who was served a stream in the last `WATCHING_S`
watches; everybody else is a newcomer. Under strain newcomers are refused, so that those who watch go on watching.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from itertools import cycle

from headwater.config.settings_viewers import ViewerLimits

from .addresses import Networks, block
from .entities import local
from .message import Entity, Tally

WATCHING_S = 30.0
"""Why: longer than any hold (three target durations) and than a player's pauses between retries."""
BURST_S = 2.0
"""What may come at once, in seconds of the rate. Why: a player starts with a dozen requests."""
MAX_GUESTS = 65_536
"""Remembered addresses without a connection, the longest silent forgotten first."""
RESERVE = 20
"""One in so many connections is kept for those who watch: a player opens new ones all the time."""
STRAINED_TICKS, CALM_TICKS = 3, 20
"""Ticks in a row that begin and end the shedding of newcomers. Why: one long wake is no overload."""
FORGED_COST = 50.0
"""Requests that a forged token counts as. Why: to verify a signature in vain costs some 100 us, and nothing of it is
remembered."""
RETRY_S = (3, 5, 8, 4, 7, 6)
"""Seconds of Retry-After in turn. Why: who was refused together must not come back together."""


class Bucket:
    """Tokens that come back at a rate; one is taken for each request."""

    __slots__ = ("_at", "_burst", "_per_s", "_tokens")

    def __init__(self, per_s: float, now: float) -> None:
        self._per_s = per_s
        self._burst = self._tokens = per_s * BURST_S
        self._at = now

    def take(self, now: float, *, debt: bool = False) -> bool:
        """Take one. False: there is none, or with `debt`: as many as fit in are owed already."""
        tokens = self._there(now)
        self._at = now
        taken = tokens >= (1.0 - self._burst if debt else 1.0)
        self._tokens = tokens - 1.0 if taken else tokens
        return taken

    def has(self, now: float) -> bool:
        """Whether `take` would find one."""
        return self._there(now) >= 1.0

    def _there(self, now: float) -> float:
        return min(self._burst, self._tokens + (now - self._at) * self._per_s)

    def fine(self, tokens: float) -> None:
        """Take more, as far as there are any."""
        self._tokens = max(0.0, self._tokens - tokens)


class Guest:
    """One address."""

    __slots__ = ("bucket", "connections", "key", "watched")

    def __init__(self, key: str, bucket: Bucket | None) -> None:
        self.key = key
        self.bucket = bucket
        """None: the limits per address do not apply."""
        self.connections = 0
        self.watched = -WATCHING_S
        """When it was served last, monotonic seconds."""


class Guard:
    """One per listener. Methods that refuse give the answer, and count it."""

    def __init__(
        self, limits: ViewerLimits, trusted: Iterable[str], connections: int, tally: Tally, now: float
    ) -> None:
        """`trusted`: networks of proxies, which have no limits of their own; `connections`: the most of all."""
        self.shedding = False
        """Newcomers are refused now."""
        self._limits = limits
        self._unlimited = Networks((*limits.unlimited, *trusted))
        self._all = Bucket(float(limits.requests_per_s), now) if limits.requests_per_s is not None else None
        self.strained = self._all is not None
        """`request` has to be asked for every request, not only for those of guests with a bucket."""
        self._newcomers_to = connections - connections // RESERVE
        self._tally = tally
        self._here: dict[str, Guest] = {}
        self._gone: OrderedDict[str, Guest] = OrderedDict()
        self._late = self._early = 0
        self._retry = cycle(
            local(503, "busy: those who already watch go first", retry_after=seconds) for seconds in RETRY_S
        )
        self._too_fast = local(429, "too many requests from this address", retry_after=1)

    def __len__(self) -> int:
        return len(self._here) + len(self._gone)

    def guest(self, address: str, now: float) -> Guest:
        """Whoever is at the canonical `address`."""
        key = block(address)
        guest = self._here.get(key)
        if guest is None:
            guest = self._gone.get(key)
            if guest is not None:
                self._gone.move_to_end(key)
            else:
                free = not address or address in self._unlimited
                bucket = None if free else Bucket(float(self._limits.requests_per_s_per_address), now)
                guest = self._gone[key] = Guest(key, bucket)
                if len(self._gone) > MAX_GUESTS:
                    self._gone.popitem(last=False)
        return guest

    def connect(self, guest: Guest, connections: int, now: float) -> Entity | None:
        """A connection of `guest` was accepted, as one of `connections`; `leave` has to follow. None: it may stay."""
        guest.connections += 1
        if guest.connections == 1:
            self._gone.pop(guest.key, None)
            self._here[guest.key] = guest
        if guest.bucket is not None:
            if guest.connections > self._limits.connections_per_address:
                return self._refusal("address-connections")
            if not guest.bucket.take(now):
                return self._refusal("address-requests")
        if connections > self._newcomers_to and not self.watches(guest, now):
            return self._refusal("connections")
        return None

    def leave(self, guest: Guest) -> None:
        """One of its connections is gone."""
        guest.connections -= 1
        if guest.connections == 0 and self._here.pop(guest.key, None) is not None:
            self._gone[guest.key] = guest
            if len(self._gone) > MAX_GUESTS:
                self._gone.popitem(last=False)

    def request(self, guest: Guest, now: float, *, health: bool = False) -> Entity | None:
        """A request of `guest`: None, or its refusal. `health`: what a load balancer asks, also under strain."""
        if guest.bucket is not None and not guest.bucket.take(now):
            self._tally.refuse("address-requests")
            return self._too_fast
        if not self.strained or health:
            return None
        watches = self.watches(guest, now)
        if self._all is not None and not self._all.take(now, debt=watches):
            return self._refusal("requests")
        if self.shedding and not watches:
            return self._refusal("shed")
        return None

    def watches(self, guest: Guest, now: float) -> bool:
        """Whether it was served a stream lately."""
        return now - guest.watched < WATCHING_S

    def look(self, late_s: float, full: bool) -> None:
        """Once per tick: how late it came, and whether a bound on what is held is nearly reached."""
        limit_s = self._limits.shed_lag_ms / 1_000
        self._late = self._late + 1 if full or late_s > limit_s else 0
        self._early = self._early + 1 if not full and late_s < limit_s / 2 else 0
        if self._late >= STRAINED_TICKS:
            self.shedding = True
        elif self._early >= CALM_TICKS:
            self.shedding = False
        self.strained = self.shedding or self._all is not None

    def _refusal(self, reason: str) -> Entity:
        self._tally.refuse(reason)
        return next(self._retry)
