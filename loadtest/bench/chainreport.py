"""What players, scripted viewers and caches did in each phase of the chain, from what was noted at its borders.

Sans-IO. Moments are Unix times in seconds: the load harness tells the start of its run so, and the bench its blows.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headwater.loadtest.records import Count, PhaseSpan
from headwater.loadtest.results.figures import Figures, figures_of
from headwater.loadtest.results.model import RunResult

JUDGED_AFTER_S = 10.0
"""After the last blow: who is not seen to play from then on has ended."""


@dataclass(frozen=True)
class Phase:
    """From one blow to the next."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class PlayerLook:
    """What one player page said of itself."""

    state: str
    time: float
    """Of its picture, seconds."""
    stalls: int
    stalled_s: float
    """One that lasts included."""
    reloads: int
    """Times that the page loaded the source anew, after a fatal error of hls.js."""
    fatal: frozenset[tuple[int, str]]
    """Fatal errors of hls.js that it still remembers: when, on its own clock in ms, and what."""
    blocking: int
    """Blocking reloads that were answered since the page was opened. Likewise `parts`."""
    parts: int
    latency: float | None
    """Seconds behind live as hls.js has it; None: no picture yet."""

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> PlayerLook:
        """From `bench.devtools.Pages`. Raises KeyError."""
        fatal = frozenset((error["at"], error["detail"]) for error in figures["errors"] if error["fatal"])
        stalled_s = (figures["stalledMs"] + figures["stallingMs"]) / 1e3
        counts = (figures["reloads"], fatal, figures["blocking"], figures["parts"])
        return cls(figures["state"], figures["time"], figures["stalls"], stalled_s, *counts, figures["latency"])


@dataclass(frozen=True)
class NodeLook:
    """Counts of one edge since its start."""

    requests: float
    """That it has sent upstream, probes left out."""
    asked: Mapping[str, float]
    """Requests by upstream, probes included."""


@dataclass(frozen=True)
class Look:
    """Everything at one moment."""

    at: float
    players: tuple[PlayerLook, ...]
    nodes: Mapping[str, NodeLook] = field(default_factory=dict)
    """Empty where nobody asked."""
    parts: float = 0.0
    """That were published, all renditions together."""
    busy_s: Mapping[str, float] = field(default_factory=dict)
    """Processor time so far, by whose it is."""


@dataclass(frozen=True)
class PlayersDid:
    """All players in one phase."""

    stalled: int
    """Players that stalled."""
    stalls: int
    stalled_s: float
    worst_s: float
    """Of one player."""
    fatal: tuple[str, ...]
    """Fatal errors of hls.js, each of which the page mends by loading the source anew."""
    reloads: int
    blocking: tuple[int, ...]
    """Blocking reloads of each player. Likewise `parts`."""
    parts: tuple[int, ...]
    latencies: tuple[float, ...]
    """Seconds behind live at its end, the least first, of those that have a picture."""


@dataclass(frozen=True)
class ViewersDid:
    """All scripted viewers in one phase."""

    viewers: int
    stalls: int
    stalled_s: float
    gave_up: int
    connections: int
    """Opened: none but for those that broke off, once all viewers are there."""
    errors: Mapping[str, int]


def players_in(phase: Phase, looks: Sequence[Look]) -> PlayersDid:
    """From the last look up to its start to the last one in it. Raises ValueError when there are none."""
    earlier = [look for look in looks if look.at <= phase.start]
    inside = [look for look in looks if phase.start < look.at <= phase.end]
    if not earlier or not inside:
        raise ValueError(f"{phase.name}: nobody looked at its borders")
    pairs = list(zip(earlier[-1].players, inside[-1].players, strict=True))
    stalled = [after.stalled_s - before.stalled_s for before, after in pairs]
    stalls = [after.stalls - before.stalls for before, after in pairs]
    known = _fatal(earlier)
    return PlayersDid(
        # One that began before and lasts is one of this phase, too.
        stalled=sum(1 for seconds in stalled if seconds > 0),
        stalls=sum(stalls),
        stalled_s=sum(stalled),
        worst_s=max(stalled, default=0.0),
        fatal=tuple(sorted(detail for number, at, detail in _fatal(inside) - known)),
        reloads=sum(after.reloads - before.reloads for before, after in pairs),
        blocking=tuple(after.blocking - before.blocking for before, after in pairs),
        parts=tuple(after.parts - before.parts for before, after in pairs),
        latencies=tuple(sorted(after.latency for _, after in pairs if after.latency is not None)),
    )


def _fatal(looks: Sequence[Look]) -> set[tuple[int, int, str]]:
    return {
        (number, at, detail)
        for look in looks
        for number, player in enumerate(look.players)
        for at, detail in player.fatal
    }


def ended(looks: Sequence[Look], since: float) -> dict[int, str]:
    """Players, by their number, whose picture was not seen to move from `since` on, and the state of each."""
    late = [look for look in looks if look.at >= since]
    if not late:
        raise ValueError("nobody looked at the end")
    return {
        number: last.state
        for number, last in enumerate(late[-1].players)
        if not any(
            after.players[number].state == "playing" and after.players[number].time > before.players[number].time
            for before, after in itertools.pairwise(late)
        )
    }


def not_low_latency(phase: Phase, looks: Sequence[Look]) -> list[int]:
    """Players, by their number, that loaded no part in a phase, or had no playlist from a blocking reload."""
    did = players_in(phase, looks)
    return [number for number, counts in enumerate(zip(did.blocking, did.parts, strict=True)) if not all(counts)]


def viewers_in(phase: Phase, runs: Sequence[RunResult]) -> ViewersDid:
    """Of all runs of the load harness together."""
    found = [_figures(phase, run) for run in runs]
    errors: Counter[str] = Counter()
    for figures in found:
        errors.update(figures.errors)

    def total(name: Count) -> int:
        return sum(figures.count(name) for figures in found)

    return ViewersDid(
        viewers=sum(figures.viewers for figures in found),
        stalls=total(Count.STALLS),
        stalled_s=total(Count.STALLED_US) / 1e6,
        gave_up=total(Count.FATAL),
        connections=total(Count.CONNECTIONS),
        errors=errors,
    )


def _figures(phase: Phase, run: RunResult) -> Figures:
    # A second of the run in which there was a blow counts as after it.
    start, end = (float(math.floor(moment - run.started)) for moment in (phase.start, phase.end))
    return figures_of(PhaseSpan(phase.name, start, end), run.ticks, (), ())


def requests_per_part(name: str, before: Look, after: Look) -> float | None:
    """Requests of one edge for each part that was published between two looks; None: it, or a part, was not there."""
    parts = after.parts - before.parts
    if name not in after.nodes or parts <= 0:
        return None
    then = before.nodes[name].requests if name in before.nodes else 0.0
    return _grown(then, after.nodes[name].requests) / parts


def mostly_asked(name: str, before: Look, after: Look) -> str:
    """The upstream that got most of one edge's requests between two looks; `-`: none, or the edge is away."""
    if name not in after.nodes:
        return "-"
    then = before.nodes[name].asked if name in before.nodes else {}
    grown = {upstream: _grown(then.get(upstream, 0.0), now) for upstream, now in after.nodes[name].asked.items()}
    return max(grown, key=lambda upstream: grown[upstream], default="-")


def _grown(then: float, now: float) -> float:
    """Of a counter, which begins anew with a start of its process."""
    return now - then if now >= then else now


def report(
    phases: Sequence[Phase], looks: Sequence[Look], runs: Sequence[RunResult], nodes: Sequence[str]
) -> list[str]:
    """Lines of Markdown: three tables, a line per phase in each. `nodes`: edges in the order of the columns."""
    borders = [look for look in looks if look.nodes]
    lines = [
        "| phase | players that stalled | stalls | seconds stalled, all / worst | fatal errors of hls.js | reloads "
        "| blocking reloads / parts of a player, at least | seconds behind live at its end, median / worst |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for phase in phases:
        did = players_in(phase, looks)
        fatal = _listed(Counter(did.fatal))
        seconds = f"{did.stalled_s:.1f} / {did.worst_s:.1f}"
        low = f"{min(did.blocking, default=0)} / {min(did.parts, default=0)}"
        shown = (did.stalled, did.stalls, seconds, fatal, did.reloads, low, _median_and_worst(did.latencies))
        lines.append(_row(phase.name, *shown))
    lines += [
        "",
        "| phase | scripted viewers | stalls | seconds stalled per viewer | gave up | connections opened again "
        "| failed requests |",
        "|---|---|---|---|---|---|---|",
    ]
    for phase in phases:
        seen = viewers_in(phase, runs)
        each = f"{seen.stalled_s / max(1, seen.viewers):.2f}"
        errors = _listed(seen.errors)
        lines.append(_row(phase.name, seen.viewers, seen.stalls, each, seen.gave_up, seen.connections, errors))
    lines += [
        "",
        f"| phase | requests upstream per part: {' / '.join(nodes)} | most of them at "
        f"| cores in use: {' / '.join(borders[0].busy_s)} |",
        "|---|---|---|---|",
    ]
    for phase in phases:
        before = [look for look in borders if look.at <= phase.start][-1]
        after = [look for look in borders if look.at <= phase.end][-1]
        rates = [requests_per_part(name, before, after) for name in nodes]
        shown_rates = " / ".join("-" if rate is None else f"{rate:.2f}" for rate in rates)
        asked = " / ".join(mostly_asked(name, before, after) for name in nodes)
        cores = [(after.busy_s[whose] - before.busy_s[whose]) / (after.at - before.at) for whose in after.busy_s]
        lines.append(_row(phase.name, shown_rates, asked, " / ".join(f"{each:.2f}" for each in cores)))
    return lines


def _median_and_worst(ordered: Sequence[float]) -> str:
    return f"{ordered[len(ordered) // 2]:.1f} / {ordered[-1]:.1f}" if ordered else "-"


def _listed(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "0"


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"
