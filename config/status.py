"""The status of a role as plain values: what the status page shows, and `/status.json` says. Sans-IO.

    {"role", "version", "uptime_s", "ready", "window_s", "streams": [...], "upstream", "stages": [...],
     "problems": [...], "workers": [...]}

Every name that comes from outside is text here and escaped by whoever shows it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

Series = tuple[str, tuple[tuple[str, str], ...]]
"""Name of a sample and its labels, sorted."""
Snapshot = Mapping[Series, float]
"""What a registry says at one time."""


@dataclass(frozen=True, slots=True)
class RenditionStatus:
    """One rendition of a stream. None: not known here."""

    name: str
    state: str
    detail: str = ""
    """Codec and size, or how far the playlist is."""
    viewers: int | None = None
    bitrate: int | None = None
    """Bits per second."""


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """One stream."""

    name: str
    state: str
    detail: str = ""
    viewers: int | None = None
    renditions: tuple[RenditionStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class UpstreamStatus:
    """The tier above an edge."""

    url: str
    well: bool
    detail: str


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One process of an edge that has several."""

    name: str
    """Its number, or `node`."""
    state: str
    """`ready`, `starting`: it was told to run and does not yet, `silent`: it runs and does not answer."""
    pid: int | None
    restarts: int
    connections: int
    """Viewers', at the node the workers'."""
    held: int
    followers: int
    store_bytes: int


@dataclass(frozen=True, slots=True)
class StageStatus:
    """How long media took in one stage, over the window."""

    stage: str
    count: int
    p50_s: float | None
    p99_s: float | None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong, and what to do."""

    severity: str
    """`bad`: viewers or publishers suffer. `warn`: they may soon."""
    what: str
    do: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a role knows beyond its metrics."""

    streams: tuple[StreamStatus, ...]
    upstream: UpstreamStatus | None = None
    workers: tuple[WorkerStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """All of it."""

    role: str
    version: str
    uptime_s: float
    ready: str | None
    """Why the role wants no traffic; None: it does."""
    window_s: float
    """Problems and stages are those of so many seconds."""
    streams: tuple[StreamStatus, ...]
    upstream: UpstreamStatus | None
    stages: tuple[StageStatus, ...]
    problems: tuple[Problem, ...]
    workers: tuple[WorkerStatus, ...] = ()
    """The processes of an edge that has several."""

    def to_json(self) -> dict[str, object]:
        """For `/status.json`."""
        return dataclasses.asdict(self)


def growth(now: Snapshot, before: Snapshot, series: Series) -> float:
    """How much a counter grew. One that is new, or began again, grew by all it has."""
    value, earlier = now.get(series, 0.0), before.get(series, 0.0)
    return value - earlier if value >= earlier else value


def stages(now: Snapshot, before: Snapshot, name: str) -> tuple[StageStatus, ...]:
    """Each stage of the histogram `name` between two snapshots, in the order in which it is told."""
    buckets: dict[str, list[tuple[float, float]]] = {}
    for series in now:
        labels = dict(series[1])
        if series[0] == f"{name}_bucket":
            rows = buckets.setdefault(labels["stage"], [])
            rows.append((float(labels["le"]), growth(now, before, series)))
    return tuple(
        StageStatus(stage, int(rows[-1][1]), quantile(rows, 0.5), quantile(rows, 0.99))
        for stage, rows in buckets.items()
    )


def quantile(buckets: list[tuple[float, float]], share: float) -> float | None:
    """The value below which `share` of what cumulative buckets hold lies; None: they hold nothing.

    As Prometheus' `histogram_quantile`: evenly spread within a bucket, the last finite bound where it lies above.
    """
    total = buckets[-1][1] if buckets else 0.0
    if total <= 0.0:
        return None
    wanted, lower, below = share * total, 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted:
            if bound == float("inf"):
                return lower
            return lower + (bound - lower) * (wanted - below) / (count - below)
        lower, below = bound, count
    return lower
