"""What a phase promises: `<figure> [pNN|max] <op> <value> [unit]`, parsed and judged. Sans-IO.

    fatal == 0                       a count of the phase
    stall_ratio < 0.1 %              a share; without unit a share of 1
    part p99 < 250 ms                a timing and its percentile (p50, p99.9, ...) or max; the unit is needed
    mbit_s >= 900                    a rate
    origin_requests_per_part <= 2    from the server's /metrics
    headwater_edge_refused_total == 0   any series of it by name: increase of a counter, largest of a level

A figure that nobody measured breaks its invariant: silence is no proof.
"""

from __future__ import annotations

import difflib
import enum
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from headwater.loadtest.records import Count, Timing

from . import units
from .figures import CPU, MEMORY, Figures
from .model import Verdict

MAX_TEXT = 200
"""Characters of one invariant: longer ones are a mistake in the file."""


class InvariantError(ValueError):
    """An invariant says what nobody knows; the message names the nearest that is known."""


class Kind(enum.Enum):
    """What a figure is measured in."""

    NUMBER = "number"
    SHARE = "share"
    TIME = "time"
    BYTES = "bytes"
    MEGABITS = "megabits"


_UNITS: Mapping[Kind, Mapping[str, float]] = {
    Kind.NUMBER: {"": 1},
    Kind.SHARE: {"": 1, "%": 0.01},
    Kind.TIME: {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "min": 60},
    Kind.BYTES: {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30},
    Kind.MEGABITS: {"": 1, "kbit/s": 1e-3, "Mbit/s": 1, "Gbit/s": 1e3},
}
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_SHOWN: Mapping[Kind, Callable[[float], str]] = {
    Kind.NUMBER: units.number,
    Kind.SHARE: units.share,
    Kind.TIME: units.duration,
    Kind.BYTES: units.size,
    Kind.MEGABITS: lambda value: f"{units.number(value)} Mbit/s",
}
_TIME_COUNTS = frozenset({Count.STALLED_US, Count.WATCHED_US})


def _counted(name: Count) -> Callable[[Figures], float | None]:
    if name in _TIME_COUNTS:
        return lambda figures: figures.count(name) / units.US
    return lambda figures: float(figures.count(name))


def _kind_of(name: Count) -> Kind:
    if name in _TIME_COUNTS:
        return Kind.TIME
    return Kind.BYTES if name is Count.BYTES else Kind.NUMBER


_PLAIN: Mapping[str, tuple[Kind, Callable[[Figures], float | None]]] = {
    **{name.value.removesuffix("_us"): (_kind_of(name), _counted(name)) for name in Count},
    "viewers": (Kind.NUMBER, lambda figures: float(figures.viewers)),
    "joins_s": (Kind.NUMBER, lambda figures: figures.joins_per_second),
    "errors": (Kind.NUMBER, lambda figures: float(figures.error_count)),
    "error_ratio": (Kind.SHARE, lambda figures: figures.error_ratio),
    "stall_ratio": (Kind.SHARE, lambda figures: figures.stall_ratio),
    "mbit_s": (Kind.MEGABITS, lambda figures: figures.bits_per_second / 1e6),
    "generator_cpu": (Kind.SHARE, lambda figures: figures.cpu),
    "server_cpu": (Kind.NUMBER, lambda figures: figures.server.get(CPU)),
    "server_memory": (Kind.BYTES, lambda figures: figures.server.get(MEMORY)),
    "origin_requests_per_part": (Kind.NUMBER, lambda figures: figures.origin_requests_per_part),
}
_TIMINGS = {timing.value: timing for timing in Timing}
NAMES = (*_PLAIN, *_TIMINGS)
"""Every figure but the server's series."""

_FORM = re.compile(
    r"\s*(?P<figure>[A-Za-z_:][A-Za-z0-9_:]*)(?:\s+(?P<which>p[0-9.]{1,8}|max))?\s*(?P<op><=|>=|==|!=|<|>)"
    r"\s*(?P<value>[0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(?P<unit>[A-Za-zµ/%]*)\s*"
)
_SERIES = re.compile(r"(?:headwater|process|python)_[a-z0-9_]{1,100}")


@dataclass(frozen=True, slots=True)
class Invariant:
    """One that was understood."""

    figure: str
    percent: float | None
    """Of a timing; 100 is the maximum."""
    compare: str
    value: float
    """In the base unit of the figure's kind."""
    kind: Kind


def check_invariant(text: str) -> None:
    """Raises InvariantError for what cannot be judged."""
    parse(text)


def series_of(invariants: Iterable[str]) -> frozenset[str]:
    """The server's series that these name, for the scrape. Raises InvariantError."""
    return frozenset(figure for text in invariants if _SERIES.fullmatch(figure := parse(text).figure))


def parse(text: str) -> Invariant:
    """Raises InvariantError, which names the nearest valid figure or the units that there are."""
    found = _FORM.fullmatch(text) if len(text) <= MAX_TEXT else None
    if found is None:
        raise InvariantError(
            f"{text[:MAX_TEXT]!r} is no invariant: write <figure> [pNN|max] <op> <value> [unit], "
            "such as `part p99 < 250 ms` or `fatal == 0`"
        )
    figure, which, unit = found["figure"], found["which"], found["unit"]
    kind, percent = _kind(figure), _percent(text, figure, which)
    value = float(found["value"])
    factors = _UNITS[kind]
    if unit not in factors and not (unit == "" and value == 0):
        names = ", ".join(name or "no unit" for name in factors)
        raise InvariantError(f"{text!r}: {figure} is measured in {names}")
    return Invariant(figure, percent, found["op"], value * factors.get(unit, 1), kind)


def judge(invariant: str, figures: Figures) -> Verdict:
    """Whether these figures keep it. Raises InvariantError."""
    parsed = parse(invariant)
    measured, note = _measured(parsed, figures)
    return Verdict(
        phase=figures.name,
        invariant=invariant,
        ok=measured is not None and _COMPARE[parsed.compare](measured, parsed.value),
        measured=measured,
        shown="not measured" if measured is None else _SHOWN[parsed.kind](measured),
        note=note,
    )


def _measured(parsed: Invariant, figures: Figures) -> tuple[float | None, str]:
    if parsed.percent is not None:
        timing = _TIMINGS[parsed.figure]
        value = figures.percentile_us(timing, parsed.percent)
        if value is None:
            return None, "no viewer has measured it in this phase"
        lag = figures.lags.at(parsed.percent)
        holds = figures.holds(timing, parsed.percent)
        return value / units.US, "" if holds else f"invalid: the generator's own lag was {units.microseconds(lag)}"
    plain = _PLAIN.get(parsed.figure)
    measured = plain[1](figures) if plain else figures.server.get(parsed.figure)
    return measured, "" if measured is not None else "the server's /metrics did not say it in this phase"


def _kind(figure: str) -> Kind:
    if figure in _PLAIN:
        return _PLAIN[figure][0]
    if figure in _TIMINGS:
        return Kind.TIME
    if _SERIES.fullmatch(figure):
        return Kind.NUMBER
    near = difflib.get_close_matches(figure, NAMES, 1, 0.0)
    raise InvariantError(
        f"there is no figure {figure!r}: did you mean {near[0]!r}? Known are {', '.join(NAMES)}, "
        "and the server's series by name"
    )


def _percent(text: str, figure: str, which: str | None) -> float | None:
    if figure not in _TIMINGS:
        if which is not None:
            raise InvariantError(f"{text!r}: {figure} has no {which}, timings do: {', '.join(_TIMINGS)}")
        return None
    if which is None:
        raise InvariantError(f"{text!r}: say which percentile of {figure}, such as `{figure} p99`, or `{figure} max`")
    if which == "max":
        return 100.0
    try:
        percent = float(which[1:])
    except ValueError:
        percent = 0.0
    if not 0 < percent <= 100:
        raise InvariantError(f"{text!r}: {which} is no percentile: p50, p99, p99.9, or max")
    return percent
