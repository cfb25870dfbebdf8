"""What a scenario file can say: every table and key with unit, bounds and default. Sans-IO.

Times in a phase (`at_s` of arrivals and chaos steps) count from the begin of the phase, those of faults from
the begin of the run.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from headwater.config.section import Section, wrong
from headwater.loadtest.records import Abr, Cmcd, Mode, ViewerClass

from .publishing import Publisher
from .steps import ChaosStep

MAX_SECONDS = 86_400.0
MAX_VIEWERS = 500_000
"""Who comes in a whole scenario. Why: a plan of that size is 15 MB and takes seconds to make."""
MAX_RATE = 100_000.0
MAX_TICKS = 28_800
"""Seconds of the run times processes: two hours of four. Why: every tick is kept, and a report above 256 MiB could not
be read again."""

NOT_IN_HTTP2 = frozenset({"connection", "host", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"})
"""Headers that no request has (RFC 9113, 8.2.2); the host stands in the URL."""

Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS)]
Duration = Annotated[float, Field(gt=0, le=MAX_SECONDS)]
Rate = Annotated[float, Field(ge=0, le=MAX_RATE)]
Range = tuple[Duration, Duration]


class Viewers(Section):
    """A class of viewers; see `records.ViewerClass`."""

    name: str = Field("viewers", min_length=1, max_length=64)
    mode: Mode = Mode.HLSJS
    share: float = Field(1.0, gt=0, le=1e6)
    abr: Abr = Abr.TOP
    variant: str | None = Field(None, min_length=1, max_length=64)
    audio: bool = True
    watch_s: Range | None = None
    pause_every_s: Duration | None = None
    pause_s: Range = (2.0, 10.0)
    seek_every_s: Duration | None = None
    seek_back_s: Range = (5.0, 30.0)
    read_bps: int | None = Field(None, ge=1_000, le=10_000_000_000)
    cmcd: Cmcd = Cmcd.OFF
    headers: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key in ("watch_s", "pause_s", "seek_back_s"):
            found = getattr(self, key)
            if found is not None and found[0] > found[1]:
                raise wrong(key, "from more than to")
        if self.watch_s is not None and self.watch_s[0] < 1:
            raise wrong("watch_s", "below the least value, 1: nobody sees a picture in less")
        if self.variant is not None and self.abr is not Abr.FIXED:
            raise wrong("variant", 'only with abr = "fixed"')
        check_headers(self.headers)
        return self

    def record(self) -> ViewerClass:
        """As the players take it."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return ViewerClass(**{**values, "headers": tuple(self.headers.items())})


def check_headers(headers: dict[str, str]) -> None:
    """Raises the error of a header that would break a request."""
    for name, value in headers.items():
        if not name or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise wrong("headers", f"{name!r:.40} is no name of a header")
        if any(character < " " or character == "\x7f" for character in value) or not value.isascii():
            raise wrong("headers", f"the value of {name} has characters that no header may have")


class Constant(Section):
    """So many viewers per second, evenly."""

    kind: Literal["constant"]
    rate: Rate
    at_s: Seconds = 0.0
    for_s: Duration | None = None


class Ramp(Section):
    """From one rate to another."""

    kind: Literal["ramp"]
    rate_from: Rate
    rate_to: Rate
    at_s: Seconds = 0.0
    for_s: Duration | None = None


class Poisson(Section):
    """So many viewers per second in the mean, each independent of the others."""

    kind: Literal["poisson"]
    rate: Rate
    at_s: Seconds = 0.0
    for_s: Duration | None = None


class Flash(Section):
    """A crowd: so many viewers within a time, each at a random moment of it."""

    kind: Literal["flash"]
    viewers: int = Field(ge=1, le=MAX_VIEWERS)
    at_s: Seconds = 0.0
    for_s: Duration


Arrivals = Annotated[Constant | Ramp | Poisson | Flash, Field(discriminator="kind")]


class Phase(Section):
    """A stretch of the run."""

    name: str = Field(min_length=1, max_length=64)
    duration_s: Duration
    arrivals: tuple[Arrivals, ...] = Field((), max_length=32)
    keep: int | None = Field(None, ge=0, le=MAX_VIEWERS)
    """Viewers to have: who leaves is replaced at once while there are fewer, and nobody comes beyond."""
    classes: tuple[str, ...] = ()
    """Who comes in this phase, by name; empty: all."""
    invariants: tuple[str, ...] = Field((), max_length=64)
    chaos: tuple[ChaosStep, ...] = Field((), max_length=64)

    @model_validator(mode="after")
    def _check(self) -> Self:
        for number, arrivals in enumerate(self.arrivals):
            if arrivals.at_s + (arrivals.for_s or 0) > self.duration_s or arrivals.at_s >= self.duration_s:
                raise wrong(f"arrivals.{number}.at_s", "goes on after the end of its phase")
        for number, step in enumerate(self.chaos):
            if step.at_s >= self.duration_s:
                raise wrong(f"chaos.{number}.at_s", "after the end of its phase")
        return self


class Scenario(Section):
    """A whole run."""

    name: str = Field("run", min_length=1, max_length=64)
    url: str | None = Field(None, min_length=1, max_length=2_000)
    processes: int = Field(1, ge=1, le=64)
    source_addresses: tuple[str, ...] = Field((), max_length=256)
    metrics: tuple[str, ...] = Field((), max_length=8)
    seed: int = Field(1, ge=0, le=2**63 - 1)
    insecure: bool = False
    http2: bool = False
    clock_offset_s: float | None = Field(None, ge=-1e9, le=1e9)
    timeout_s: float = Field(10.0, ge=0.1, le=300)
    viewers: tuple[Viewers, ...] = Field((), max_length=32)
    phases: tuple[Phase, ...] = Field(min_length=1, max_length=64)
    publishers: tuple[Publisher, ...] = Field((), max_length=32)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.url is not None and not is_http(self.url):
            raise wrong("url", "http:// or https:// and a host are needed")
        for number, url in enumerate(self.metrics):
            if not is_http(url):
                raise wrong(f"metrics.{number}", "http:// or https:// and a host are needed")
        for number, address in enumerate(self.source_addresses):
            try:
                ip_address(address)
            except ValueError:
                raise wrong(f"source_addresses.{number}", "not an IP address") from None
        names = [viewers.name for viewers in self.viewers]
        if len(set(names)) < len(names):
            raise wrong("viewers", "two classes have the same name")
        for number, phase in enumerate(self.phases):
            for name in phase.classes:
                if name not in names:
                    raise wrong(f"phases.{number}.classes", f"there are no viewers of the name {name!r}")
        if self.duration_s * self.processes > MAX_TICKS:
            raise wrong(
                "phases", f"{self.duration_s:g} s of {self.processes} processes: more than {MAX_TICKS} s in all"
            )
        if not any(phase.arrivals for phase in self.phases):
            raise wrong("phases", "in no phase does anybody arrive")
        return self

    @model_validator(mode="after")
    def _check_http2(self) -> Self:
        if not self.http2:
            return self
        if self.url is not None and urlsplit(self.url).scheme != "https":
            raise wrong("url", "http2 needs an https:// address: HTTP/2 is spoken over TLS only")
        for number, viewers in enumerate(self.viewers):
            for name in viewers.headers:
                if name.lower() in NOT_IN_HTTP2:
                    raise wrong(f"viewers.{number}.headers", f"{name} is no header of a request over HTTP/2")
        return self

    @property
    def duration_s(self) -> float:
        """Of all phases."""
        return sum(phase.duration_s for phase in self.phases)

    def viewer_classes(self, phase: Phase) -> tuple[ViewerClass, ...]:
        """Who comes in a phase."""
        everybody = tuple(viewers.record() for viewers in self.viewers) or (ViewerClass(),)
        return tuple(viewers for viewers in everybody if not phase.classes or viewers.name in phase.classes)


def is_http(url: str) -> bool:
    """An address that can be asked."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def resolved(scenario: Scenario, folder: Path) -> Scenario:
    """The same with the paths in it taken from `folder`, where the scenario file is."""
    publishers = tuple(publisher.resolved(folder) for publisher in scenario.publishers)
    return scenario.model_copy(update={"publishers": publishers})
