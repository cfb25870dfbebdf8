"""What one generator process does, and its JSON: the process reads it from stdin. Sans-IO."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace

from headwater.loadtest import records_json
from headwater.loadtest.records import ClockOffset, ViewerClass
from headwater.loadtest.records_json import RecordError


@dataclass(frozen=True, slots=True)
class Arrival:
    """One viewer comes."""

    at: float
    """Seconds since second 0 of the run."""
    viewer: ViewerClass
    stay_s: float | None
    """How long it stays; None: to the end of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorPlan:
    """The work of one generator process."""

    process: int
    """Its number, from 0."""
    url: str
    """Of a multivariant or a media playlist."""
    seed: int
    """Viewer i of this process draws from (seed, process, i)."""
    epoch_monotonic_wall: float
    """Unix time (our clock) of second 0 of the run, the same for all processes."""
    clock: ClockOffset
    duration_s: float
    arrivals: tuple[Arrival, ...]
    """Sorted by `at`."""
    source_addresses: tuple[str, ...] = ()
    """Connections leave from these, round robin; empty: as the system chooses."""
    insecure: bool = False
    """Do not verify certificates."""
    http2: bool = False
    """Viewers speak HTTP/2 over TLS, and nothing else."""
    timeout_s: float = 10.0
    """From a request to the first byte of its answer; held requests have the player's own. Why 10: hls.js."""

    def to_json(self) -> str:
        """One line. Classes of viewers are written once: arrivals name them by number."""
        classes: dict[ViewerClass, int] = {}
        arrivals = [
            [arrival.at, classes.setdefault(arrival.viewer, len(classes)), arrival.stay_s] for arrival in self.arrivals
        ]
        plain = {
            field.name: records_json.dump(getattr(self, field.name))
            for field in fields(self)
            if field.name != "arrivals"
        }
        plan = plain | {"classes": records_json.dump(tuple(classes)), "arrivals": arrivals}
        return json.dumps(plan, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> GeneratorPlan:
        """The plan of a text. Raises RecordError."""
        data = records_json.parse(text)
        if not isinstance(data, dict):
            raise RecordError("plan: not an object")
        classes = records_json.load(tuple[ViewerClass, ...], data.pop("classes", None))
        listed = records_json.load(tuple[tuple[float, int, float | None], ...], data.pop("arrivals", None))
        plan = records_json.load(cls, data | {"arrivals": []})
        if not all(0 <= number < len(classes) for _, number, _ in listed):
            raise RecordError("arrivals: a class of viewers that is not there")
        return replace(plan, arrivals=tuple(Arrival(at, classes[number], stay) for at, number, stay in listed))
