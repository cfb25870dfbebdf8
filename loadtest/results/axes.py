"""Where a value stands in a plot, and which values are written at its edge. Sans-IO."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400)
_DECADE = (1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """`low` stands at pixel `start`, `high` at pixel `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    ticks: tuple[float, ...] = ()

    def at(self, value: float) -> float:
        """The pixel; what is beyond the axis stands at its end."""
        low, high, where = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, where = math.log(low), math.log(high), math.log(where)
        return self.start + (where - low) / (high - low) * (self.end - self.start)


def linear(highest: float, start: float, end: float, *, count: int = 5) -> Axis:
    """From 0 to a round value at or above `highest`."""
    step = _round_up(max(highest, 1e-9) / count)
    top = step * max(1, math.ceil(highest / step - 1e-9))
    return Axis(0.0, top, start, end, ticks=tuple(step * n for n in range(round(top / step) + 1)))


def logarithmic(lowest: float, highest: float, start: float, end: float, *, most: int = 10) -> Axis:
    """From a round value at or below `lowest` (above 0) to one at or above `highest`."""
    first, last = math.floor(math.log10(lowest) + 1e-9), math.ceil(math.log10(highest) - 1e-9)
    steps = [digit * 10.0**exponent for exponent in range(first, last + 1) for digit in _DECADE]
    low = max((step for step in steps if step <= lowest * 1.0001), default=steps[0])
    high = min((step for step in steps if step >= highest * 0.9999 and step > low), default=low * 10)
    ticks = [step for step in steps if low <= step <= high]
    if len(ticks) > most:
        ticks = [step for step in ticks if _is_decade(step)]
    return Axis(low, high, start, end, log=True, ticks=tuple(ticks))


def time(seconds: float, start: float, end: float, *, most: int = 8) -> Axis:
    """From second 0."""
    high = max(seconds, 1.0)
    step = next((step for step in _TIME_STEPS if high / step <= most), _TIME_STEPS[-1])
    return Axis(0.0, high, start, end, ticks=tuple(float(step * n) for n in range(int(high / step) + 1)))


def clock(seconds: float) -> str:
    """`45`, `1:30`, `1:00:00`: a moment of the run."""
    whole = int(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def path(points: Sequence[tuple[float, float | None]]) -> str:
    """SVG path data; None lifts the pen, and a point on its own becomes a dot."""
    pieces: list[str] = []
    for index, (x, y) in enumerate(points):
        if y is None:
            continue
        starts = index == 0 or points[index - 1][1] is None
        ends = index + 1 == len(points) or points[index + 1][1] is None
        pieces.append(f"{'M' if starts else 'L'}{x:.1f} {y:.1f}" + ("h0.1" if starts and ends else ""))
    return "".join(pieces)


def _round_up(value: float) -> float:
    exponent = math.floor(math.log10(value))
    base = 10.0**exponent
    return next((digit * base for digit in (*_DECADE, 10.0) if digit * base >= value * 0.9999), 10 * base)


def _is_decade(value: float) -> bool:
    return math.isclose(math.log10(value), round(math.log10(value)), abs_tol=1e-9)
