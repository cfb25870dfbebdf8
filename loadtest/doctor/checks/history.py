"""What may change between versions of a playlist, and how fast it does: rules 12, 14, 19, 20, 22, 23, 49, 57, 58.

Sans-IO.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from headwater.loadtest.doctor.findings import Seen
from headwater.loadtest.doctor.values import FileKind, Recording, RenditionRecord, Version, has_parts
from headwater.origin.hls.model import MediaPlaylist, Part, Segment

SLACK_S = 1.0
"""Delay of network and doctor that is not counted against a server. Why: less is what any viewer's buffer bears."""


def check(recording: Recording) -> Iterator[Seen]:
    """Each rendition by itself."""
    for record in recording.renditions:
        playlists = record.playlists
        for before, after in pairwise(playlists):
            yield from _step(record.name, before, after)
        yield from _names(record)
        yield from _pace(recording, record)
        yield from _again(record)
        if playlists:
            yield from _part_tags(record.name, playlists[-1])


def _step(where: str, before: MediaPlaylist, after: MediaPlaylist) -> Iterator[Seen]:
    if after.media_sequence < before.media_sequence:
        yield Seen(12, where, f"MEDIA-SEQUENCE went from {before.media_sequence} to {after.media_sequence}")
        return
    if after.last_msn < before.last_msn and after.media_sequence == before.media_sequence:
        yield Seen(14, where, f"segment {before.last_msn} was taken back from the end")
        return
    moved = _moved(before, after)
    if moved:
        yield Seen(12, where, f"{moved[0]} was segment {moved[1]}, then {moved[2]}")
        return
    for old, new in _common(before, after):
        yield from _same_segment(where, old, new)
    if before.open is not None and before.open.msn <= after.last_msn:
        index = before.open.msn - after.media_sequence
        if 0 <= index < len(after.segments):
            yield from _same_parts(where, before.open, after.segments[index])
    elif before.open is not None and after.open is not None:
        yield from _same_parts(where, before.open, after.open)


def _moved(before: MediaPlaylist, after: MediaPlaylist) -> tuple[str, int, int] | None:
    """A segment that has another number now."""
    numbers = {(s.uri, s.byterange): s.msn for s in before.segments}
    for segment in after.segments:
        old = numbers.get((segment.uri, segment.byterange))
        if old is not None and old != segment.msn:
            return (segment.uri or "")[:80], old, segment.msn
    return None


def _common(before: MediaPlaylist, after: MediaPlaylist) -> Iterator[tuple[Segment, Segment]]:
    for old in before.segments:
        index = old.msn - after.media_sequence
        if 0 <= index < len(after.segments):
            yield old, after.segments[index]


def _same_segment(where: str, old: Segment, new: Segment) -> Iterator[Seen]:
    if _path(old.uri) != _path(new.uri):
        yield Seen(22, where, f"segment {old.msn} was {_path(old.uri)[:80]}, then {_path(new.uri)[:80]}")
        return
    for name, one, other in (
        ("EXTINF", old.duration, new.duration),
        ("PROGRAM-DATE-TIME", old.date_us, new.date_us),
        ("DISCONTINUITY", old.discontinuity, new.discontinuity),
        ("GAP", old.gap, new.gap),
        ("BYTERANGE", old.byterange, new.byterange),
    ):
        if one != other:
            yield Seen(14, where, f"{name} of segment {old.msn} was {one}, then {other}")
            return
    if new.parts and len(new.parts) != len(old.parts) and old.parts:
        yield Seen(14, where, f"segment {old.msn} had {len(old.parts)} parts, then {len(new.parts)}")
    else:
        yield from _same_parts(where, old, new)


def _same_parts(where: str, old: Segment, new: Segment) -> Iterator[Seen]:
    if not new.parts and new.uri is not None:
        return
    for index, (one, other) in enumerate(zip(old.parts, new.parts, strict=False)):
        if _plain(one) != _plain(other):
            yield Seen(14, where, f"part {index} of segment {old.msn} was {_shown(one)}, then {_shown(other)}")
            return
    if len(new.parts) < len(old.parts):
        yield Seen(14, where, f"parts of segment {old.msn} were taken back")


def _plain(part: Part) -> tuple[object, ...]:
    return (_path(part.uri), part.duration, part.independent, part.gap, part.byterange)


def _shown(part: Part) -> str:
    return f"{part.uri[:60]} ({part.duration:g} s{', independent' * part.independent}{', gap' * part.gap})"


def _path(uri: str | None) -> str:
    return (uri or "").partition("?")[0]


def _names(record: RenditionRecord) -> Iterator[Seen]:
    """One name for two places (rule 23)."""
    places: dict[tuple[str, object], tuple[int, int]] = {}
    for playlist in (v.playlist for v in record.steady if v.playlist):
        for segment in playlist.all_segments:
            named = [((part.uri, part.byterange), index) for index, part in enumerate(segment.parts) if not part.gap]
            if segment.uri is not None and not segment.gap:
                named.append(((segment.uri, segment.byterange), -1))
            for name, index in named:
                place = places.setdefault(name, (segment.msn, index))
                if place != (segment.msn, index) and -1 not in (place[1], index) and place[0] != segment.msn:
                    yield Seen(23, record.name, f"{name[0][:80]} is in segment {place[0]} and in {segment.msn}")
                    return


def _pace(recording: Recording, record: RenditionRecord) -> Iterator[Seen]:
    versions = [v for v in record.versions if v.playlist is not None]
    last = record.last
    if last is None or last.ended:
        return
    end = record.versions[-1].at
    slack = SLACK_S + recording.lag
    polled = 0.0 if last.control.can_block_reload else last.target_duration / 2
    segments = _arrivals([(v, v.playlist.last_msn) for v in versions if v.playlist], end)
    worst = max(segments, default=0.0)
    if worst > 1.5 * last.target_duration + slack + polled:
        yield Seen(19, record.name, f"{worst:.1f} s without a new segment, TARGETDURATION is {last.target_duration}")
        return
    if last.part_target is None or not last.control.can_block_reload or not has_parts(last):
        return
    positions = [(v, v.playlist.position.order) for v in versions if v.playlist]
    worst = max(_arrivals(positions, end), default=0.0)
    if worst > last.part_target + max(slack, last.part_target):
        yield Seen(49, record.name, f"{worst:.2f} s without a new part, PART-TARGET is {last.part_target:g}")


def _arrivals(found: Sequence[tuple[Version, object]], end: float) -> list[float]:
    """Seconds between changes, the last one until `end`. The first change is left out: when it began is not known."""
    if not found:
        return []
    times: list[float] = []
    before: object = None
    for version, value in found:
        if value != before:
            times.append(version.at)
        before = value
    return [later - earlier for earlier, later in zip(times, [*times[1:], max(end, *times[-1:])], strict=True)]


def _again(record: RenditionRecord) -> Iterator[Seen]:
    for again in record.again:
        name = again.first.key[0]
        if again.second.answer.status in (404, 410):
            if again.gone:
                yield Seen(20, record.name, f"{again.first.kind} {name} is {again.second.answer.status} now")
            else:
                rule = 50 if again.first.kind is FileKind.PART else 21
                yield Seen(
                    rule, record.name, f"{again.first.kind} {name} is listed and {again.second.answer.status} now"
                )
        elif again.second.answer.ok and again.first.digest and again.second.digest != again.first.digest:
            yield Seen(23, record.name, f"{name} had {again.first.size} bytes, then {again.second.size} others")


def _part_tags(where: str, playlist: MediaPlaylist) -> Iterator[Seen]:
    """When the tags of parts are removed (rules 57, 58)."""
    if playlist.part_target is None or not any(s.parts for s in playlist.segments):
        return
    limit, after = 3.0 * playlist.target_duration, 0.0
    if playlist.open is not None:
        after = playlist.open.duration
    for segment in reversed(playlist.segments):
        # `after`: from the end of this segment to the end of the playlist
        whole = after + segment.duration
        if segment.parts and after > limit + 2 * playlist.target_duration:
            yield Seen(57, where, f"segment {segment.msn} lists parts {after:.1f} s before the end")
            return
        if not segment.parts and not segment.gap and whole < limit - playlist.target_duration / 2:
            yield Seen(58, where, f"segment {segment.msn}, {whole:.1f} s before the end, lists no parts")
            return
        after = whole
