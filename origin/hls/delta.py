"""Delta updates: a playlist without its older segments, and putting them back. Sans-IO.

Source: draft-pantos-hls-rfc8216bis-22, sections 4.4.5.2, 6.2.5.1 and 6.3.7; rules 102-112.
"""

from __future__ import annotations

from dataclasses import replace

from . import attributes
from .attributes import PlaylistError
from .model import MediaPlaylist, Segment


def delta_of(playlist: MediaPlaylist) -> MediaPlaylist:
    """`playlist` as a delta update, or as it is when there is nothing to skip (rule 107).

    Distances count from the end of the last complete segment: parts of the open parent are left out of the
    account, so what is skipped is past the Skip Boundary by any reading of it.
    """
    until = playlist.control.can_skip_until
    # 6.2.5.1: no delta without CAN-SKIP-UNTIL, nor of a playlist with EXT-X-ENDLIST
    if until is None or playlist.ended or playlist.skipped:
        return playlist
    segments = playlist.segments
    kept, after = 0, 0.0
    # 4.4.5.2: only segments farther from the end than the Skip Boundary; a microsecond allows for float sums
    while kept < len(segments) and after <= until + 1e-6:
        kept += 1
        after += segments[-kept].duration
    skipped = len(segments) - kept
    if skipped <= 0:
        return playlist
    last = segments[skipped - 1]
    return replace(playlist, segments=segments[skipped:], skipped=skipped, map_before=last.map, keys_before=last.keys)


def merge(delta: MediaPlaylist, previous: MediaPlaylist) -> MediaPlaylist:
    """The full playlist that `delta`, as read, updates; its skipped segments are taken from `previous` (6.3.7).

    A `delta` that skips nothing is returned as it is. Raises PlaylistError when `previous` does not hold all that
    was skipped: the full playlist has to be asked for then.
    """
    if not delta.skipped:
        return delta
    first = delta.media_sequence - previous.media_sequence
    if previous.skipped or first < 0 or first + delta.skipped > len(previous.segments):
        raise PlaylistError("the delta update skips segments that the earlier playlist does not hold")
    # Skipped segments are past the Skip Boundary, so the tags of their parts are gone (rule 57).
    old = [replace(s, parts=()) if s.parts else s for s in previous.segments[first : first + delta.skipped]]
    # 4.4.5.2: tags of skipped segments are skipped too; a map or key goes on until the delta names another.
    new = _inherit(delta.segments, old[-1])
    opened = delta.open
    if opened is not None:
        opened = _inherit((opened,), new[-1] if new else old[-1])[0]
    return replace(
        delta,
        version=previous.version,
        segments=(*old, *new),
        open=opened,
        tags=delta.tags if delta.removed_dateranges is None else _dateranges(delta, previous),
        skipped=0,
        map_before=None,
        keys_before=(),
        removed_dateranges=None,
    )


def _inherit(segments: tuple[Segment, ...], before: Segment) -> list[Segment]:
    found = list(segments)
    for index, segment in enumerate(found):
        new_map = segment.map or before.map
        keys = segment.keys or before.keys
        if new_map is segment.map and keys is segment.keys:
            break
        found[index] = replace(segment, map=new_map, keys=keys)
    return found


def _dateranges(delta: MediaPlaylist, previous: MediaPlaylist) -> tuple[str, ...]:
    """Tags of a merged v2 delta: date ranges of `previous` that were neither removed nor said again, then the rest."""
    gone = {*(delta.removed_dateranges or ()), *map(_daterange_id, delta.tags)}
    kept = [tag for tag in previous.tags if (name := _daterange_id(tag)) is not None and name not in gone]
    return (*kept, *delta.tags)


def _daterange_id(line: str) -> str | None:
    """ID of an EXT-X-DATERANGE line; None for another tag."""
    name, _, value = line.partition(":")
    return attributes.string(attributes.parse(value), "ID") if name == "#EXT-X-DATERANGE" else None
