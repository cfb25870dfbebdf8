"""Turns the ledger into one Tick a second.

`HdrHistogram.record_value` costs 2.7 us, and there are 40,000 values a second: they are folded into counts per bucket
every few milliseconds, and each histogram is made of the counts in one go. One histogram is encoded per turn of the
loop, so that the end of a second does not make the generator late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from hdrh.histogram import HdrHistogram

from headwater.loadtest.players.ledger import Ledger
from headwater.loadtest.records import DIGITS, HIGHEST_US, LOWEST_US, Tick, Timing

HALF_BITS = 10
"""Bits of half of a bucket's values: three digits are 2,048 values per bucket (HdrHistogram)."""


def bucket(value: int) -> int:
    """Index of a value's count in a histogram that begins at 1: what `HdrHistogram` computes."""
    shift = max(0, value.bit_length() - HALF_BITS - 1)
    return (shift << HALF_BITS) + (value >> shift)


def encoded(counts: Counter[int]) -> bytes:
    """The histogram of counts by bucket, as `HdrHistogram.encode` gives it."""
    histogram = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
    for index, count in counts.items():
        histogram.counts[index] = count
    histogram.set_internal_tacking_values(min(counts), max(counts), counts.total())
    blob: bytes = histogram.encode()
    return blob


class Ticks:
    """The seconds of one process. `turn` is called every few milliseconds."""

    def __init__(self, ledger: Ledger, report: Callable[[Tick], None]) -> None:
        self.ledger = ledger
        self._report = report
        self._counters: dict[Timing, Counter[int]] = {timing: Counter() for timing in Timing}
        self._closing: Iterator[None] = iter(())

    def turn(self) -> None:
        """Fold what was measured, and go on with the second that ended."""
        for timing, counter in self._counters.items():
            values = self.ledger.times(timing)
            if values:
                counter.update(map(bucket, values))
                values.clear()
        next(self._closing, None)

    def close(self, tick: Tick) -> None:
        """`tick`'s second is over: complete it in the turns that come, and report it."""
        self.turn()
        self.finish()
        tick = replace(tick, counts=self.ledger.counts(), errors=dict(self.ledger.errors))
        counters = {timing: counter for timing, counter in self._counters.items() if counter}
        self._counters = {timing: Counter() for timing in Timing}
        self.ledger.clear()
        self._closing = self._complete(tick, counters)

    def finish(self) -> None:
        """Report the second that ended now, if it was not."""
        for _ in self._closing:
            pass

    def _complete(self, tick: Tick, counters: dict[Timing, Counter[int]]) -> Iterator[None]:
        timings: dict[Timing, bytes] = {}
        for timing, counter in counters.items():
            timings[timing] = encoded(counter)
            yield
        self._report(replace(tick, timings=timings))
