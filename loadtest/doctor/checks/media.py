"""Downloaded files: rules 21, 46, 50-54, 128, 129, 182, 183, 185, 199-204. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from headwater.loadtest.doctor.findings import Seen
from headwater.loadtest.doctor.looks import Access, Form, Fragment, Init, Look, Sample
from headwater.loadtest.doctor.urls import absolute
from headwater.loadtest.doctor.values import File, FileKind, Recording, RenditionRecord, key_of
from headwater.origin.hls.model import MediaPlaylist, Part, Segment

TOLERANCE_S = 0.05
"""What EXTINF may differ from the media beyond a frame. Why: printed decimals, and audio cut at video times."""
MAX_FPS = 60.5
BITRATE_SHARE = 0.1
"""4.4.4.8."""


@dataclass(slots=True)
class Placed:
    """A part or segment with its download."""

    segment: Segment
    index: int
    """Of the part; -1: the segment."""
    part: Part | None
    file: File
    init: Init | None
    claimed: bool
    """EXT-X-INDEPENDENT-SEGMENTS is in force."""

    @property
    def name(self) -> str:
        """For the report."""
        return (
            f"segment {self.segment.msn}" if self.part is None else f"part {self.index} of segment {self.segment.msn}"
        )

    @property
    def holed(self) -> bool:
        """A part of the segment is a GAP: what is missing in its file is listed as missing."""
        return any(part.gap for part in self.segment.parts)

    @property
    def look(self) -> Look:
        """What was read."""
        return self.file.look or Look(Form.OTHER)


def check(recording: Recording) -> Iterator[Seen]:
    """Every file of every rendition."""
    for record in recording.renditions:
        yield from _failures(record)
        places = list(placed(recording, record))
        forms = {place.look.form for place in places if place.file.answer.ok}
        for form in forms - {Form.FMP4}:
            recording.note(f"{record.name}: {form.value} media is not looked into")
        whole = [place for place in places if place.file.answer.ok and place.look.form is Form.FMP4]
        yield from _inits(record)
        yield from _maps(record, whole)
        for place in whole:
            yield from _chunks(record.name, place)
            yield from _keyframes(record.name, place)
        for place in whole:
            if place.part is None:
                yield from _segment_time(record.name, place)
        yield from _continuity(record.name, [p for p in whole if p.part is not None])
        yield from _continuity(record.name, [p for p in whole if p.part is None])
        yield from _together(record.name, whole)
        yield from _bitrates(record, whole)


def placed(recording: Recording, record: RenditionRecord) -> Iterator[Placed]:
    """All downloaded parts and segments, in the order of the playlist, each once."""
    segments: dict[int, tuple[Segment, MediaPlaylist]] = {}
    for playlist in record.playlists:
        for segment in playlist.all_segments:
            known = segments.get(segment.msn)
            if known is None or len(segment.parts) > len(known[0].parts) or known[0].uri is None:
                kept = known[0].parts if known and not segment.parts else None
                segments[segment.msn] = (segment if kept is None else _with_parts(segment, kept), playlist)
    overall = recording.multivariant is not None and recording.multivariant.independent_segments
    for _, (segment, playlist) in sorted(segments.items()):
        claimed = overall or playlist.independent_segments
        init = _init_of(record, segment)
        for index, part in enumerate(segment.parts):
            file = record.files.get(key_of(absolute(record.url, part.uri), part.byterange))
            if file is not None and not part.gap and file.kind is FileKind.PART:
                yield Placed(segment, index, part, file, init, claimed)
        if segment.uri is not None and not segment.gap:
            file = record.files.get(key_of(absolute(record.url, segment.uri), segment.byterange))
            if file is not None and file.kind is FileKind.SEGMENT:
                yield Placed(segment, -1, None, file, init, claimed)


def _with_parts(segment: Segment, parts: tuple[Part, ...]) -> Segment:
    return replace(segment, parts=parts)


def _init_of(record: RenditionRecord, segment: Segment) -> Init | None:
    if segment.map is None:
        return None
    file = record.files.get(key_of(absolute(record.url, segment.map.uri), segment.map.byterange))
    return file.init if file is not None else None


def _failures(record: RenditionRecord) -> Iterator[Seen]:
    for file in record.files.values():
        answer = file.answer
        # A hint may die (rule 68); a range of a file may be longer than what there is of it.
        if answer.ok or file.hinted:
            continue
        rule = 50 if file.kind is FileKind.PART else 21
        why = answer.failure or f"status {answer.status}"
        yield Seen(rule, record.name, f"{file.kind} {file.key[0]}: {why}")


def _inits(record: RenditionRecord) -> Iterator[Seen]:
    for file in record.files_of(FileKind.INIT):
        if not file.answer.ok:
            continue
        if file.init is None:
            yield Seen(199, record.name, f"{file.key[0]} is no MP4 file")
            continue
        for problem in file.init.problems:
            yield Seen(199, record.name, f"{file.key[0]}: {problem}")
        if len(file.init.tracks) > 1:
            yield Seen(201, record.name, f"{file.key[0]} has {len(file.init.tracks)} tracks")


def _maps(record: RenditionRecord, whole: list[Placed]) -> Iterator[Seen]:
    for place in whole:
        if place.segment.map is None:
            yield Seen(129, record.name, f"{place.name} is fMP4, and no EXT-X-MAP holds for it")
            return


def _chunks(where: str, place: Placed) -> Iterator[Seen]:
    look = place.look
    if look.error:
        yield Seen(202, where, f"{place.name}: {look.error}")
    for fragment in look.fragments:
        if fragment.tfdt is None:
            yield Seen(200, where, f"{place.name}: a traf without tfdt")
        if not fragment.moof_based:
            yield Seen(200, where, f"{place.name}: addresses are not relative to the moof")


def _first(look: Look) -> Sample | None:
    return next((f.samples[0] for f in look.fragments if f.samples), None)


def _keyframes(where: str, place: Placed) -> Iterator[Seen]:
    first = _first(place.look)
    if first is None or first.access is Access.UNKNOWN or not place.look.fragments:
        return
    track = place.init.track(place.look.fragments[0].track) if place.init else None
    if track is None or (place.init is not None and len(place.init.tracks) > 1):
        return
    good = first.access in (Access.KEY, Access.RECOVERY)
    if place.part is not None:
        if place.part.independent and not good:
            yield Seen(52, where, f"{place.name} says INDEPENDENT=YES and begins with {first.access.value}")
        elif not place.part.independent and first.access is Access.KEY:
            yield Seen(54 if track.kind == "soun" else 51, where, f"{place.name} begins with {first.access.value}")
    elif place.claimed and not good:
        yield Seen(182, where, f"{place.name} begins with {first.access.value}, EXT-X-INDEPENDENT-SEGMENTS says more")


def _tracks(place: Placed) -> dict[int, list[Fragment]]:
    found: dict[int, list[Fragment]] = {}
    for fragment in place.look.fragments:
        found.setdefault(fragment.track, []).append(fragment)
    return found


def _scale(place: Placed, track: int) -> int:
    known = place.init.track(track) if place.init else None
    return known.timescale if known else 0


def _segment_time(where: str, place: Placed) -> Iterator[Seen]:
    if place.look.error or place.holed:
        return
    for track, fragments in list(_tracks(place).items())[:1]:
        scale = _scale(place, track)
        samples = [s for f in fragments for s in f.samples]
        if not scale or not samples:
            continue
        real = sum(s.duration for s in samples) / scale
        frame = max(s.duration for s in samples) / scale
        if abs(real - place.segment.duration) > frame + TOLERANCE_S:
            yield Seen(183, where, f"EXTINF of {place.name} is {place.segment.duration:g}, the media {real:.3f} s")
        known = place.init.track(track) if place.init else None
        if known is not None and known.kind == "vide" and len(samples) / max(real, 1e-3) > MAX_FPS:
            yield Seen(185, where, f"{len(samples) / real:.1f} frames per second")


def _continuity(where: str, places: list[Placed]) -> Iterator[Seen]:
    """Decode times within a file, and from each file to the next where they are neighbours."""
    for place in places:
        for fragments in _tracks(place).values() if place.part is not None or not place.holed else ():
            for first, second in pairwise(fragments):
                if None not in (first.tfdt, second.tfdt) and first.end != second.start:
                    yield Seen(204, where, f"within {place.name}: {second.start - first.end:+d} ticks at {first.end}")
    for one, other in pairwise(places):
        if not _neighbours(one, other) or (other.segment.discontinuity and one.segment.msn != other.segment.msn):
            continue
        if one.segment.map != other.segment.map or one.look.error or other.look.error:
            continue
        before, after = _tracks(one), _tracks(other)
        for track in before.keys() & after.keys():
            end, start, scale = before[track][-1].end, after[track][0].start, _scale(other, track)
            if before[track][-1].tfdt is None or after[track][0].tfdt is None:
                continue
            if end != start and abs(end - start) > max(1, scale // 1000):
                shown = f"{(start - end) / scale:+.3f} s" if scale else f"{start - end:+d} ticks"
                yield Seen(204, where, f"between {one.name} and {other.name}: {shown}")


def _neighbours(one: Placed, other: Placed) -> bool:
    if one.part is None:
        return other.segment.msn == one.segment.msn + 1 and not (one.holed or other.holed)
    if one.segment.msn == other.segment.msn:
        return other.index == one.index + 1
    last = one.segment.uri is not None and one.index == len(one.segment.parts) - 1
    return last and other.segment.msn == one.segment.msn + 1 and other.index == 0


def _together(where: str, whole: list[Placed]) -> Iterator[Seen]:
    """Rule 46: sample for sample."""
    by_msn: dict[int, list[Placed]] = {}
    for place in whole:
        by_msn.setdefault(place.segment.msn, []).append(place)
    for places in by_msn.values():
        parts = [p for p in places if p.part is not None]
        segment = next((p for p in places if p.part is None), None)
        if segment is None or not parts or len(parts) != sum(not part.gap for part in segment.segment.parts):
            continue
        if segment.look.error or any(p.look.error for p in parts):
            continue
        mine = [_bare(s) for p in parts for f in p.look.fragments for s in f.samples]
        theirs = [_bare(s) for f in segment.look.fragments for s in f.samples]
        if sorted(mine) != sorted(theirs):
            yield Seen(46, where, f"{segment.name} has {len(theirs)} samples, its parts {_difference(mine, theirs)}")


def _bare(sample: Sample) -> tuple[int, int, int, bytes]:
    return (sample.dts, sample.pts, sample.duration, sample.digest)


def _difference(mine: list[tuple[int, int, int, bytes]], theirs: list[tuple[int, int, int, bytes]]) -> str:
    if len(mine) != len(theirs):
        return str(len(mine))
    return f"as many, {sum(a != b for a, b in zip(sorted(mine), sorted(theirs), strict=True))} of them different"


def _bitrates(record: RenditionRecord, whole: list[Placed]) -> Iterator[Seen]:
    """Rule 128: EXT-X-BITRATE, kbit/s, holds until the next one."""
    said: dict[int, int] = {}
    for playlist in record.playlists[-1:]:
        current = next((_kilobits(tag) for tag in playlist.tags if tag.startswith("#EXT-X-BITRATE:")), None)
        for segment in playlist.segments:
            current = next((_kilobits(t) for t in segment.tags if t.startswith("#EXT-X-BITRATE:")), current)
            if current is not None:
                said[segment.msn] = current
    for place in whole:
        kilobits = said.get(place.segment.msn)
        if place.part is not None or kilobits is None or not place.segment.duration:
            continue
        real = place.file.size * 8 / place.segment.duration / 1000
        if abs(real - kilobits) > BITRATE_SHARE * kilobits + 1:
            yield Seen(128, record.name, f"{place.name} has {real:.0f} kbit/s, EXT-X-BITRATE says {kilobits}")


def _kilobits(tag: str) -> int | None:
    value = tag.partition(":")[2]
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None
