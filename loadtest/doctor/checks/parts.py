"""Parts, hints and reports as they are listed: rules 42, 43, 47, 55, 61-66, 74-78. Sans-IO."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlsplit

from headwater.loadtest.doctor.findings import Seen
from headwater.loadtest.doctor.urls import absolute
from headwater.loadtest.doctor.values import Answer, Recording, RenditionRecord, Version, has_parts, key_of, low_latency
from headwater.origin.hls.model import HintType, MediaPlaylist, Part, RenditionReport, Segment

EPSILON = 1e-6
SHORT = 0.85
"""4.4.4.9."""
FRAME_S = 0.05
"""Longest frame that is usual, seconds: what EXTINF may differ from its parts (rule 47)."""
BURST = 0.6
"""Of a part target: first to last byte of a part that is whole when it is sent (rule 66)."""


def check(recording: Recording) -> Iterator[Seen]:
    """Each rendition, then the reports between them."""
    for record in recording.renditions:
        done: set[tuple[int, bool]] = set()
        for playlist in record.playlists:
            for segment in playlist.all_segments:
                if (segment.msn, segment.uri is None) not in done or segment.uri is None:
                    yield from _durations(record.name, segment, playlist)
                done.add((segment.msn, segment.uri is None))
        yield from _hints(record)
        yield from _hint_answers(recording, record)
    yield from _reports(recording)


def _durations(where: str, segment: Segment, playlist: MediaPlaylist) -> Iterator[Seen]:
    target = playlist.part_target
    if target is None:
        return
    closed = segment.uri is not None or playlist.ended
    for index, part in enumerate(segment.parts):
        last = index == len(segment.parts) - 1
        following = None if last else segment.parts[index + 1]
        name = f"part {index} of segment {segment.msn}"
        if part.duration > target + EPSILON:
            yield Seen(42, where, f"{name} has {part.duration:g} s, PART-TARGET is {target:g}")
        elif part.duration < SHORT * target - EPSILON and not _may_be_short(part, following, last=last):
            yield Seen(43, where, f"{name} has {part.duration:g} s, 85 % of PART-TARGET are {SHORT * target:.3f}")
    if closed and segment.parts and not segment.gap:
        total = sum(part.duration for part in segment.parts)
        if abs(total - segment.duration) > FRAME_S:
            yield Seen(47, where, f"EXTINF of segment {segment.msn} is {segment.duration:g}, its parts {total:g}")
    yield from _overlaps(where, segment)


def _may_be_short(part: Part, following: Part | None, *, last: bool) -> bool:
    # Of the open segment the newest part may turn out to be its last.
    return last or part.independent or part.gap or (following is not None and following.gap)


def _overlaps(where: str, segment: Segment) -> Iterator[Seen]:
    ends: dict[str, int] = {}
    for index, part in enumerate(segment.parts):
        if part.byterange is None or part.gap:
            continue
        if part.byterange.start < ends.get(part.uri, 0):
            yield Seen(55, where, f"part {index} of segment {segment.msn} begins at byte {part.byterange.start}")
        ends[part.uri] = part.byterange.start + part.byterange.length


# -- hints ---------------------------------------------------------------------------------------------------


def _hints(record: RenditionRecord) -> Iterator[Seen]:
    for playlist in record.playlists:
        kinds = [hint.type for hint in playlist.hints]
        if (
            has_parts(playlist)
            and playlist.part_target is not None
            and not playlist.ended
            and HintType.PART not in kinds
        ):
            yield Seen(61, record.name, f"no PART hint after segment {playlist.last_msn}")
        if len(set(kinds)) != len(kinds):
            yield Seen(63, record.name, f"{len(kinds)} hints: {', '.join(h.uri[:60] for h in playlist.hints[:4])}")
    for before, after in pairwise(record.versions):
        if before.playlist is not None and after.playlist is not None:
            yield from _kept(record, before.playlist, after.playlist)


def _kept(record: RenditionRecord, before: MediaPlaylist, after: MediaPlaylist) -> Iterator[Seen]:
    """The hints of `before` against the one part that `after` has more."""
    found = _next_part(before, after)
    hint = next((h for h in before.hints if h.type is HintType.PART), None)
    if found is None or hint is None:
        return
    part, segment = found
    if absolute(record.url, hint.uri) != absolute(record.url, part.uri):
        yield Seen(64, record.name, f"{hint.uri[:80]} was hinted, {part.uri[:80]} came")
    hinted_map = any(h.type is HintType.MAP for h in before.hints)
    known = before.open or (before.segments[-1] if before.segments else None)
    if known is not None and segment.map != known.map and segment.map is not None and not hinted_map:
        uri = absolute(record.url, segment.map.uri)
        if not any(s.map is not None and absolute(record.url, s.map.uri) == uri for s in before.segments):
            yield Seen(62, record.name, f"{segment.map.uri[:80]} came with segment {segment.msn} without a MAP hint")


def _next_part(before: MediaPlaylist, after: MediaPlaylist) -> tuple[Part, Segment] | None:
    """The part after the last one of `before`, where `after` lists it."""
    every = [(s.msn, s) for s in after.all_segments]
    opened = len(before.open.parts) if before.open else 0
    for msn, segment in every:
        if msn == before.last_msn + 1 and len(segment.parts) > opened:
            return segment.parts[opened], segment
        if msn == before.last_msn + 2 and segment.parts and opened:
            return segment.parts[0], segment
    return None


def _hint_answers(recording: Recording, record: RenditionRecord) -> Iterator[Seen]:
    listed = {key_of(absolute(record.url, p.uri), p.byterange): p for p in _parts(record)}
    for key, answer in record.hints.items():
        part = listed.get(key)
        if part is None or part.gap:
            continue
        if answer.status and not answer.ok:
            yield Seen(65, record.name, f"{key[0][:120]} was {answer.status} while it was hinted, then it was listed")
        elif answer.ok:
            yield from _burst(recording, record, answer)


def _parts(record: RenditionRecord) -> Iterator[Part]:
    for playlist in record.playlists:
        for segment in (*playlist.segments[-6:], *((playlist.open,) if playlist.open else ())):
            yield from segment.parts


def _burst(recording: Recording, record: RenditionRecord, answer: Answer) -> Iterator[Seen]:
    target = record.last.part_target if record.last else None
    took = answer.done - answer.first_byte
    if target is not None and took > BURST * target + 2 * recording.lag:
        yield Seen(66, record.name, f"{took:.2f} s from first to last byte of {answer.ask.url[-80:]}")


# -- reports -------------------------------------------------------------------------------------------------


def _reports(recording: Recording) -> Iterator[Seen]:
    """Reports against the multivariant playlist and against the other playlists."""
    if recording.multivariant is None or not low_latency(recording.renditions):
        return
    known = {record.url: record for record in recording.renditions}
    paths = {_path(url): url for url in known}
    stood = {url: Stood.of(record) for url, record in known.items()}
    for record in recording.renditions:
        last = record.last
        if last is None or last.ended or last.part_target is None:
            continue
        said = {absolute(record.url, report.uri): report for report in last.reports}
        missing = [r.name for url, r in known.items() if url != record.url and _path(url) not in set(map(_path, said))]
        if missing:
            yield Seen(74, record.name, f"no report of {', '.join(missing[:4])}")
        for url, report in said.items():
            if url not in known and _path(url) in paths:
                yield Seen(75, record.name, f"{report.uri[:120]}: {url} is not {paths[_path(url)]}")
            if report.last_msn is None or (report.last_part is None and last.part_target is not None):
                yield Seen(
                    77, record.name, f"{report.uri[:80]} has no LAST-{'MSN' if report.last_msn is None else 'PART'}"
                )
        for version in record.steady:
            yield from _fresh(recording, record, version, stood)


def _path(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return f"{parts.netloc}{parts.path}"


@dataclass(frozen=True, slots=True)
class Stood:
    """Where a playlist stood at which time, in order: of a long watch there are thousands, and each is looked for."""

    name: str
    times: list[float]
    playlists: list[MediaPlaylist]
    has_parts: bool

    @classmethod
    def of(cls, record: RenditionRecord) -> Stood:
        """From the versions that were seen."""
        found = [(version.at, version.playlist) for version in record.steady if version.playlist]
        last = record.last
        return cls(
            record.name, [at for at, _ in found], [one for _, one in found], last is not None and has_parts(last)
        )


def _fresh(recording: Recording, record: RenditionRecord, version: Version, stood: dict[str, Stood]) -> Iterator[Seen]:
    if version.playlist is None:
        return
    for report in version.playlist.reports:
        other = stood.get(absolute(record.url, report.uri))
        if other is None or report.last_msn is None:
            continue
        text = _wrong(recording, report, version, other)
        if text is not None:
            yield Seen(text[0], record.name, f"of {other.name}: {text[1]}")


def _wrong(recording: Recording, report: RenditionReport, version: Version, other: Stood) -> tuple[int, str] | None:
    """(rule, text) when the report is not where the other playlist stood."""
    assert report.last_msn is not None  # the caller's
    said = (report.last_msn, report.last_part if report.last_part is not None else 1 << 30)
    target = version.playlist.part_target or 1.0 if version.playlist else 1.0
    slack = target + 1.0 + recording.lag
    before = bisect_right(other.times, version.answer.first - slack)
    after = bisect_left(other.times, version.at + slack)
    earlier, later = other.playlists[max(0, before - 1) : before], other.playlists[after : after + 1]
    if earlier and said < (position := _position(earlier[0])):
        behind = position[0] - said[0]
        rule = 76 if behind > 1 else 78
        return rule, f"LAST-MSN={said[0]}, LAST-PART={report.last_part}; it stood at {_at(position)} before"
    # Of a playlist without parts only what is complete can be seen.
    open_one = 0 if other.has_parts else 1
    if later and said[0] > (position := _position(later[0]))[0] + open_one:
        return 76, f"LAST-MSN={said[0]}, LAST-PART={report.last_part}; it came to {_at(position)} only after"
    closed = next((p for p in later for s in p.segments if s.msn == said[0]), None)
    if closed is not None and report.last_part is not None:
        count = next(s.part_count for s in closed.segments if s.msn == said[0])
        if 0 < count <= report.last_part:
            return 76, f"LAST-PART={report.last_part} of segment {said[0]}, which has {count} parts"
    return None


def _position(playlist: MediaPlaylist) -> tuple[int, int]:
    at = playlist.position
    if at.open_parts:
        return at.last_msn + 1, at.open_parts - 1
    return at.last_msn, max(0, at.last_part_count - 1)


def _at(position: tuple[int, int]) -> str:
    return f"{position[0]}.{position[1]}"
