"""Where one presentation gives way to another: numbers that go on, a discontinuity between. Sans-IO. ADR 15.

Two origins number and name the same programme each in its own way. Viewers of the first, which is gone, are shown the
second from the segment whose date follows what they have, under numbers above all that they have seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from headwater.origin.hls.model import MediaPlaylist, Segment

MOST_BACK = 4
"""How many segments before the newest one the second presentation may begin at. Why: a date that is further off is
another clock's; and what a viewer missed while the first origin stood still is three segments of 2 s."""
BESIDE = 1
"""Numbers left free between what is shown and what is joined to it. Why: all renditions are joined with the same
numbers, and of another one viewers may have seen the next segment begin already."""


@dataclass(frozen=True, slots=True)
class Join:
    """How the numbers of a presentation become those that viewers get."""

    first: int
    """Its own MSN of the first segment that is shown, which begins with a discontinuity."""
    shift: int = 0
    """Added to its MSNs; never negative: who is ahead keeps its own, so that all edges agree."""
    turns: int = 0
    """Added to its discontinuity sequence numbers."""


def last_shown(model: MediaPlaylist) -> int:
    """The highest number of which viewers have seen anything."""
    return model.last_msn + (1 if model.open is not None and model.open.parts else 0)


def join(shown: MediaPlaylist, theirs: MediaPlaylist) -> Join:
    """How `theirs` follows what is `shown` now.

    With a whole segment from the start, where there is one: a live playlist of parts alone is empty for hls.js 1.7,
    which ends on it. What of that viewers have already they have twice.
    """
    newest = theirs.last_msn
    first = max(min(_beginning(shown, theirs), newest), newest + 1 - MOST_BACK, theirs.media_sequence)
    shift = max(0, last_shown(shown) + 1 + BESIDE - first)
    turn = _turn(shown, last_shown(shown)) + 1
    return Join(first, shift, turn - _turn(theirs, first))


def _beginning(shown: MediaPlaylist, theirs: MediaPlaylist) -> int:
    """The MSN of theirs that begins nearest to where `shown` ends; the newest where there are no dates."""
    last = shown.all_segments[-1:]
    dated = [segment for segment in theirs.all_segments if segment.date_us is not None]
    if not last or last[0].date_us is None or not dated:
        return theirs.last_msn + 1
    end_us = last[0].date_us + last[0].duration * 1e6
    following = dated[-1].msn + 1, (dated[-1].date_us or 0) + dated[-1].duration * 1e6
    starts = [*((segment.msn, segment.date_us or 0) for segment in dated), following]
    return min(starts, key=lambda start: abs(start[1] - end_us))[0]


def _turn(model: MediaPlaylist, msn: int) -> int:
    """The discontinuity sequence number of segment `msn` (4.4.3.3)."""
    return model.discontinuity_sequence + sum(
        segment.discontinuity for segment in model.all_segments if segment.msn <= msn
    )


def joined(model: MediaPlaylist, at: Join) -> MediaPlaylist | None:
    """What viewers get of `model`; None when nothing of it is to be shown yet."""
    kept = [_renumbered(segment, at) for segment in model.segments if segment.msn >= at.first]
    opened = model.open if model.open is not None and model.open.msn >= at.first else None
    if not kept and (opened is None or not opened.parts):
        return None
    begins = max(at.first, model.media_sequence)
    turn = _turn(model, begins) + at.turns
    marked = begins == at.first or any(segment.discontinuity for segment in kept[:1])
    return replace(
        model,
        media_sequence=begins + at.shift,
        # The number before the first segment's own discontinuity, if that has one
        discontinuity_sequence=max(0, turn - marked),
        segments=tuple(kept),
        open=None if opened is None else _renumbered(opened, at),
        reports=tuple(
            report if report.last_msn is None else replace(report, last_msn=report.last_msn + at.shift)
            for report in model.reports
        ),
    )


def _renumbered(segment: Segment, at: Join) -> Segment:
    begins = segment.msn == at.first
    if not at.shift and not begins:
        return segment
    return replace(segment, msn=segment.msn + at.shift, discontinuity=segment.discontinuity or begins)
