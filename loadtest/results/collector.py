"""Ticks of all processes -> the whole run, and a look at it while it goes on. Sans-IO."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from headwater.loadtest.records import ChaosEvent, ClockOffset, Count, PhaseSpan, Protocol, ServerSample, Tick, Timing

from .figures import figures_of_run
from .histograms import Histogram
from .invariants import judge
from .model import Machine, RunResult, Verdict

BUSY_CORES = 0.9
"""A process above this share of a core is too busy to measure. Why: its event loop queues from there on."""
BUSY_SECONDS = 5
"""In a row above it that a run may have. Why: a flash crowd's joins cost more than watching does."""
BUSY_SHARE = 0.05
"""Of all seconds above it that a run may have, and of ticks that may be missing."""

PATIENCE_S = 3
"""Seconds that the view waits for a process. Why: ticks of a second come within it; who is later is silent or gone."""

LATE_US = 1_000_000
"""Lateness of a generator's event loop at which a run is no measure. Why: longer than any part, so what came in that
time shows the generator and nothing of the server; what is less is judged figure by figure (`Figures.holds`)."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The last whole second, and totals since the run began."""

    second: int = -1
    """-1: no tick yet."""
    viewers: int = 0
    playing: int = 0
    joins: int = 0
    """Of the second, as all that follow up to the totals."""
    errors: int = 0
    stalls: int = 0
    bits: int = 0
    part_p50_us: int | None = None
    """Delay of parts, or of whole segments where no viewer took a part; None: nothing arrived."""
    part_p99_us: int | None = None
    cpu: float = 0.0
    """Largest of one generator process, cores."""
    lag_us: int = 0
    totals: Counter[Count] = field(default_factory=Counter)
    error_total: int = 0


class Collector:
    """Takes ticks as they come; one tick per process and second."""

    def __init__(self) -> None:
        self._seconds: dict[int, dict[int, Tick]] = {}
        self._processes: set[int] = set()
        self._totals: Counter[Count] = Counter()
        self._errors = 0

    def add(self, tick: Tick) -> None:
        """A second time the same process and second: the later tick counts."""
        ticks = self._seconds.setdefault(tick.second, {})
        if (old := ticks.get(tick.process)) is not None:
            self._totals.subtract(old.counts)
            self._errors -= sum(old.errors.values())
        ticks[tick.process] = tick
        self._processes.add(tick.process)
        self._totals.update(tick.counts)
        self._errors += sum(tick.errors.values())

    def snapshot(self) -> Snapshot:
        """Of the newest second that every process has reported, unless one is silent. Raises HistogramError."""
        if not self._seconds:
            return Snapshot()
        newest = max(self._seconds)
        recent = [second for second in range(newest, newest - PATIENCE_S, -1) if second in self._seconds]
        second = next((one for one in recent if self._seconds[one].keys() == self._processes), recent[-1])
        ticks = list(self._seconds[second].values())
        delay = _merged(ticks, Timing.PART) or _merged(ticks, Timing.SEGMENT)
        p50, p99 = delay.percentiles((50, 99)) if delay else (None, None)
        return Snapshot(
            second=second,
            viewers=sum(tick.viewers for tick in ticks),
            playing=sum(tick.playing for tick in ticks),
            joins=_sum(ticks, Count.JOINED),
            errors=sum(sum(tick.errors.values()) for tick in ticks),
            stalls=_sum(ticks, Count.STALLS),
            bits=_sum(ticks, Count.BYTES) * 8,
            part_p50_us=p50,
            part_p99_us=p99,
            cpu=max(tick.cpu for tick in ticks),
            lag_us=max(tick.lag_us for tick in ticks),
            totals=Counter(self._totals),
            error_total=self._errors,
        )

    def ticks(self) -> tuple[Tick, ...]:
        """All, by second and process."""
        return tuple(
            tick for _, ticks in sorted(self._seconds.items()) for _, tick in sorted(ticks.items(), key=lambda i: i[0])
        )

    def result(
        self,
        *,
        url: str,
        started: float,
        seconds: float,
        scenario: str,
        command: str,
        machine: Machine,
        clock: ClockOffset,
        phases: Sequence[PhaseSpan],
        server: Sequence[ServerSample] = (),
        chaos: Sequence[ChaosEvent] = (),
        invalid: Sequence[str] = (),
        protocol: Protocol = Protocol.HTTP1,
    ) -> RunResult:
        """The run with every invariant of its phases judged. `invalid`: further reasons of the caller.

        Raises HistogramError, InvariantError.
        """
        ticks = self.ticks()
        found = RunResult(
            url=url,
            started=started,
            seconds=seconds,
            scenario=scenario,
            command=command,
            machine=machine,
            clock=clock,
            phases=tuple(phases),
            ticks=ticks,
            server=tuple(server),
            chaos=tuple(chaos),
            invalid=(*invalid, *bottlenecks(ticks, seconds)),
            protocol=protocol,
        )
        return dataclasses.replace(found, verdicts=_verdicts(found))


def _verdicts(found: RunResult) -> tuple[Verdict, ...]:
    if not any(span.invariants for span in found.phases):
        return ()
    _, *phases = figures_of_run(found)  # the reports find the same ones remembered
    return tuple(
        judge(invariant, figures)
        for span, figures in zip(found.phases, phases, strict=True)
        for invariant in span.invariants
    )


def bottlenecks(ticks: Sequence[Tick], seconds: float) -> tuple[str, ...]:
    """Why the generator, not the server, made the figures; empty: it did not."""
    reasons = []
    for process in sorted({tick.process for tick in ticks}):
        own = sorted((tick for tick in ticks if tick.process == process), key=lambda tick: tick.second)
        reasons += _of_process(process, own, int(seconds))
    return tuple(reasons)


def _of_process(process: int, ticks: Sequence[Tick], seconds: int) -> list[str]:
    reasons = []
    busy = [tick.cpu > BUSY_CORES for tick in ticks]
    longest = max((len(list(run)) for is_busy, run in itertools.groupby(busy) if is_busy), default=0)
    if longest > BUSY_SECONDS or sum(busy) > BUSY_SHARE * len(ticks):
        reasons.append(
            f"generator process {process} used more than {BUSY_CORES:.0%} of a core in {sum(busy)} of {len(ticks)} s, "
            f"up to {longest} s in a row: give it fewer viewers or more processes"
        )
    if (worst := max((tick.lag_us for tick in ticks), default=0)) > LATE_US:
        reasons.append(f"generator process {process} was kept from its CPU, or by its work, for {worst / 1e6:.1f} s")
    if (missing := seconds - len(ticks)) > max(1.0, BUSY_SHARE * seconds):
        reasons.append(f"generator process {process} did not report {missing} of {seconds} s")
    return reasons


def _sum(ticks: Sequence[Tick], name: Count) -> int:
    return sum(tick.counts.get(name, 0) for tick in ticks)


def _merged(ticks: Sequence[Tick], timing: Timing) -> Histogram | None:
    merged = Histogram.merged(tick.timings[timing] for tick in ticks if timing in tick.timings)
    return merged if merged.count else None
