"""The server's clock minus ours, from the `Date` of its answers. Sans-IO.

`Date` counts whole seconds (RFC 9110, 6.6.1), so one answer says only in which second the server wrote it. Two answers
on both sides of a second's begin say when that was: the estimator asks around the begin that it expects next, closer
each time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from headwater.loadtest.records import ClockOffset

COARSE_S = 0.05
"""Between the first requests. Why: twenty in a second are no load."""
FINE_REQUESTS = 16
"""Around a begin of a second that is nearly known."""
ROUNDS = 2
"""Of fine requests: with the first second that is about 2.2 s in all."""
GOOD_S = 0.002
"""Not asked any closer. Why: a request takes as long."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Times of our clock, Unix."""

    sent: float
    received: float
    date: float
    """The server's second, Unix."""
    age: int = 0
    """Of an answer from a cache: `Date` is so much older, give or take a second (RFC 9111, 4.2.3)."""

    @property
    def second(self) -> float:
        """In which the answer was given, as far as it says."""
        return self.date + self.age


class Estimator:
    """Collects answers; the offset lies in (low, high)."""

    def __init__(self) -> None:
        self.low, self.high = -math.inf, math.inf
        self.torn = False
        """The answers contradict each other: several servers, or a clock that was set."""

    def take(self, answer: Answer) -> None:
        """The server wrote `Date` between `sent` and `received`, in the second that begins with it."""
        slack = 1.0 if answer.age else 0.0
        low, high = answer.second - slack - answer.received, answer.second + 1 + slack - answer.sent
        low, high = max(low, self.low), min(high, self.high)
        if low > high:
            self.torn = True
            return
        self.low, self.high = low, high

    @property
    def known(self) -> bool:
        """There was an answer."""
        return math.isfinite(self.low)

    @property
    def uncertainty_s(self) -> float:
        """Half of what is possible."""
        return (self.high - self.low) / 2

    def moments(self, now: float) -> Iterator[float]:
        """When to send the requests of the next round, our clock, from `now` on."""
        if not self.known or self.uncertainty_s > COARSE_S:
            yield from (now + number * COARSE_S for number in range(round(1 / COARSE_S) + 2))
            return
        # The server's next second begins at a time of ours in (begin - uncertainty, begin + uncertainty).
        middle, around = (self.low + self.high) / 2, self.uncertainty_s
        begin = math.ceil(now + middle + around) - middle
        for number in range(FINE_REQUESTS):
            yield begin + around * (2 * (number + 0.5) / FINE_REQUESTS - 1)

    def offset(self) -> ClockOffset:
        """What is known now. Only after an answer."""
        several = "; answers contradict each other: several servers?" if self.torn else ""
        return ClockOffset((self.low + self.high) / 2, self.uncertainty_s, f"Date of the answers{several}")


def parse_date(text: str) -> float | None:
    """The Unix time of a `Date`; None: it is none."""
    try:
        date = parsedate_to_datetime(text)
        return date.replace(tzinfo=date.tzinfo or UTC).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def parse_age(text: str) -> int:
    """Seconds of an `Age`; 0 where there is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
