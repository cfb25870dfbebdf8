"""Target durations, hold-backs and windows: rules 9, 10, 16-18, 26, 28-38, 60, 180. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator

from headwater.loadtest.doctor.findings import Seen
from headwater.loadtest.doctor.values import Recording, RenditionRecord, has_parts, low_latency
from headwater.origin.hls.model import MediaPlaylist

MILLI = 0.0005
"""What printed decimals may lose, seconds."""
LONG_WINDOW_S = 120.0
"""Apple authoring 14.4."""
SHORT_PART_S = 0.2
"""Rule 60."""
PART_MARGIN = 1.0


def check(recording: Recording) -> Iterator[Seen]:
    """Values of each playlist, over time and between renditions."""
    for record in recording.renditions:
        playlists = record.playlists
        if not playlists:
            continue
        yield from _fixed(record, playlists)
        yield from _values(record, playlists[-1])
        yield from _window(record, playlists)
    yield from _alike(recording)
    yield from _round_trip(recording)


def _fixed(record: RenditionRecord, playlists: list[MediaPlaylist]) -> Iterator[Seen]:
    targets = dict.fromkeys(p.target_duration for p in playlists)
    if len(targets) > 1:
        yield Seen(9, record.name, f"TARGETDURATION was {_listed(targets)}")
    for name, values in (
        ("PART-TARGET", dict.fromkeys(p.part_target for p in playlists)),
        ("PART-HOLD-BACK", dict.fromkeys(p.control.part_hold_back for p in playlists)),
        ("HOLD-BACK", dict.fromkeys(p.control.hold_back for p in playlists)),
    ):
        if len(values) > 1:
            yield Seen(10, record.name, f"{name} was {_listed(values)}")


def _listed(values: dict[int, None] | dict[float | None, None]) -> str:
    return ", then ".join("absent" if value is None else f"{value:g}" for value in list(values)[:4])


def _values(record: RenditionRecord, playlist: MediaPlaylist) -> Iterator[Seen]:
    control, target, part = playlist.control, playlist.target_duration, playlist.part_target
    if part is not None:
        yield from _part_values(record, playlist, part)
    if control.hold_back is not None and control.hold_back < 3 * target - MILLI:
        yield Seen(30, record.name, f"HOLD-BACK is {control.hold_back:g}, three target durations are {3 * target}")
    if control.can_skip_until is not None and control.can_skip_until < 6 * target - MILLI:
        yield Seen(31, record.name, f"CAN-SKIP-UNTIL is {control.can_skip_until:g}, six targets are {6 * target}")
    if control.can_skip_dateranges and control.can_skip_until is None:
        yield Seen(31, record.name, "CAN-SKIP-DATERANGES without CAN-SKIP-UNTIL")
    if playlist.media_sequence == 0 and any(report.last_msn == 0 for report in playlist.reports):
        yield Seen(26, record.name, "a report says LAST-MSN=0")


def _part_values(record: RenditionRecord, playlist: MediaPlaylist, part: float) -> Iterator[Seen]:
    back = playlist.control.part_hold_back
    if back is None:
        yield Seen(28, record.name, "PART-INF without PART-HOLD-BACK")
    elif back < 2 * part - MILLI:
        yield Seen(28, record.name, f"PART-HOLD-BACK is {back:g}, two part targets are {2 * part:g}")
    elif back < 3 * part - MILLI:
        yield Seen(29, record.name, f"PART-HOLD-BACK is {back:g}, three part targets are {3 * part:g}")
    if part < SHORT_PART_S:
        yield Seen(60, record.name, f"PART-TARGET is {part:g} s")
    if playlist.ended:
        return
    if not has_parts(playlist):
        rule = 36 if playlist.control.can_block_reload else 27
        yield Seen(rule, record.name, "EXT-X-PART-INF, but no EXT-X-PART")
    elif not playlist.control.can_block_reload:
        yield Seen(38, record.name, "parts without CAN-BLOCK-RELOAD=YES")


def _window(record: RenditionRecord, playlists: list[MediaPlaylist]) -> Iterator[Seen]:
    first, last = playlists[0], playlists[-1]
    if last.ended:
        return
    length = sum(segment.duration for segment in last.segments)
    need = 3 * last.target_duration
    removed = last.media_sequence > first.media_sequence
    began = sum(segment.duration for segment in first.segments)
    if removed and length + MILLI < need:
        yield Seen(16, record.name, f"{length:.1f} s are left, three target durations are {need} s")
    elif not removed and began + MILLI < need:
        yield Seen(18, record.name, f"{began:.1f} s in all, three target durations are {need} s")
    elif len(last.segments) < 6:
        yield Seen(17, record.name, f"{len(last.segments)} segments")
    if length > LONG_WINDOW_S and last.part_target is not None and last.control.can_skip_until is None:
        yield Seen(35, record.name, f"{length:.0f} s without CAN-SKIP-UNTIL")


def _alike(recording: Recording) -> Iterator[Seen]:
    newest = [(r, r.last) for r in recording.renditions if r.media is None or r.media.type != "SUBTITLES"]
    found = [(record, playlist) for record, playlist in newest if playlist is not None]
    if len(found) < 2:
        return
    first, reference = found[0]
    for record, playlist in found[1:]:
        if playlist.target_duration != reference.target_duration:
            yield Seen(
                180, record.name,
                f"TARGETDURATION is {playlist.target_duration}, that of {first.name} {reference.target_duration}",
            )  # fmt: skip
        elif playlist.control != reference.control:
            yield Seen(33, record.name, f"{_differences(playlist, reference)} (here, and in {first.name})")


def _differences(one: MediaPlaylist, other: MediaPlaylist) -> str:
    names = ("can_block_reload", "can_skip_until", "can_skip_dateranges", "hold_back", "part_hold_back", "extra")
    pairs = [(name, getattr(one.control, name), getattr(other.control, name)) for name in names]
    texts = [f"{name.upper().replace('_', '-')} {mine} and {theirs}" for name, mine, theirs in pairs if mine != theirs]
    return ", ".join(texts)


def _round_trip(recording: Recording) -> Iterator[Seen]:
    if not low_latency(recording.renditions):
        return
    for record in recording.renditions:
        quick = sorted(a.done - a.sent for p in record.probes for a in (p.answer,) if p.answer.ok and p.after)
        part = record.last.part_target if record.last else None
        # The quickest tenth held nothing: it is the way there and back.
        if part is not None and len(quick) >= 5 and quick[len(quick) // 10] > part * PART_MARGIN:
            yield Seen(
                34, record.name, f"a round trip takes {quick[len(quick) // 10]:.2f} s, PART-TARGET is {part:g} s"
            )
