"""Delta updates: rules 102-105, 107, 112. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from headwater.loadtest.doctor.findings import Seen
from headwater.loadtest.doctor.values import Probe, Recording, RenditionRecord
from headwater.loadtest.doctor.values import ProbeKind as K
from headwater.origin.hls.attributes import PlaylistError
from headwater.origin.hls.delta import delta_of, merge
from headwater.origin.hls.model import MediaPlaylist, Segment

from . import tags

EPSILON_S = 0.01


def check(recording: Recording) -> Iterator[Seen]:
    """Each rendition that was probed."""
    for record in recording.renditions:
        full = next(iter(record.probe(K.DELTA_FULL)), None)
        for probe in record.probe(K.DELTA) + record.probe(K.DELTA_V2):
            yield from _delta(record, probe, full)


def _delta(record: RenditionRecord, probe: Probe, full: Probe | None) -> Iterator[Seen]:
    delta, before = probe.after, probe.before
    if before is None:
        return
    lines = tags.lines(probe.text)
    if delta is None:
        yield from _none(record, probe, lines)
        return
    until = before.control.can_skip_until
    if any(line.name == "#EXT-X-SKIP" for line in lines) and not delta.skipped:
        yield Seen(107, record.name, "SKIPPED-SEGMENTS=0")
        return
    if not delta.skipped:
        if until is not None and not delta.ended and delta_of(delta).skipped > 1:
            yield Seen(102, record.name, f"{probe.kind}: the full playlist, {delta_of(delta).skipped} could be skipped")
        return
    if until is None:
        yield Seen(102, record.name, f"{probe.kind}: EXT-X-SKIP without CAN-SKIP-UNTIL")
        return
    found = [*_order(record, lines), *_skipped(record, delta, before, until)]
    if not found and full is not None and full.after is not None:
        found = list(_merged(record, delta, before, full.after))
    yield from found


def _none(record: RenditionRecord, probe: Probe, lines: list[tags.Line]) -> Iterator[Seen]:
    """There is no delta that can be read."""
    order = list(_order(record, lines))
    yield from order
    if probe.answer.status >= 400 and probe.answer.status != 503:
        yield Seen(102, record.name, f"{probe.kind}: {probe.answer.status}")
    elif not order and any(line.name == "#EXT-X-SKIP" for line in lines):
        yield Seen(112, record.name, f"{probe.kind}: the delta update cannot be read")


def _order(record: RenditionRecord, lines: list[tags.Line]) -> Iterator[Seen]:
    skip = next((n for n, line in enumerate(lines) if line.name == "#EXT-X-SKIP"), 0)
    for line in lines[skip:]:
        if line.name in ("#EXT-X-MEDIA-SEQUENCE", "#EXT-X-DISCONTINUITY-SEQUENCE"):
            yield Seen(105, record.name, f"{line.name} after EXT-X-SKIP")


def _skipped(record: RenditionRecord, delta: MediaPlaylist, before: MediaPlaylist, until: float) -> Iterator[Seen]:
    if delta.media_sequence < before.media_sequence or delta.media_sequence > before.last_msn:
        yield Seen(104, record.name, f"MEDIA-SEQUENCE is {delta.media_sequence}, was {before.media_sequence}")
        return
    # The boundary counts from the end of the last segment; by the strictest reading, from that of the last part.
    kept = sum(segment.duration for segment in delta.segments)
    opened = delta.open.duration if delta.open else 0.0
    if kept + opened < until - EPSILON_S:
        yield Seen(103, record.name, f"{kept:.1f} s of segments are kept, CAN-SKIP-UNTIL is {until:g}")


def _merged(
    record: RenditionRecord, delta: MediaPlaylist, before: MediaPlaylist, full: MediaPlaylist
) -> Iterator[Seen]:
    if _end(delta) != _end(full):
        return  # another version: nothing to compare
    numbers = (delta.media_sequence, delta.discontinuity_sequence)
    wanted = (full.media_sequence, full.discontinuity_sequence)
    if numbers != wanted:
        yield Seen(104, record.name, f"sequence numbers {numbers}, of the full playlist {wanted}")
        return
    if delta.last_msn != full.last_msn:
        said = f"SKIPPED-SEGMENTS={delta.skipped} makes {delta.last_msn} the last segment"
        yield Seen(104, record.name, f"{said}, it is {full.last_msn}")
        return
    try:
        whole = merge(delta, before)
    except PlaylistError as error:
        yield Seen(112, record.name, str(error))
        return
    for one, other in zip(whole.segments, full.segments, strict=False):
        if _plain(one) != _plain(other):
            yield Seen(112, record.name, f"segment {other.msn} of the merged playlist is not that of the full one")
            return
    if len(whole.segments) != len(full.segments) or _tail(whole) != _tail(full):
        yield Seen(112, record.name, "the merged playlist is not the full one")


def _end(playlist: MediaPlaylist) -> tuple[object, ...]:
    """The live edge by its names, which tells versions apart whatever their numbers say."""
    last = playlist.segments[-1].uri if playlist.segments else None
    return (last, tuple(part.uri for part in playlist.open.parts) if playlist.open else ())


def _plain(segment: Segment) -> tuple[object, ...]:
    return (
        segment.msn, segment.uri, segment.duration, segment.date_us, segment.discontinuity, segment.gap, segment.map,
        segment.byterange,
    )  # fmt: skip


def _tail(playlist: MediaPlaylist) -> MediaPlaylist:
    """What is left without segments, and without what a delta may say otherwise."""
    opened = None if playlist.open is None else replace(playlist.open, tags=())
    return replace(playlist, segments=(), open=opened, reports=(), version=0, skipped=0, tags=())
