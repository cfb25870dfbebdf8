"""Who may ask: allowances of addresses, counts of connections, answers that are remembered. Sans-IO.

Everything here has a fixed size. Nothing is kept of an address that has not brought back a cookie, but for a counter
that it shares with others.
"""

from __future__ import annotations

import enum
import hashlib
from collections import Counter
from dataclasses import dataclass

from .addresses import Address, network_of
from .errors import HandshakeRefused, RejectCode
from .limits import (
    ALLOWANCES,
    DEBT,
    INDUCTION_BUCKETS,
    REJECTION_COST,
    REQUEST_COST,
    SETTLED_ENTRIES,
    SETTLED_S,
    Limits,
)

CallerKey = tuple[Address, int]
"""A caller's connection: its address and its socket id."""


class InductionGate:
    """How many first handshakes are answered: per address and over all, in whole seconds."""

    def __init__(self, limits: Limits, secret: bytes) -> None:
        self._limits = limits
        self._key = hashlib.sha256(b"srt gate" + secret).digest()[:16]
        self._second = 0
        self._total = 0
        self._counts = [0] * INDUCTION_BUCKETS

    def admit(self, address: Address, now: float) -> bool:
        """Whether to answer one now."""
        if int(now) != self._second:
            self._second, self._total = int(now), 0
            self._counts = [0] * INDUCTION_BUCKETS
        digest = hashlib.blake2b(network_of(address).encode(), digest_size=4, key=self._key).digest()
        bucket = int.from_bytes(digest) % INDUCTION_BUCKETS
        if self._total >= self._limits.inductions_per_s:
            return False
        if self._counts[bucket] >= self._limits.inductions_per_address_per_s:
            return False
        self._total += 1
        self._counts[bucket] += 1
        return True


class Standing(enum.Enum):
    """What is left of an address's allowance."""

    GOOD = enum.auto()
    SPENT = enum.auto()
    """It is told so."""
    SILENT = enum.auto()
    """It goes on asking: it is not answered any more."""


class Allowances:
    """What addresses may still ask. One that is forgotten has a full allowance again."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, network: str, cost: float, now: float) -> Standing:
        """Take `cost`, also of what is not there any more: who goes on asking waits longer."""
        full = self._limits.allowance
        left, at = self._left.pop(network, (full, now))
        left = min(full, left + (now - at) * self._limits.allowance_per_s)
        self._left[network] = (max(left - cost, -DEBT * full), now)
        if len(self._left) > ALLOWANCES:
            del self._left[next(iter(self._left))]
        if left > 0:
            return Standing.GOOD
        return Standing.SPENT if left > -DEBT * full / 2 else Standing.SILENT


@dataclass(slots=True)
class Settled:
    """The answer to a conclusion that needs no further thought."""

    until: float
    answer: bytes
    """Empty: copies are not answered."""


class SettledAnswers:
    """Refused and closed connections, for late copies of their conclusions."""

    def __init__(self) -> None:
        self._entries: dict[CallerKey, Settled] = {}

    def put(self, key: CallerKey, answer: bytes, now: float) -> None:
        """Remember `answer` for SETTLED_S."""
        self._entries.pop(key, None)
        self._entries[key] = Settled(now + SETTLED_S, answer)
        while len(self._entries) > SETTLED_ENTRIES:
            del self._entries[next(iter(self._entries))]

    def get(self, key: CallerKey, now: float) -> Settled | None:
        """What is remembered; old entries are forgotten as they are met."""
        while self._entries:
            oldest = next(iter(self._entries))
            if self._entries[oldest].until > now:
                break
            del self._entries[oldest]
        return self._entries.get(key)


class Admission:
    """Counts connections, in all and per address, and says when there are too many."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._allowances = Allowances(limits)
        self._open: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._open_total = 0
        self._waiting_total = 0

    def ask(self, address: Address, now: float) -> Standing:
        """An address with a valid cookie asks; what its allowance says."""
        return self._allowances.take(network_of(address), REQUEST_COST, now)

    def enter(self, address: Address) -> None:
        """Take the place of a connection that waits for the shell.

        Raises:
            HandshakeRefused: there is none.
        """
        limits, network = self._limits, network_of(address)
        if self._open_total >= limits.sessions:
            raise HandshakeRefused(RejectCode.RESOURCE, f"{limits.sessions} connections, which is the limit")
        if self._open[network] >= limits.sessions_per_address:
            raise HandshakeRefused(RejectCode.OVERLOAD, "too many connections of this address")
        if self._waiting_total >= limits.half_open:
            raise HandshakeRefused(RejectCode.BACKLOG, "too many requests wait for an answer")
        if self._waiting[network] >= limits.half_open_per_address:
            raise HandshakeRefused(RejectCode.OVERLOAD, "too many requests of this address wait for an answer")
        self._open[network] += 1
        self._waiting[network] += 1
        self._open_total += 1
        self._waiting_total += 1

    def answered(self, address: Address) -> None:
        """The shell has answered: the connection does not wait any more."""
        self._waiting_total -= 1
        _lower(self._waiting, network_of(address))

    def punish(self, address: Address, now: float) -> None:
        """It was rejected: that costs the address more than a request."""
        self._allowances.take(network_of(address), REJECTION_COST, now)

    def leave(self, address: Address) -> None:
        """The connection is over."""
        self._open_total -= 1
        _lower(self._open, network_of(address))


def _lower(counts: Counter[str], network: str) -> None:
    counts[network] -= 1
    if counts[network] <= 0:
        del counts[network]
