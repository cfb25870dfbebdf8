"""BANDWIDTH and AVERAGE-BANDWIDTH of one rendition, measured over its segments. Sans-IO.

draft-pantos-hls-rfc8216bis-22, section 4.1: the peak segment bit rate is the largest of any contiguous set of
segments whose duration is between 0.5 and 1.5 target durations (rule 175).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bitrates:
    """Bits per second."""

    peak: int
    average: int


class BitrateMeter:
    """Takes segments as they close. Peak and average are of the whole life, so that the peak never falls."""

    def __init__(self, target_duration_s: float) -> None:
        self._least_s = 0.5 * target_duration_s
        self._most_s = 1.5 * target_duration_s
        self._run: deque[tuple[float, int]] = deque()
        """The newest contiguous segments, together no longer than the longest run and one more."""
        self._peak = 0.0
        self._bytes = 0
        self._duration_s = 0.0

    def segment(self, duration_s: float, size: int) -> None:
        """A segment of `size` bytes is complete."""
        if duration_s <= 0:
            return
        self._bytes += size
        self._duration_s += duration_s
        self._run.append((duration_s, size))
        while sum(seconds for seconds, _ in self._run) - self._run[0][0] > self._most_s:
            self._run.popleft()
        run_s, run_bytes = 0.0, 0
        for seconds, length in reversed(self._run):
            run_s += seconds
            run_bytes += length
            if run_s > self._most_s:
                break
            if run_s >= self._least_s:
                self._peak = max(self._peak, run_bytes * 8 / run_s)

    def gap(self) -> None:
        """A segment without media: runs do not reach over it."""
        self._run.clear()

    def bitrates(self) -> Bitrates | None:
        """None before the first segment."""
        if not self._duration_s:
            return None
        average = self._bytes * 8 / self._duration_s
        return Bitrates(peak=round(max(self._peak, average)), average=round(average))
