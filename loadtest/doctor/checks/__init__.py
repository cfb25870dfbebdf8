"""The checks: Recording -> Seen, sans-IO, one module per group of rules. None raises, whatever was recorded.

form          text and tags of every playlist
control       target durations, hold-backs, windows
history       what may change between versions, and how fast it does
parts         parts, hints, reports
media         files: chunks, decode times, keyframes, durations
dates         dates and discontinuities over time and renditions
variants      the multivariant playlist against what is sent
blocking      answers to directives
deltas        delta updates
transfer      HTTP
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from headwater.loadtest.doctor.findings import Seen
from headwater.loadtest.doctor.values import Recording

from . import blocking, control, dates, deltas, form, history, media, parts, transfer, variants

Check = Callable[[Recording], Iterator[Seen]]

ALL: tuple[Check, ...] = (
    form.check,
    control.check,
    history.check,
    parts.check,
    media.check,
    dates.check,
    variants.check,
    blocking.check,
    deltas.check,
    transfer.check,
)


def run(recording: Recording) -> list[Seen]:
    """Everything that all checks see."""
    return [seen for check in ALL for seen in check(recording)]
