"""Text -> media playlist, whole or a delta update (`merge` puts the two together).

Strict where a wrong value would make a wrong playlist, tolerant of what it does not know: unknown tags and
attributes are kept as text, so that `render(read(text))` says all that `text` says. Bounded, and raises
PlaylistError only. Sans-IO.

Source: draft-pantos-hls-rfc8216bis-22, sections 4 and 6.3.7.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from . import attributes, dates, tags
from .attributes import PlaylistError
from .delta import merge
from .model import (
    ByteRange,
    HintType,
    Map,
    MediaPlaylist,
    Part,
    PreloadHint,
    RenditionReport,
    Segment,
    ServerControl,
)

MAX_CHARS = 16 << 20
"""Longest text that is read. Why: a day of two-second segments is near 6 MiB."""
MAX_LINES = 400_000
MAX_SKIPPED = 100_000
"""Most SKIPPED-SEGMENTS: as many as a text of MAX_LINES could hold."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def read(text: str) -> MediaPlaylist:
    """Read a media playlist. Raises PlaylistError."""
    return _Reader().read(text)


class _Reader:
    """One pass over the lines. The fields starting with `next_` wait for the URI that ends their segment."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.version = 1
        self.target_duration = 0
        self.media_sequence = 0
        self.discontinuity_sequence = 0
        self.part_target: float | None = None
        self.control = ServerControl()
        self.playlist_type: str | None = None
        self.tags: list[str] = []
        self.skipped = 0
        self.removed_dateranges: tuple[str, ...] | None = None
        self.segments: list[Segment] = []
        self.hints: list[PreloadHint] = []
        self.reports: list[RenditionReport] = []
        self.in_segments = False
        self.map: Map | None = None
        self.keys: tuple[str, ...] = ()
        self._next()

    def _next(self) -> None:
        self.next_extinf: float | None = None
        self.next_title = ""
        self.next_parts: list[Part] = []
        self.next_part_end = 0
        self.next_discontinuity = False
        self.next_date: int | None = None
        self.next_gap = False
        self.next_range: tuple[int, int | None] | None = None
        self.next_tags: list[str] = []
        self.touched = False

    def read(self, text: str) -> MediaPlaylist:
        if len(text) > MAX_CHARS:
            raise PlaylistError("the playlist is too long")
        # 4.1: no control characters but CR and LF; RECENTLY-REMOVED-DATERANGES (4.4.5.2) separates with tabs
        if bad := _CONTROL.search(text):
            raise PlaylistError(f"control character {bad[0]!r}")
        lines = text.split("\n", MAX_LINES)
        if len(lines) > MAX_LINES:
            raise PlaylistError("the playlist has too many lines")
        # 4.4.1.1: the first line, without a byte order mark
        if lines[0].rstrip() != "#EXTM3U":
            raise PlaylistError("the first line is not #EXTM3U")
        index = 0
        try:
            for index in range(1, len(lines)):
                self._line(lines[index].rstrip("\r \t"))
        except PlaylistError as error:
            raise PlaylistError(f"line {index + 1}: {error}") from None
        return self._finish()

    def _line(self, line: str) -> None:
        if not line:
            return
        if line[0] != "#":
            self._uri(line)
            return
        if not line.startswith("#EXT"):
            return  # 4.1: a comment
        name, _, value = line.partition(":")
        if name in tags.ONCE:
            if name in self.seen:
                raise PlaylistError(f"{name} is repeated")
            self.seen.add(name)
        handler = _HANDLERS.get(name)
        if handler is not None:
            handler(self, value)
        elif name in tags.MULTIVARIANT:
            raise PlaylistError(f"{name} in a media playlist")
        elif name == "#EXT-X-KEY":
            self._key(line, value)
        elif name in tags.ANYWHERE or not (self.in_segments or name == "#EXT-X-BITRATE"):
            self.tags.append(line)
        else:
            self.next_tags.append(line)
            self.touched = True

    def _in_segment(self) -> None:
        self.in_segments = self.touched = True

    # Playlist tags

    def _version(self, value: str) -> None:
        self.version = attributes.integer(value)

    def _target_duration(self, value: str) -> None:
        self.target_duration = attributes.integer(value)
        # 4.4.3.1; the upper bound keeps times of it in a float and timeouts finite
        if not 1 <= self.target_duration <= 86_400:
            raise PlaylistError("EXT-X-TARGETDURATION is out of range")

    def _media_sequence(self, value: str) -> None:
        # 4.4.3.2: before the first segment
        if self.in_segments or self.skipped:
            raise PlaylistError("EXT-X-MEDIA-SEQUENCE after a segment")
        self.media_sequence = attributes.integer(value)

    def _discontinuity_sequence(self, value: str) -> None:
        # 4.4.3.3: before the first segment and any EXT-X-DISCONTINUITY
        if self.in_segments:
            raise PlaylistError("EXT-X-DISCONTINUITY-SEQUENCE after a segment")
        self.discontinuity_sequence = attributes.integer(value)

    def _part_inf(self, value: str) -> None:
        self.part_target = attributes.required_number(attributes.parse(value), "PART-TARGET")
        if self.part_target <= 0:
            raise PlaylistError("PART-TARGET is zero")

    def _server_control(self, value: str) -> None:
        found = attributes.parse(value)
        self.control = ServerControl(
            can_block_reload=attributes.flag(found, "CAN-BLOCK-RELOAD"),
            can_skip_until=attributes.optional_number(found, "CAN-SKIP-UNTIL"),
            can_skip_dateranges=attributes.flag(found, "CAN-SKIP-DATERANGES"),
            hold_back=attributes.optional_number(found, "HOLD-BACK"),
            part_hold_back=attributes.optional_number(found, "PART-HOLD-BACK"),
            extra=attributes.rest(found, tags.SERVER_CONTROL),
        )

    def _type(self, value: str) -> None:
        if value not in ("EVENT", "VOD"):
            raise PlaylistError("EXT-X-PLAYLIST-TYPE is neither EVENT nor VOD")
        self.playlist_type = value

    def _skip(self, value: str) -> None:
        if self.in_segments:
            raise PlaylistError("EXT-X-SKIP after a segment")
        found = attributes.parse(value)
        self.skipped = attributes.integer(found.get("SKIPPED-SEGMENTS", ""))
        if self.skipped > MAX_SKIPPED:
            raise PlaylistError("SKIPPED-SEGMENTS is out of range")
        removed = attributes.string(found, "RECENTLY-REMOVED-DATERANGES")
        if removed is not None:
            self.removed_dateranges = tuple(filter(None, removed.split("\t")))

    def _nothing(self, value: str) -> None:
        """A tag without a value: that it was seen is all."""

    def _hint(self, value: str) -> None:
        found = attributes.parse(value)
        kind = found.get("TYPE", "")
        if kind not in ("PART", "MAP"):
            return  # 4.4.5.3: a client ignores hints of types it does not know
        hint = PreloadHint(
            type=HintType(kind),
            uri=attributes.required_string(found, "URI"),
            start=attributes.optional_integer(found, "BYTERANGE-START") or 0,
            length=attributes.optional_integer(found, "BYTERANGE-LENGTH"),
            extra=attributes.rest(found, tags.HINT),
        )
        self.hints.append(hint)

    def _report(self, value: str) -> None:
        found = attributes.parse(value)
        self.reports.append(
            RenditionReport(
                uri=attributes.required_string(found, "URI"),
                last_msn=attributes.optional_integer(found, "LAST-MSN"),
                last_part=attributes.optional_integer(found, "LAST-PART"),
                extra=attributes.rest(found, tags.REPORT),
            )
        )

    # Segment tags

    def _extinf(self, value: str) -> None:
        duration, _, title = value.partition(",")
        if self.next_extinf is not None:
            raise PlaylistError("two EXTINF for one segment")
        self._in_segment()
        self.next_extinf = attributes.number(duration.strip())
        self.next_title = title

    def _part(self, value: str) -> None:
        # 4.4.3.7: EXT-X-PART-INF is there if there is any EXT-X-PART
        if self.part_target is None:
            raise PlaylistError("EXT-X-PART without EXT-X-PART-INF")
        if self.next_extinf is not None:
            raise PlaylistError("EXT-X-PART between EXTINF and its URI")  # rule 41
        self._in_segment()
        found = attributes.parse(value)
        byterange = None
        span = attributes.string(found, "BYTERANGE")
        if span is not None:
            # Rule 55: without a start it begins where the part before, of the same parent, ended.
            length, start = attributes.byterange(span)
            byterange = ByteRange(length, self.next_part_end if start is None else start)
            self.next_part_end = byterange.start + length
        self.next_parts.append(
            Part(
                uri=attributes.required_string(found, "URI"),
                duration=attributes.required_number(found, "DURATION"),
                independent=attributes.flag(found, "INDEPENDENT"),
                gap=attributes.flag(found, "GAP"),
                byterange=byterange,
                extra=attributes.rest(found, tags.PART),
            )
        )

    def _map(self, value: str) -> None:
        self._in_segment()
        found = attributes.parse(value)
        span = attributes.string(found, "BYTERANGE")
        byterange = None
        if span is not None:
            length, start = attributes.byterange(span)
            byterange = ByteRange(length, start or 0)
        new = Map(attributes.required_string(found, "URI"), byterange, attributes.rest(found, tags.MAP))
        # The same object for as long as it is the same map: the writer compares by identity first.
        self.map = self.map if self.map == new else new

    def _key(self, line: str, value: str) -> None:
        self._in_segment()
        found = attributes.parse(value)
        if found.get("METHOD") == "NONE":
            self.keys = (line,)
            return
        # 4.4.4.4: a key holds until the next one of the same KEYFORMAT
        keyformat = found.get("KEYFORMAT", '"identity"')
        kept = [old for old in self.keys if _keyformat(old) not in (None, keyformat)]
        if len(kept) >= MAX_KEYS:
            raise PlaylistError("too many EXT-X-KEY for one segment")
        keys = (*kept, line)
        self.keys = self.keys if self.keys == keys else keys

    def _discontinuity(self, value: str) -> None:
        self._in_segment()
        self.next_discontinuity = True

    def _date(self, value: str) -> None:
        self._in_segment()
        self.next_date = dates.read(value)

    def _gap(self, value: str) -> None:
        self._in_segment()
        self.next_gap = True

    def _segment_range(self, value: str) -> None:
        self._in_segment()
        self.next_range = attributes.byterange(value)

    def _uri(self, line: str) -> None:
        if self.next_extinf is None:
            raise PlaylistError("a URI without EXTINF")
        self.segments.append(self._segment(line, self.next_extinf))
        self._next()

    def _segment(self, uri: str | None, duration: float) -> Segment:
        byterange = None
        if self.next_range is not None:
            # 4.4.4.2: without a start it begins where the segment before, of the same resource, ended
            length, start = self.next_range
            last = self.segments[-1] if self.segments else None
            if start is None and (last is None or last.byterange is None or last.uri != uri):
                raise PlaylistError("EXT-X-BYTERANGE without a start")
            if start is None and last is not None and last.byterange is not None:
                start = last.byterange.start + last.byterange.length
            byterange = ByteRange(length, start or 0)
        return Segment(
            msn=self.media_sequence + self.skipped + len(self.segments),
            uri=uri,
            duration=duration,
            parts=tuple(self.next_parts),
            part_count=len(self.next_parts),
            map=self.map,
            discontinuity=self.next_discontinuity,
            date_us=self.next_date,
            gap=self.next_gap,
            byterange=byterange,
            title=self.next_title,
            tags=tuple(self.next_tags),
            keys=self.keys,
        )

    def _finish(self) -> MediaPlaylist:
        if not self.target_duration:
            raise PlaylistError("EXT-X-TARGETDURATION is missing")
        if self.next_extinf is not None:
            raise PlaylistError("EXTINF without a URI")
        opened = None
        if self.touched:
            opened = self._segment(None, sum(part.duration for part in self.next_parts))
        return MediaPlaylist(
            target_duration=self.target_duration,
            media_sequence=self.media_sequence,
            discontinuity_sequence=self.discontinuity_sequence,
            segments=tuple(self.segments),
            open=opened,
            part_target=self.part_target,
            control=self.control,
            hints=tuple(self.hints),
            reports=tuple(self.reports),
            independent_segments="#EXT-X-INDEPENDENT-SEGMENTS" in self.seen,
            ended="#EXT-X-ENDLIST" in self.seen,
            version=self.version,
            playlist_type=self.playlist_type,
            tags=tuple(self.tags),
            skipped=self.skipped,
            removed_dateranges=self.removed_dateranges,
        )


MAX_KEYS = 16
"""EXT-X-KEY lines of different KEYFORMATs in effect at once."""

_HANDLERS: dict[str, Callable[[_Reader, str], None]] = {
    "#EXT-X-VERSION": _Reader._version,
    "#EXT-X-TARGETDURATION": _Reader._target_duration,
    "#EXT-X-MEDIA-SEQUENCE": _Reader._media_sequence,
    "#EXT-X-DISCONTINUITY-SEQUENCE": _Reader._discontinuity_sequence,
    "#EXT-X-PART-INF": _Reader._part_inf,
    "#EXT-X-SERVER-CONTROL": _Reader._server_control,
    "#EXT-X-PLAYLIST-TYPE": _Reader._type,
    "#EXT-X-SKIP": _Reader._skip,
    "#EXT-X-INDEPENDENT-SEGMENTS": _Reader._nothing,
    "#EXT-X-ENDLIST": _Reader._nothing,
    "#EXT-X-PRELOAD-HINT": _Reader._hint,
    "#EXT-X-RENDITION-REPORT": _Reader._report,
    "#EXTINF": _Reader._extinf,
    "#EXT-X-PART": _Reader._part,
    "#EXT-X-MAP": _Reader._map,
    "#EXT-X-DISCONTINUITY": _Reader._discontinuity,
    "#EXT-X-PROGRAM-DATE-TIME": _Reader._date,
    "#EXT-X-GAP": _Reader._gap,
    "#EXT-X-BYTERANGE": _Reader._segment_range,
}


def _keyformat(line: str) -> str | None:
    """KEYFORMAT of an EXT-X-KEY line; None for METHOD=NONE, which any key replaces."""
    found = attributes.parse(line.partition(":")[2])
    return None if found.get("METHOD") == "NONE" else found.get("KEYFORMAT", '"identity"')


__all__ = ["MAX_CHARS", "MAX_LINES", "PlaylistError", "merge", "read"]
