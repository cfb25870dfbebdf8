"""What goes wrong, in plain words, from the metrics of a role. Sans-IO.

Each rule looks at one metric: at how much it grew over the window, or at its value now. Labels of the series, `n` (how
much) and `s` (an s for the plural) may stand in the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .status import Problem, Series, Snapshot, growth

MOST = 20
"""Problems shown. Why: who reads them at three in the morning needs the first few."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`above`: what is still well. `below`: the value itself is bad under it, in place of that."""

    metric: str
    what: str
    do: str
    severity: str = "bad"
    grows: bool = True
    """A counter, whose growth counts; else a gauge."""
    above: float = 0.0
    below: float | None = None
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Values of labels that count; the others are well."""


_FAILED = frozenset(("5xx", "connect", "reset", "invalid", "too_large", "timeout", "busy", "orphan"))

RULES = (
    Rule(
        "headwater_ingest_has_publisher",
        "Stream {stream} has no publisher",
        "Look at the encoder and its network. The stream goes on as gap and ends after ingest.linger_s.",
        grows=False,
        below=0.5,
    ),
    Rule(
        "headwater_conformance_violations_total",
        "Rule {rule} of LL-HLS was broken {n} time{s}",
        "Players may stall. Run `headwater doctor` on the stream and report what it says.",
    ),
    Rule(
        "headwater_ingest_cuts_without_keyframe_total",
        "Stream {stream}: {n} segment{s} without a keyframe",
        "Set the encoder's keyframe interval to 1 or 2 s; players cannot join or switch at such segments.",
    ),
    Rule(
        "headwater_ingest_keyframe_interval_seconds",
        "Stream {stream}: keyframes are {n} s apart",
        "Set the encoder's keyframe interval to 1 or 2 s.",
        severity="warn",
        grows=False,
        above=4.0,
    ),
    Rule(
        "headwater_ingest_timestamp_jumps_total",
        "Stream {stream}: the encoder's clock jumped {n} time{s}",
        "Look at the encoder's load and its source; each jump is a discontinuity for players.",
        severity="warn",
    ),
    Rule(
        "headwater_ingest_holes_total",
        "Stream {stream}: a rendition fell silent {n} time{s}",
        "Look at the encoder and the network between it and here.",
    ),
    Rule(
        "headwater_origin_gap_parts_total",
        "Stream {stream}, {rendition}: {n} part{s} listed as gap",
        "What came from the encoder had holes: look at its network, or at the ladder's load.",
    ),
    Rule(
        "headwater_srt_dropped_packets_total",
        "Stream {stream}: {n} SRT packet{s} did not come in time",
        "Raise the latency in the encoder: four to eight round trips.",
    ),
    Rule(
        "headwater_srt_datagrams_dropped_total",
        "{n} SRT datagram{s} dropped: {reason}",
        "socket_buffer: raise net.core.rmem_max. Anything else is not for us, or a flood.",
        severity="warn",
    ),
    Rule(
        "headwater_encode_level",
        "Stream {stream}: the ladder has stepped down (level {n})",
        "The machine is too slow for it: fewer rungs, a faster preset, or more cores.",
        severity="warn",
        grows=False,
    ),
    Rule(
        "headwater_encode_restarts_total",
        "Stream {stream}: its encoder process was lost {n} time{s} ({reason})",
        "The log says how it ended. Passthrough goes on meanwhile.",
    ),
    Rule(
        "headwater_encode_refused_total",
        "{n} ladder{s} not made: no capacity",
        "Fewer streams with ladders on this machine, or more cores.",
    ),
    Rule(
        "headwater_ingest_state_errors_total",
        "State could not be written {n} time{s}",
        "Free space on, or give write access to, state.dir: after a restart streams would not go on.",
    ),
    Rule(
        "headwater_ingest_refused_total",
        "{n} connection{s} or publish{s} refused: {reason}",
        "The log names who and why.",
        severity="warn",
    ),
    Rule(
        "headwater_origin_refused_total",
        "{n} request{s} to the origin refused: {reason}",
        "Only edges should reach the origin: look at who asks.",
        severity="warn",
    ),
    Rule(
        "headwater_edge_upstream_fetches_total",
        "{n} request{s} to the upstream failed: {result} ({purpose})",
        "Look at the origin (or the tier above) and the network to it.",
        only={"result": _FAILED},
    ),
    Rule(
        "headwater_edge_requests_total",
        "{n} answer{s} were stale: the upstream does not answer",
        "Look at the origin (or the tier above) and the network to it.",
        only={"outcome": frozenset(("stale",))},
    ),
    Rule(
        "headwater_edge_refused_total",
        "{n} request{s} refused: {reason}",
        "held, connections, flights, followers, blocking, shed, requests: the edge is full, add another. Anything else "
        "is a client's mistake, or a flood.",
        severity="warn",
    ),
    Rule(
        "headwater_edge_worker_restarts_total",
        "Process {worker} of the edge {cause} {n} time{s}",
        "The log says how it ended: a signal from outside, or memory. One that hung was ended by the edge itself: the "
        "machine may be too slow; if not, report it. The others went on.",
    ),
    Rule(
        "headwater_edge_slow_readers_closed_total",
        "{n} viewer{s} closed for not reading",
        "Their network is slower than the rendition: offer a lower rung.",
        severity="warn",
    ),
    Rule(
        "headwater_edge_cmcd_stalls_total",
        "Stream {stream}, {rendition}: players reported {n} stall{s}",
        "Compare first_byte and the stages before it: slow here, or in the viewers' networks?",
        severity="warn",
    ),
)


def find(now: Snapshot, before: Snapshot) -> tuple[Problem, ...]:
    """What is wrong between two snapshots, the worst first."""
    by_metric: dict[str, list[Series]] = {}
    for series in now:
        by_metric.setdefault(series[0], []).append(series)
    found = [
        problem
        for rule in RULES
        for series in by_metric.get(rule.metric, ())
        if (problem := _judge(rule, series, now, before)) is not None
    ]
    found.sort(key=lambda problem: problem.severity == "warn")  # stable: otherwise in the order of the rules
    return tuple(found[:MOST])


def _judge(rule: Rule, series: Series, now: Snapshot, before: Snapshot) -> Problem | None:
    labels = dict(series[1])
    if any(labels.get(label) not in values for label, values in rule.only.items()):
        return None
    amount = growth(now, before, series) if rule.grows else now[series]
    bad = amount < rule.below if rule.below is not None else amount > rule.above
    if not bad:
        return None
    words = {**labels, "n": f"{amount:.4g}", "s": "" if amount == 1 else "s"}
    return Problem(rule.severity, rule.what.format_map(words), rule.do)
