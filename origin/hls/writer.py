"""Media playlist -> text, whole or as a delta update: one code path for the origin and every edge.

Tags stand in one order, so that equal playlists are equal texts: the playlist's own tags, SKIP, then per segment
DISCONTINUITY, KEY, MAP, other tags, PROGRAM-DATE-TIME, PART..., GAP, EXTINF, BYTERANGE, URI (rule 41), then the
open parent's parts, hints, reports, ENDLIST. Sans-IO.

Source: draft-pantos-hls-rfc8216bis-22, sections 4.4, 6.2.5.1 and 8.
"""

from __future__ import annotations

from . import dates
from .attributes import seconds
from .delta import delta_of
from .directives import Skip
from .model import ByteRange, Map, MediaPlaylist, Part, PreloadHint, RenditionReport, Segment, ServerControl

VERSION_SKIP = 9
"""Section 8: least EXT-X-VERSION of a playlist with EXT-X-SKIP."""
VERSION_SKIP_DATERANGES = 10
"""Section 8: least EXT-X-VERSION of a delta update that leaves out date ranges."""


def render(playlist: MediaPlaylist, *, delta: Skip | None = None) -> str:
    """The text of `playlist`; with `delta` YES or v2 its delta update, where one is allowed and saves a segment.

    v2 is answered like YES (rule 108): every EXT-X-DATERANGE stays in the update.
    """
    if delta is not None and delta is not Skip.NO:
        playlist = delta_of(playlist)
    lines = _head(playlist)
    known_map, known_keys = playlist.map_before, playlist.keys_before
    for segment in playlist.segments:
        if segment.discontinuity or segment.map is not known_map or segment.keys != known_keys:
            _context(lines, segment, known_map, known_keys)
            known_map, known_keys = segment.map, segment.keys
        memo = segment.memo
        if not memo:
            memo.append(_segment(segment))
        lines.append(memo[0])
    if playlist.open is not None:
        _context(lines, playlist.open, known_map, known_keys)
        lines.append(_segment(playlist.open))
    lines.extend(map(_hint, playlist.hints))
    lines.extend(map(_report, playlist.reports))
    if playlist.ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(filter(None, lines)) + "\n"


def _head(playlist: MediaPlaylist) -> list[str]:
    version = playlist.version
    # 8: EXT-X-SKIP needs version 9; leaving out date ranges needs 10
    if playlist.skipped:
        least = VERSION_SKIP if playlist.removed_dateranges is None else VERSION_SKIP_DATERANGES
        version = max(version, least)
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{version}", f"#EXT-X-TARGETDURATION:{playlist.target_duration}"]
    control = _control(playlist.control)
    if control:
        lines.append(f"#EXT-X-SERVER-CONTROL:{control}")
    if playlist.part_target is not None:
        lines.append(f"#EXT-X-PART-INF:PART-TARGET={seconds(playlist.part_target)}")
    if playlist.independent_segments:
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    if playlist.playlist_type:
        lines.append(f"#EXT-X-PLAYLIST-TYPE:{playlist.playlist_type}")
    # 4.4.3.2, 4.4.3.3: before the first segment; rule 105: and before EXT-X-SKIP
    lines.append(f"#EXT-X-MEDIA-SEQUENCE:{playlist.media_sequence}")
    lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{playlist.discontinuity_sequence}")
    lines.extend(playlist.tags)
    if playlist.skipped:
        lines.append(_skip(playlist))
    return lines


def _skip(playlist: MediaPlaylist) -> str:
    line = f"#EXT-X-SKIP:SKIPPED-SEGMENTS={playlist.skipped}"
    if playlist.removed_dateranges is not None:
        line += ',RECENTLY-REMOVED-DATERANGES="' + "\t".join(playlist.removed_dateranges) + '"'
    return line


def _control(control: ServerControl) -> str:
    found = []
    # Rule 32: what is not supported is left out, never written as NO.
    if control.can_block_reload:
        found.append("CAN-BLOCK-RELOAD=YES")
    if control.part_hold_back is not None:
        found.append(f"PART-HOLD-BACK={seconds(control.part_hold_back)}")
    if control.hold_back is not None:
        found.append(f"HOLD-BACK={seconds(control.hold_back)}")
    if control.can_skip_until is not None:
        found.append(f"CAN-SKIP-UNTIL={seconds(control.can_skip_until)}")
        # 4.4.3.8: CAN-SKIP-DATERANGES only together with CAN-SKIP-UNTIL
        if control.can_skip_dateranges:
            found.append("CAN-SKIP-DATERANGES=YES")
    return (",".join(found) + control.extra).removeprefix(",")


def _context(lines: list[str], segment: Segment, known_map: Map | None, known_keys: tuple[str, ...]) -> None:
    """What comes first in a segment, because players apply it from here on (4.4.4.9: before the first part)."""
    if segment.discontinuity:
        lines.append("#EXT-X-DISCONTINUITY")
    if segment.keys != known_keys:
        lines.extend(line for line in segment.keys if line not in known_keys)
    # 4.4.4.5: a map holds until the next one. It is said again after a discontinuity, where a player starts anew.
    if segment.map is not None and (segment.map != known_map or segment.discontinuity):
        lines.append(_map(segment.map))


def _map(value: Map) -> str:
    byterange = f',BYTERANGE="{_range(value.byterange)}"' if value.byterange else ""
    return f'#EXT-X-MAP:URI="{value.uri}"{byterange}{value.extra}'


def _segment(segment: Segment) -> str:
    """The lines of a segment that do not depend on its neighbours; of the open parent only tags and parts."""
    lines = list(segment.tags)
    if segment.date_us is not None:
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{dates.write(segment.date_us)}")
    lines.extend(map(_part, segment.parts))
    if segment.gap:
        lines.append("#EXT-X-GAP")
    if segment.uri is not None:
        lines.append(f"#EXTINF:{seconds(segment.duration)},{segment.title}")
        if segment.byterange:
            lines.append(f"#EXT-X-BYTERANGE:{_range(segment.byterange)}")
        lines.append(segment.uri)
    return "\n".join(lines)


def _part(part: Part) -> str:
    line = f'#EXT-X-PART:DURATION={seconds(part.duration)},URI="{part.uri}"'
    if part.byterange:
        line += f',BYTERANGE="{_range(part.byterange)}"'
    if part.independent:
        line += ",INDEPENDENT=YES"
    if part.gap:
        line += ",GAP=YES"
    return line + part.extra


def _range(value: ByteRange) -> str:
    # Rule 55: the start is always said.
    return f"{value.length}@{value.start}"


def _hint(hint: PreloadHint) -> str:
    line = f'#EXT-X-PRELOAD-HINT:TYPE={hint.type},URI="{hint.uri}"'
    if hint.start:
        line += f",BYTERANGE-START={hint.start}"
    if hint.length is not None:
        line += f",BYTERANGE-LENGTH={hint.length}"
    return line + hint.extra


def _report(report: RenditionReport) -> str:
    line = f'#EXT-X-RENDITION-REPORT:URI="{report.uri}"'
    if report.last_msn is not None:
        line += f",LAST-MSN={report.last_msn}"
    if report.last_part is not None:
        line += f",LAST-PART={report.last_part}"
    return line + report.extra


__all__ = ["delta_of", "render"]
