"""What a report is made of. Plain serialisable data; times in seconds since the run began unless a name says otherwise.

Sans-IO.
"""

from __future__ import annotations

from dataclasses import dataclass

from headwater.loadtest.records import ChaosEvent, ClockOffset, PhaseSpan, Protocol, ServerSample, Tick


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the generator ran: figures of different machines do not compare."""

    system: str
    """Such as `Linux 6.1`."""
    processor: str
    cores: int
    memory_bytes: int
    python: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One invariant of one phase, judged."""

    phase: str
    invariant: str
    """As written."""
    ok: bool
    measured: float | None
    """In base units (seconds, bytes, bits per second, a share of 1, a number); None: nothing was measured."""
    shown: str
    """The same for people."""
    note: str = ""
    """Why the figure does not hold, or why there is none; empty: it holds."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """Everything that the reports show."""

    url: str
    started: float
    """Unix time of second 0."""
    seconds: float
    scenario: str
    command: str
    """How to run the same again."""
    machine: Machine
    clock: ClockOffset
    phases: tuple[PhaseSpan, ...]
    ticks: tuple[Tick, ...]
    """Of all processes, by second and process."""
    server: tuple[ServerSample, ...] = ()
    chaos: tuple[ChaosEvent, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    invalid: tuple[str, ...] = ()
    """Reasons why the figures do not hold, such as a generator that was the bottleneck. Empty: they hold."""
    protocol: Protocol = Protocol.HTTP1
    """Of the viewers; reports from before this was told have none."""

    @property
    def failed(self) -> bool:
        """Whether an invariant was broken, or the run cannot say."""
        return bool(self.invalid) or not all(verdict.ok for verdict in self.verdicts)
