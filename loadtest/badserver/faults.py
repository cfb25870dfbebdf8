"""The faults that the server can be told, and which parts they hit. Sans-IO.

    --fault part-delay=200                      all parts are released 200 ms late
    --fault status=404,share=0.1                each tenth part is answered 404
    --fault freeze,from=4,to=7                  nothing is published between 4 s and 7 s after the start

Whatever is hit is a function of the part's number, so two runs and two viewers see the same.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from dataclasses import dataclass

GOLDEN = 2_654_435_769
"""2^32 / golden ratio. Why: its multiples modulo 2^32 fill any share evenly, so ten of a hundred are ten."""
MAX_DELAY_MS = 60_000
MAX_FAULTS = 64
MIN_BPS = 1_000


class FaultError(ValueError):
    """A `--fault` text is not understood; the message says what."""


class Kind(enum.StrEnum):
    """What is done wrong, and what the amount means."""

    PART_DELAY = "part-delay"
    """A part's bytes are released so many milliseconds late; it is listed in time."""
    PLAYLIST_DELAY = "playlist-delay"
    """A part is listed so many milliseconds late; its bytes are there in time."""
    STATUS = "status"
    """A part is answered with this status."""
    FLAKY = "flaky"
    """The same, but only when a connection asks for it first: who tries again gets it."""
    FREEZE = "freeze"
    """Nothing is listed or released from `from` to `to`; then all that was due."""
    PACE = "pace"
    """Durations are said to be this many times what they are."""
    STALL = "stall"
    """A part's body stops half way for so many milliseconds."""
    RESET = "reset"
    """The connection is reset half way through a part's body."""
    SLOW = "slow"
    """A part's body comes at so many bit/s."""
    EARLY = "early"
    """Blocking reloads are answered at once, without anything new."""
    TYPE = "type"
    """Playlists come as `text/plain`."""
    DRIFT = "drift"
    """PROGRAM-DATE-TIME is so many milliseconds after the truth."""


_AMOUNTS: dict[Kind, tuple[float, float]] = {
    Kind.PART_DELAY: (1, MAX_DELAY_MS),
    Kind.PLAYLIST_DELAY: (1, MAX_DELAY_MS),
    Kind.STATUS: (400, 599),
    Kind.FLAKY: (400, 599),
    Kind.PACE: (0.1, 10),
    Kind.STALL: (1, MAX_DELAY_MS),
    Kind.SLOW: (MIN_BPS, 1e9),
    Kind.DRIFT: (-3_600_000, 3_600_000),
}
"""Least and largest amount of the kinds that have one."""
_WHOLE_RUN = frozenset({Kind.PACE, Kind.DRIFT})
"""Kinds without share and time. Why: dates and durations that change their mind on the way are no steady error."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. Times are milliseconds since the start."""

    kind: Kind
    amount: float = 0.0
    share: float = 1.0
    start_ms: float = 0.0
    end_ms: float = math.inf

    def hits(self, number: int, due_ms: int) -> bool:
        """Whether part `number`, due that many milliseconds after the start, is hit; none that was there before."""
        if due_ms <= 0 or not self.start_ms <= due_ms < self.end_ms:
            return False
        return self.share >= 1 or (number * GOLDEN & 0xFFFF_FFFF) < self.share * 2**32


def parse(text: str) -> Fault:
    """Read `KIND[=AMOUNT][,share=0..1][,from=SECONDS][,to=SECONDS]`. Raises FaultError."""
    head, *rest = text.split(",")
    name, _, amount = head.partition("=")
    try:
        kind = Kind(name)
    except ValueError:
        raise FaultError(f"unknown fault {name!r}: one of {', '.join(Kind)}") from None
    options = {"share": 1.0, "from": 0.0, "to": math.inf}
    for item in rest:
        key, _, value = item.partition("=")
        if key not in options:
            raise FaultError(f"{text!r}: unknown option {key!r}: share, from or to")
        options[key] = _number(text, value)
    fault = Fault(kind, _amount(text, kind, amount), options["share"], 1e3 * options["from"], 1e3 * options["to"])
    _check(text, fault)
    return fault


def _amount(text: str, kind: Kind, amount: str) -> float:
    if kind not in _AMOUNTS:
        if amount:
            raise FaultError(f"{text!r}: {kind} takes no amount")
        return 0.0
    value, (least, most) = _number(text, amount), _AMOUNTS[kind]
    if not least <= value <= most:
        raise FaultError(f"{text!r}: {kind} is between {least:g} and {most:g}")
    return value


def _check(text: str, fault: Fault) -> None:
    if not 0 < fault.share <= 1:
        raise FaultError(f"{text!r}: share is above 0 and at most 1")
    if not 0 <= fault.start_ms < fault.end_ms:
        raise FaultError(f"{text!r}: from comes before to")
    if fault.kind is Kind.FREEZE and (fault.end_ms == math.inf or fault.share < 1):
        raise FaultError(f"{text!r}: freeze needs to=SECONDS, and has no share")
    if fault.kind in _WHOLE_RUN and (fault.share < 1 or fault.start_ms or fault.end_ms < math.inf):
        raise FaultError(f"{text!r}: {fault.kind} is of the whole run")


def _number(text: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise FaultError(f"{text!r}: {value!r} is not a number")
    return number


@dataclass(frozen=True, slots=True)
class Faults:
    """All that the server was told."""

    all: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        if len(self.all) > MAX_FAULTS:
            raise FaultError(f"more than {MAX_FAULTS} faults")

    @classmethod
    def of(cls, texts: Iterable[str]) -> Faults:
        """Of `--fault` texts; raises FaultError."""
        return cls(tuple(map(parse, texts)))

    def on(self, number: int, due_ms: int, *kinds: Kind) -> Fault | None:
        """The first fault of these kinds that hits a part."""
        return next((f for f in self.all if f.kind in kinds and f.hits(number, due_ms)), None)

    def whole(self, kind: Kind, without: float) -> float:
        """The amount of a fault of the whole run, or what it is `without` one."""
        return next((fault.amount for fault in self.all if fault.kind is kind), without)

    def frozen_until(self, due_ms: float) -> float:
        """When what is due then may be published: later only while a freeze lasts."""
        ends = [f.end_ms for f in self.all if f.kind is Kind.FREEZE and f.start_ms <= due_ms < f.end_ms]
        return max(ends, default=due_ms)
