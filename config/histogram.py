"""Counts per bucket, as plain numbers. Sans-IO.

Why not prometheus_client's histogram: ten times the cost, and here packets and requests are counted.
"""

from __future__ import annotations

from bisect import bisect_left


class Histogram:
    """`bounds`: upper bounds of the buckets, rising; one more takes what is above the last."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count `value`, `times` times. Below 0, by a clock that was read a little earlier, is 0."""
        value = max(value, 0.0)
        self.counts[bisect_left(self.bounds, value)] += times
        self.sum += value * times

    def spread(self, first: float, last: float, times: int) -> None:
        """Count `times` values that lie evenly from `first` to `last`: a line that was answered one by one."""
        first, last = max(first, 0.0), max(last, 0.0)
        width = last - first
        done = 0
        for index, bound in enumerate(self.bounds):
            upto = times if bound >= last else max(0, round((bound - first) / width * times)) if width else 0
            self.counts[index] += max(0, upto - done)
            done = max(done, upto)
        self.counts[-1] += times - done
        self.sum += (first + last) / 2.0 * times

    @property
    def count(self) -> int:
        """Values so far."""
        return sum(self.counts)

    def buckets(self) -> list[tuple[str, float]]:
        """As Prometheus wants them: cumulative, by upper bound."""
        found: list[tuple[str, float]] = []
        total = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            total += count
            found.append((bound, total))
        return found
