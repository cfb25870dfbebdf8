"""The part that is being filled: samples with the decode times they are given, and the duration rules. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from headwater.ingest.media import Sample
from headwater.origin import cmaf

MIN_GAP_MS = 20
"""Shorter holes are not declared: they become a longer sample or a shifted decode time. Why: less than an
audio frame, which every decoder bridges; a GAP costs a player more."""


@dataclass(frozen=True, slots=True)
class PartLimits:
    """Durations of parts, exact, in ticks of `timescale`."""

    timescale: int
    longest: int
    """PART-TARGET, rounded down. It is whole milliseconds, so no rounding of a duration to three or more
    decimals can print more than it (rule 42)."""
    shortest: int
    """85 % of PART-TARGET (rule 43), rounded up to a millisecond so that the printed duration obeys it too."""
    min_gap: int

    @classmethod
    def of(cls, part_target_us: int, timescale: int) -> PartLimits:
        """From PART-TARGET in microseconds."""
        longest = max(1, part_target_us * timescale // 1_000_000)
        shortest_ms = -(-part_target_us * 85 // 100_000)
        shortest = min(longest, -(-shortest_ms * timescale // 1_000))
        return cls(timescale, longest, shortest, max(1, MIN_GAP_MS * timescale // 1_000))


class _Entry(NamedTuple):
    time: int
    sample: Sample


@dataclass(slots=True)
class OpenPart:
    """Samples of one part in decode order; empty at first."""

    _entries: list[_Entry] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def start(self) -> int:
        """Decode time of the first sample: the part's tfdt."""
        return self._entries[0].time

    @property
    def last(self) -> int:
        """Decode time of the last sample."""
        return self._entries[-1].time

    @property
    def independent(self) -> bool:
        """Whether it starts with a random-access point; one in its middle does not count (rule 52)."""
        return self._entries[0].sample.independent

    @property
    def arrived(self) -> float:
        """When its last packet came, monotonic seconds."""
        return self._entries[-1].sample.arrived

    @property
    def full_of_samples(self) -> bool:
        """No chunk holds more."""
        return len(self._entries) >= cmaf.MAX_SAMPLES

    def add(self, time: int, sample: Sample) -> None:
        """Append; `time` is after the last one's."""
        self._entries.append(_Entry(time, sample))

    def crosses(self, end: int, limits: PartLimits) -> bool:
        """Whether the part would exceed PART-TARGET if it ended at `end`."""
        return end - self.start > limits.longest

    def end(self, wanted: int, limits: PartLimits, *, may_be_short: bool) -> int:
        """The end to declare, as near to `wanted` as the rules allow."""
        least = self.last + 1
        if not may_be_short and not self.independent:  # rule 43
            least = max(least, self.start + limits.shortest)
        return min(max(wanted, least), self.start + limits.longest)  # rule 42

    def samples(self, end: int) -> list[cmaf.ChunkSample]:
        """Its samples, with durations that add up to `end` exactly (rule 204)."""
        times = [entry.time for entry in self._entries[1:]]
        times.append(end)
        return [
            cmaf.ChunkSample(after - time, sample.pts - time, sample.independent, sample.payload)
            for (time, sample), after in zip(self._entries, times, strict=True)
        ]
