"""Figures as people read them. Sans-IO."""

from __future__ import annotations

US = 1_000_000
_SIZES = ("", "k", "M", "G", "T")


def duration(seconds: float) -> str:
    """`850 us`, `12.3 ms`, `1.25 s`, `3 min 20 s`: three digits tell enough."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds == 0:
        return "0 ms"
    if seconds < 0.0009995:
        return f"{seconds * US:.0f} us"
    if seconds < 0.9995:
        return f"{_three(seconds * 1000)} ms"
    if seconds < 119.5:
        return f"{_three(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def microseconds(value: int | None) -> str:
    """The same of microseconds; a dash where there is nothing."""
    return "–" if value is None else duration(value / US)


def share(value: float) -> str:
    """`0.12 %`, `12.3 %`."""
    percent = value * 100
    return f"{percent:.3g} %" if percent < 100 else f"{percent:.0f} %"


def size(value: float, unit: str = "B") -> str:
    """`1.25 MB`, `640 kbit/s`: powers of a thousand."""
    for prefix in _SIZES[:-1]:
        if abs(value) < 999.5:
            return f"{_three(value) if prefix else format(value, '.0f')} {prefix}{unit}"
        value /= 1000
    return f"{_three(value)} {_SIZES[-1]}{unit}"


def number(value: float) -> str:
    """`12,345`; fractions to three digits."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _three(value: float) -> str:
    if abs(value) >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2f}"
