"""Dates and discontinuities, over time and over renditions: rules 113-118, 181, 302. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from headwater.loadtest.doctor.findings import Seen, Severity
from headwater.loadtest.doctor.looks import Init
from headwater.loadtest.doctor.values import Recording, RenditionRecord, Version
from headwater.origin.hls.model import MediaPlaylist

from .media import Placed, placed

STEP_S = 0.5
"""Difference of dates and durations that is no rounding (rule 115: only sub-second overlap is allowed)."""
MAPPING_S = 0.1
"""Difference of date mappings between renditions. Why: lips and sound part visibly at 0.1 s."""
APART_S = 0.2
"""Difference of segment starts (rule 181)."""
AHEAD_S = 2.0
"""Dates in the future. Why: the Date header has whole seconds, and a part is dated by its start."""
BEHIND_S = 60.0


def check(recording: Recording) -> Iterator[Seen]:
    """Each rendition, then all together."""
    places = {record.name: list(placed(recording, record)) for record in recording.renditions}
    for record in recording.renditions:
        last = record.last
        if last is None:
            continue
        yield from _present(record.name, last)
        yield from _steps(record.name, last)
        yield from _wall(record)
        yield from _numbers(record)
        yield from _formats(record.name, places[record.name])
    yield from _mapping(recording, places)
    yield from _together(recording)


def _present(where: str, playlist: MediaPlaylist) -> Iterator[Seen]:
    segments = playlist.all_segments
    dated = [s for s in segments if s.date_us is not None]
    if not dated and segments and not playlist.ended:
        severity = None if playlist.part_target is not None else Severity.ADVICE  # Apple authoring 8.4
        yield Seen(113, where, "there is no EXT-X-PROGRAM-DATE-TIME", severity)
    for segment in segments:
        if dated and segment.discontinuity and segment.date_us is None:
            yield Seen(113, where, f"no date at the discontinuity of segment {segment.msn}", Severity.WARNING)


def _steps(where: str, playlist: MediaPlaylist) -> Iterator[Seen]:
    """Dates against the durations between them, step by step and in sum."""
    start: int | None = None
    run = expected = 0.0
    for segment in playlist.all_segments:
        if segment.discontinuity:
            start = None
        if segment.date_us is not None:
            if start is not None:
                step = (segment.date_us - start) / 1e6 - run
                if abs(step - expected) > STEP_S or abs(step) > 2 * STEP_S:
                    yield Seen(115, where, f"the date of segment {segment.msn} is {step:+.2f} s off its media")
                    return
                expected = step
            else:
                start, run, expected = segment.date_us, 0.0, 0.0
        run += segment.duration


def _wall(record: RenditionRecord) -> Iterator[Seen]:
    for version in record.versions[-3:]:
        behind = _behind(version)
        if behind is None or (version.playlist and version.playlist.ended):
            continue
        if behind < -AHEAD_S:
            yield Seen(302, record.name, f"the end of the playlist is dated {-behind:.1f} s after the server's clock")
        elif behind > BEHIND_S:
            yield Seen(302, record.name, f"the end of the playlist is dated {behind:.0f} s before the server's clock")


def _behind(version: Version) -> float | None:
    """Seconds from the end of the playlist, by its dates, to the server's clock."""
    if version.playlist is None:
        return None
    try:
        clock = parsedate_to_datetime(version.answer.header("date")).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    end: float | None = None
    for segment in version.playlist.all_segments:
        if segment.date_us is not None:
            end = segment.date_us / 1e6
        if end is not None:
            end += segment.duration
    return None if end is None else clock - end


def _numbers(record: RenditionRecord) -> Iterator[Seen]:
    """The discontinuity sequence number of a segment never changes (rule 117)."""
    known: dict[int, int] = {}
    before = -1
    for playlist in record.playlists:
        if playlist.discontinuity_sequence < before:
            yield Seen(
                117, record.name,
                f"DISCONTINUITY-SEQUENCE went from {before} to {playlist.discontinuity_sequence}",
            )  # fmt: skip
            return
        before = playlist.discontinuity_sequence
        for msn, number in numbers(playlist).items():
            if known.setdefault(msn, number) != number:
                yield Seen(117, record.name, f"segment {msn} was in discontinuity {known[msn]}, then in {number}")
                return


def numbers(playlist: MediaPlaylist) -> dict[int, int]:
    """Discontinuity sequence number by MSN (6.2.1)."""
    number, found = playlist.discontinuity_sequence, {}
    for segment in playlist.all_segments:
        number += segment.discontinuity
        found[segment.msn] = number
    return found


def _formats(where: str, places: list[Placed]) -> Iterator[Seen]:
    before: Placed | None = None
    for place in places:
        if before is not None and place.segment.msn > before.segment.msn:
            changed = _changed(before.init, place.init)
            if changed and not place.segment.discontinuity and place.segment.msn == before.segment.msn + 1:
                yield Seen(116, where, f"segment {place.segment.msn}: {changed}")
        before = place


def _changed(one: Init | None, other: Init | None) -> str:
    if one is None or other is None or one is other:
        return ""
    if len(one.tracks) != len(other.tracks):
        return f"{len(one.tracks)} tracks, then {len(other.tracks)}"
    for a, b in zip(one.tracks, other.tracks, strict=True):
        for name, x, y in (
            ("codec", a.codec, b.codec),
            ("timescale", a.timescale, b.timescale),
            ("size", (a.width, a.height), (b.width, b.height)),
        ):
            if x != y:
                return f"{name} {x}, then {y}"
    return ""


def _mapping(recording: Recording, places: dict[str, list[Placed]]) -> Iterator[Seen]:
    """Date less decode time of the same segment in all renditions (rule 114)."""
    found = [(r, _offsets(places[r.name])) for r in recording.renditions if r.last is not None]
    found = [(record, offsets) for record, offsets in found if offsets]
    for record, offsets in found[1:]:
        first, reference = found[0]
        common = offsets.keys() & reference.keys()
        apart = [offsets[msn] - reference[msn] for msn in common]
        if apart and abs(worst := max(apart, key=abs)) > MAPPING_S and not _other_clock(apart):
            yield Seen(114, record.name, f"dates are {worst:+.2f} s off those of {first.name} for the same media time")
    with_dates = [r.name for r in recording.renditions if r.last and any(s.date_us for s in r.last.all_segments)]
    without = [r.name for r in recording.renditions if r.last and r.last.all_segments and r.name not in with_dates]
    if with_dates and without:
        yield Seen(114, without[0], f"no dates, while {with_dates[0]} has some")


def _other_clock(apart: list[float]) -> bool:
    """Renditions whose media times have nothing to do with each other: a matter of the packager, not of dates."""
    return min(apart, key=abs) > 600


def _offsets(places: list[Placed]) -> dict[int, float]:
    found: dict[int, float] = {}
    for place in places:
        fragment = next((f for f in place.look.fragments if f.samples), None)
        track = place.init.track(fragment.track) if place.init and fragment else None
        if (
            fragment is None
            or fragment.tfdt is None
            or track is None
            or not track.timescale
            or place.segment.date_us is None
        ):
            continue
        if place.part is None or place.index == 0:
            earliest = min(sample.pts for sample in fragment.samples)
            found[place.segment.msn] = place.segment.date_us / 1e6 - earliest / track.timescale
    return found


def _together(recording: Recording) -> Iterator[Seen]:
    found = [(r, r.last) for r in recording.renditions if r.last is not None and r.last.segments]
    if len(found) < 2:
        return
    first, reference = found[0]
    assert reference is not None  # filtered
    starts = {s.msn: s.date_us for s in reference.segments if s.date_us is not None}
    theirs = numbers(reference)
    for record, playlist in found[1:]:
        assert playlist is not None  # filtered
        for msn, number in numbers(playlist).items():
            if theirs.get(msn, number) != number:
                yield Seen(
                    118, record.name, f"segment {msn} is in discontinuity {number}, in {first.name} {theirs[msn]}"
                )
                break
        apart = [
            (s.date_us - starts[s.msn]) / 1e6 for s in playlist.segments if s.date_us is not None and s.msn in starts
        ]
        if apart and abs(worst := max(apart, key=abs)) > APART_S:
            yield Seen(181, record.name, f"segments begin up to {worst:+.2f} s from those of {first.name}")
