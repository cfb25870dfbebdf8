"""Chaos steps of a scenario file: what is done to the system under test. Sans-IO."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from headwater.config.section import Section, wrong

INTERFACE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,14}$"
"""What Linux calls interfaces, without what `tc` would take for an option."""


class _Step(Section):
    at_s: float = Field(ge=0, le=86_400)
    """Since the begin of the phase."""


class Run(_Step):
    """Run a program: a list of words, no shell. An exit code other than 0 is a step that failed."""

    do: Literal["run"]
    command: tuple[str, ...] = Field(min_length=1, max_length=64)
    timeout_s: float = Field(30.0, gt=0, le=3_600)

    @property
    def what(self) -> str:
        """For the report."""
        return f"run {' '.join(self.command)}"[:200]


class Signal(_Step):
    """Send a signal to the process whose id is in a file: SIGKILL, SIGTERM, SIGSTOP, SIGCONT."""

    do: Literal["kill", "term", "pause", "resume"]
    pid_file: Path
    for_s: float | None = Field(None, gt=0, le=86_400)
    """Of `pause`: resumed after this time; a paused process is resumed at the end of the run at the latest."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.for_s is not None and self.do != "pause":
            raise wrong("for_s", 'only with do = "pause"')
        return self

    @property
    def what(self) -> str:
        """For the report."""
        return f"{self.do} {self.pid_file}"


class Netem(_Step):
    """Make the network of an interface worse with `tc netem`; taken away at the end of the run at the latest.

    Why nothing is there to keep other traffic out: netem is for an interface as a whole. Use one of its own.
    """

    do: Literal["netem"]
    interface: str = Field(pattern=INTERFACE_PATTERN)
    delay_ms: float = Field(0.0, ge=0, le=60_000)
    jitter_ms: float = Field(0.0, ge=0, le=60_000)
    loss_percent: float = Field(0.0, ge=0, le=100)
    rate_kbit: int = Field(0, ge=0, le=100_000_000)
    """Of the interface; 0: as it is."""
    for_s: float | None = Field(None, gt=0, le=86_400)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.delay_ms or self.loss_percent or self.rate_kbit):
            raise wrong("delay_ms", "netem does nothing without a delay, a loss or a rate")
        if self.jitter_ms and not self.delay_ms:
            raise wrong("jitter_ms", "only with delay_ms")
        return self

    @property
    def words(self) -> tuple[str, ...]:
        """For `tc`."""
        words: list[str] = []
        if self.delay_ms:
            words += ["delay", f"{self.delay_ms:g}ms", *([f"{self.jitter_ms:g}ms"] if self.jitter_ms else [])]
        if self.loss_percent:
            words += ["loss", f"{self.loss_percent:g}%"]
        if self.rate_kbit:
            words += ["rate", f"{self.rate_kbit}kbit"]
        return tuple(words)

    @property
    def what(self) -> str:
        """For the report."""
        return f"netem {self.interface} {' '.join(self.words)}"


ChaosStep = Annotated[Run | Signal | Netem, Field(discriminator="do")]
