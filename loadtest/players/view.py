"""A playlist as players use it: everything that can be loaded, in order, with its dates and addresses. Sans-IO.

    unit    a part where the playlist lists parts, else a whole segment
    key     a unit's place: MSN x 10,000 + part; a whole segment stands at the key of its part 0
    start   Unix seconds by PROGRAM-DATE-TIME and durations; without dates seconds on a line of its own, which goes
            on from version to version

A view is made once per version and shared by all its viewers.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Final

from headwater.origin.hls import directives
from headwater.origin.hls.attributes import PlaylistError
from headwater.origin.hls.model import ByteRange, HintType, MediaPlaylist, Segment

from .address import Address, resolve

KEYS: Final = 10_000
"""Keys of one segment. Why: a segment of 20 s in single frames of 120 fps has 2,400 parts."""


class Unit:
    """Something that a player loads: a part, or a whole segment."""

    __slots__ = (
        "address",
        "duration",
        "end",
        "gap",
        "independent",
        "init",
        "key",
        "next_key",
        "range",
        "start",
        "whole",
    )

    def __init__(
        self, address: Address, key: int, start: float, duration: float, init: Address | None, span: ByteRange | None
    ) -> None:
        self.address = address
        self.key = key
        self.next_key = key + 1
        self.start = start
        self.duration = duration
        self.end = start + duration
        """With dates also the time of its publication."""
        self.init = init
        self.range = b"" if span is None else b"Range: bytes=%d-%d\r\n" % (span.start, span.start + span.length - 1)
        self.gap = False
        self.independent = True
        self.whole = False

    @property
    def boundary(self) -> bool:
        """It begins a segment: a rendition may be changed here."""
        return self.key % KEYS == 0


class View:
    """One version of a media playlist."""

    __slots__ = (
        "_asks",
        "_index",
        "_segment_index",
        "address",
        "dated",
        "edge",
        "filled",
        "hint",
        "hint_range",
        "next_key",
        "playlist",
        "reports",
        "segments",
        "starts",
        "units",
    )

    def __init__(self, address: Address, playlist: MediaPlaylist, anchor: View | None = None) -> None:
        """`anchor`: an earlier version, for playlists without dates. Raises PlaylistError for bad addresses."""
        self.address = address
        self.playlist = playlist
        listed = playlist.segments if playlist.open is None else (*playlist.segments, playlist.open)
        if any(len(segment.parts) >= KEYS for segment in listed):
            raise PlaylistError("a segment has too many parts")
        self.dated = any(segment.date_us is not None for segment in listed)
        self.starts = _starts(listed, anchor) if listed else {}
        self.units = tuple(unit for segment in listed for unit in self._units(segment))
        self.segments = tuple(self._whole(segment) for segment in playlist.segments)
        self._index = {unit.key: unit for unit in self.units}
        self._segment_index = {unit.key: unit for unit in self.segments}
        self._asks: dict[bool, bytes] = {}
        opened = playlist.open
        self.next_key = (playlist.last_msn + 1) * KEYS + (len(opened.parts) if opened else 0)
        """Of what is published next."""
        self.edge = self.units[-1].end if self.units else 0.0
        """End of the last unit (rule 253)."""
        self.filled = max((unit.end for unit in self.units if not unit.gap), default=self.edge)
        hint = next((hint for hint in playlist.hints if hint.type is HintType.PART), None)
        self.hint = None if hint is None else resolve(address.url, hint.uri)
        self.hint_range = b""
        if hint is not None and (hint.start or hint.length is not None):
            last = b"" if hint.length is None else b"%d" % (hint.start + hint.length - 1)
            self.hint_range = b"Range: bytes=%d-%s\r\n" % (hint.start, last)
        self.reports = {
            resolve(address.url, report.uri).url: (report.last_msn, report.last_part) for report in playlist.reports
        }

    def _init(self, segment: Segment) -> Address | None:
        return None if segment.map is None else resolve(self.address.url, segment.map.uri)

    def _whole(self, segment: Segment) -> Unit:
        where = resolve(self.address.url, segment.uri or "")
        start = self.starts[segment.msn]
        unit = Unit(where, segment.msn * KEYS, start, segment.duration, self._init(segment), segment.byterange)
        unit.next_key = unit.key + KEYS
        unit.gap = segment.gap
        unit.whole = True
        return unit

    def _units(self, segment: Segment) -> list[Unit]:
        if not segment.parts:
            return [self._whole(segment)] if segment.uri is not None else []
        init, found = self._init(segment), []
        start = self.starts[segment.msn]
        for index, part in enumerate(segment.parts):
            where = resolve(self.address.url, part.uri)
            unit = Unit(where, segment.msn * KEYS + index, start, part.duration, init, part.byterange)
            unit.gap = part.gap or segment.gap
            unit.independent = part.independent
            found.append(unit)
            start = unit.end
        if segment.uri is not None:
            found[-1].next_key = (segment.msn + 1) * KEYS
        return found

    def find(self, key: int, *, whole: bool) -> Unit | None:
        """What to load at `key`, or the next thing after it; None: it is not published yet."""
        index = self._segment_index if whole else self._index
        unit = index.get(key)
        if unit is not None or key >= self.next_key:
            return unit
        # Not listed any more, or its segment has fewer parts than was thought.
        return next((unit for unit in (self.segments if whole else self.units) if unit.key >= key), None)

    def at(self, time: float, *, whole: bool) -> Unit | None:
        """Where to begin so that `time` can be played: the last independent unit that starts by then (rule 188)."""
        best, later = None, float("inf")
        for unit in reversed(self.segments if whole else self.units):
            if unit.start > later and best is not None:
                break  # the dates went back here: what is before is another time
            later = unit.start
            if not unit.gap and (unit.independent or unit.boundary):
                best = unit
                if unit.start <= time + 0.001:
                    break
        return best

    def after(self, time: float, *, whole: bool) -> Unit | None:
        """The segment to go on with where media up to `time` is loaded; None: it is not published yet."""
        units = self.segments if whole else self.units
        return next((unit for unit in units if unit.boundary and unit.start > time - unit.duration / 2), None)

    def ask(self, *, skip: bool) -> bytes:
        """Target of the blocking reload for what is published next (6.2.5.2)."""
        found = self._asks.get(skip)
        if found is None:
            msn, part = divmod(self.next_key, KEYS)
            query = directives.query(msn, None if self.playlist.part_target is None else part)
            if skip:
                query += f"&_HLS_skip={'v2' if self.playlist.control.can_skip_dateranges else 'YES'}"
            found = self._asks[skip] = self.address.plus(query)
        return found

    def end(self, *, whole: bool) -> tuple[float, float, int]:
        """End of what is listed, the end without gaps, and the key of what comes next."""
        if not whole:
            return self.edge, self.filled, self.next_key
        edge = self.segments[-1].end if self.segments else 0.0
        filled = max((unit.end for unit in self.segments if not unit.gap), default=edge)
        return edge, filled, self.next_key // KEYS * KEYS

    def hold_back(self, *, whole: bool) -> float:
        """Distance from the edge at which to play, seconds (4.4.3.8)."""
        playlist = self.playlist
        if not whole and playlist.part_target is not None:
            return playlist.control.part_hold_back or 3 * playlist.part_target
        return playlist.control.hold_back or 3.0 * playlist.target_duration


def _starts(segments: tuple[Segment, ...], anchor: View | None) -> dict[int, float]:
    """Start of each segment by its MSN."""
    starts: list[float | None] = [None] * len(segments)
    last: float | None = None
    for index, segment in enumerate(segments):
        start = last if segment.date_us is None else segment.date_us / 1e6
        starts[index] = start
        last = None if start is None else start + segment.duration
    first = next((index for index, start in enumerate(starts) if start is not None), None)
    if first is None:  # no dates at all: relative to the first segment
        offsets = [0.0, *accumulate(segment.duration for segment in segments[:-1])]
        origin = _origin(segments, offsets, anchor)
        return {segment.msn: origin + offset for segment, offset in zip(segments, offsets, strict=True)}
    start = starts[first] or 0.0
    for index in range(first - 1, -1, -1):
        start -= segments[index].duration
        starts[index] = start
    return {segment.msn: start for segment, start in zip(segments, starts, strict=True) if start is not None}


def _origin(segments: tuple[Segment, ...], offsets: list[float], anchor: View | None) -> float:
    """Start of the first segment on the line that `anchor` began."""
    if anchor is None:
        return 0.0
    for segment, offset in zip(segments, offsets, strict=True):
        known = anchor.starts.get(segment.msn)
        if known is not None:
            return known - offset
    return anchor.edge
