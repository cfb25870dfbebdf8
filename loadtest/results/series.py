"""The text of /metrics, of several processes -> the values of a ServerSample. Sans-IO.

Tolerant: a line that cannot be read is left out, since any server may stand there; bounded, since it may be hostile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from .figures import CPU, EDGE_FETCHES, MEMORY, ORIGIN_REQUESTS, PARTS, REACHED, is_counter

MAX_SERIES = 10_000
"""Series remembered, of all processes. Why: ours have a few hundred each; labels of a stranger may have no end."""
MAX_VALUE = 1 << 53
"""Largest value that is believed. Why: reports are read up to it."""
SHORTEST_S = 0.2
"""Between two samples for a share of CPU. Why: processes count it in hundredths of a second."""
MAX_LINE = 4096
"""Characters of a line that is read. Why: ours stay below 300."""

DEFAULT_SERIES = frozenset(
    {
        "headwater_conformance_violations_total",
        "headwater_edge_connections",
        "headwater_edge_held",
        "headwater_edge_refused_total",
        "headwater_edge_requests_total",
        "headwater_edge_sent_bytes_total",
        "headwater_edge_upstream_fetches_total",
        "headwater_origin_refused_total",
        "headwater_origin_responses_total",
    }
)
"""Kept in every report: what is asked first when a run went badly."""
_CPU, _MEMORY = "process_cpu_seconds_total", "process_resident_memory_bytes"


class _Term(NamedTuple):
    """What a series adds to: the samples whose `label` has one of the `wanted` values; an empty label: all."""

    value: str
    label: str = ""
    wanted: frozenset[str] = frozenset()
    sign: int = 1


_TERMS = {
    "headwater_origin_parts_total": _Term(PARTS),
    "headwater_origin_gap_parts_total": _Term(PARTS, sign=-1),
    "headwater_origin_responses_total": _Term(ORIGIN_REQUESTS, "route", frozenset({"file"})),
    "headwater_edge_upstream_fetches_total": _Term(EDGE_FETCHES, "purpose", frozenset({"object", "prefetch"})),
}
"""By series. Why less the gaps: nobody asks for a part that is listed as GAP."""

_Key = tuple[str, str, frozenset[tuple[str, str]]]


class Tally:
    """Counters of several processes become one increase since the run began, also over a restart of one of them."""

    def __init__(self, series: Collection[str] = ()) -> None:
        """`series`: names to keep besides the default ones."""
        self._kept = DEFAULT_SERIES | frozenset(series)
        self._read = self._kept | _TERMS.keys() | {_CPU, _MEMORY}
        self._last: dict[_Key, float] = {}
        self._totals: dict[str, float] = {}
        self._levels: dict[str, dict[str, float]] = {}
        self._seen: dict[str, float] = {}

    def take(self, source: str, text: str, now: float) -> None:
        """What `source` said at `now`."""
        lines = text.splitlines()
        self._announced(lines)
        before = self._seen.get(source)
        levels: dict[str, float] = {}
        cpu_seconds = 0.0
        for sample in self._samples(lines):
            grown = self._grown(source, sample, before is None) if is_counter(sample.name) else 0.0
            cpu_seconds += grown if sample.name == _CPU else 0.0
            for name, sign in self._names(sample):
                if is_counter(name):
                    self._totals[name] = self._totals.get(name, 0.0) + sign * grown
                else:
                    levels[name] = levels.get(name, 0.0) + sample.value
        if before is not None:
            passed, known = now - before, self._levels.get(source, {}).get(CPU, 0.0)
            levels[CPU] = cpu_seconds / passed if passed >= SHORTEST_S else known
        self._seen[source] = now
        self._levels[source] = levels

    def lost(self, source: str) -> None:
        """`source` did not answer: its levels are unknown, its counters stay."""
        self._levels.pop(source, None)

    def values(self) -> dict[str, float]:
        """Sums over the processes."""
        found = dict(self._totals)
        for levels in self._levels.values():
            for name, value in levels.items():
                found[name] = found.get(name, 0.0) + value
        found[REACHED] = float(len(self._levels))
        return found

    def _announced(self, lines: Iterable[str]) -> None:
        """A counter with labels has no line before its first event: its announcement says that it stands at 0."""
        for line in lines:
            if line.startswith("# TYPE ") and (name := line[7:MAX_LINE].partition(" ")[0]) in self._read:
                term = _TERMS.get(name)
                for value in (*({name} & self._kept), *((term.value,) if term else ())):
                    if is_counter(value):
                        self._totals.setdefault(value, 0.0)

    def _samples(self, lines: Iterable[str]) -> Iterator[Sample]:
        for line in lines:
            if line.partition("{")[0].partition(" ")[0] in self._read and len(line) <= MAX_LINE:
                yield from _parsed(line)

    def _names(self, sample: Sample) -> Iterator[tuple[str, int]]:
        """The values that a sample adds to, with its sign."""
        if sample.name == _MEMORY:
            yield MEMORY, 1
        if sample.name in self._kept:
            yield sample.name, 1
        if (term := _TERMS.get(sample.name)) is not None and (
            not term.label or sample.labels.get(term.label) in term.wanted
        ):
            yield term.value, term.sign

    def _grown(self, source: str, sample: Sample, first: bool) -> float:
        """By how much a counter grew: what a process had before the run does not count."""
        key = (source, sample.name, frozenset(sample.labels.items()))
        last = self._last.get(key)
        if last is None and len(self._last) >= MAX_SERIES:
            return 0.0
        self._last[key] = sample.value
        if last is None:
            return 0.0 if first else sample.value
        return sample.value - last if sample.value >= last else sample.value


def _parsed(line: str) -> list[Sample]:
    try:
        families = list(text_string_to_metric_families(line + "\n"))
    except (ValueError, IndexError, KeyError):
        return []
    return [sample for family in families for sample in family.samples if abs(sample.value) <= MAX_VALUE]
