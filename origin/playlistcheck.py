"""The cheap rules about a media playlist and its change from the version before. Sans-IO; see `conformance`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .events import PartClosed, SegmentClosed, SegmenterEvent, SegmentOpened
from .hls.model import HintType, MediaPlaylist, Part, ServerControl

Say = Callable[[int, str], None]
"""A rule that is broken, and what was seen."""

ROUNDING_S = 1e-5
"""Of a sum of durations: each is rounded to a microsecond."""


class PlaylistCheck:
    """The playlists of one rendition.

    Args:
        part_target_s: PART-TARGET of the stream, seconds.
        target_duration_s: TARGETDURATION of the stream.
        say: hears of violations.
    """

    def __init__(self, part_target_s: float, target_duration_s: int, say: Say) -> None:
        self._part_target_s = part_target_s
        self._target_s = target_duration_s
        self._say = say
        self._before: MediaPlaylist | None = None
        self._control: ServerControl | None = None

    def look(self, playlist: MediaPlaylist, events: Sequence[SegmenterEvent], opened: SegmentOpened | None) -> None:
        """A version.

        Args:
            playlist: the version.
            events: what it brings.
            opened: the segment that is open after them.
        """
        if playlist.control is not self._control:
            self._fixed(playlist)
        if playlist.target_duration != self._target_s:
            self._say(9, f"TARGETDURATION is {playlist.target_duration}, of the stream {self._target_s}")
        if playlist.part_target != self._part_target_s:
            self._say(10, f"PART-TARGET is {playlist.part_target}, of the stream {self._part_target_s}")
        if self._before is not None:
            self._change(self._before, playlist)
        self._before = playlist
        self._hints(playlist, opened)
        self._newest(playlist, events)

    def _fixed(self, playlist: MediaPlaylist) -> None:
        """What is the same for the life of a stream."""
        control, before = playlist.control, self._control
        self._control = control
        if before is not None and control != before:
            self._say(10, f"SERVER-CONTROL was {before}, now {control}")
        part_hold_back = control.part_hold_back or 0.0
        if part_hold_back < 2 * self._part_target_s:
            self._say(28, f"PART-HOLD-BACK is {part_hold_back}")
        if round(part_hold_back, 3) < round(3 * self._part_target_s, 3):
            self._say(29, f"PART-HOLD-BACK is {part_hold_back}")
        if (control.hold_back or 0.0) < 3 * self._target_s:
            self._say(30, f"HOLD-BACK is {control.hold_back}")
        if (control.can_skip_until or 0.0) < 6 * self._target_s:
            self._say(31, f"CAN-SKIP-UNTIL is {control.can_skip_until}")

    def _change(self, before: MediaPlaylist, playlist: MediaPlaylist) -> None:
        """Against the version before."""
        if playlist.media_sequence < before.media_sequence or playlist.last_msn < before.last_msn:
            self._say(
                12, f"segments {playlist.media_sequence} to {playlist.last_msn} after"
                f" {before.media_sequence} to {before.last_msn}",
            )  # fmt: skip
        head = playlist.media_sequence
        if head == before.media_sequence or not before.segments:
            return
        gone = sum(s.discontinuity for s in before.segments if s.msn < head)
        if head <= before.last_msn + 1 and playlist.discontinuity_sequence != before.discontinuity_sequence + gone:
            self._say(
                117, f"DISCONTINUITY-SEQUENCE went from {before.discontinuity_sequence} to"
                f" {playlist.discontinuity_sequence} as {gone} discontinuities left",
            )  # fmt: skip
        left = sum(segment.duration for segment in playlist.segments)
        if left < 3 * self._target_s - ROUNDING_S * len(playlist.segments):
            self._say(16, f"{left:.3f} s are left at segment {head}")

    def _hints(self, playlist: MediaPlaylist, opened: SegmentOpened | None) -> None:
        hints = {hint.type: hint.uri for hint in playlist.hints}
        if playlist.ended:
            if hints or playlist.open is not None:
                self._say(24, f"ENDLIST with {hints or 'an open segment'}")
            return
        last = playlist.segments[-1] if playlist.segments else None
        if HintType.PART not in hints and (playlist.open is not None or last is not None):
            self._say(61, f"there is no hint after segment {playlist.last_msn}")
        if opened is not None and playlist.open is None and last is not None and last.map is not None:
            needed = opened.init if last.map.uri != opened.init else None
            if hints.get(HintType.MAP) != needed:
                self._say(62, f"the hint is of {hints.get(HintType.MAP)}, the next part needs {needed or 'none'}")

    def _newest(self, playlist: MediaPlaylist, events: Sequence[SegmenterEvent]) -> None:
        """What came last is listed as it is."""
        part: PartClosed | None = None
        for event in reversed(events):
            if isinstance(event, SegmentClosed):
                self._listed(playlist, event, part)
                self._tags(playlist)
                return
            if isinstance(event, PartClosed):
                part = part or event
        if part is None or playlist.ended:
            return
        listed = _last_part(playlist)
        if listed is None or (listed.uri, listed.independent, listed.gap) != (part.name, part.independent, part.gap):
            self._say(46, f"{part.name} was published, and {listed.uri if listed else 'nothing'} is listed")

    def _listed(self, playlist: MediaPlaylist, event: SegmentClosed, newer: PartClosed | None) -> None:
        """The segment that closed; `newer`: a part that came after it."""
        at = event.msn - playlist.media_sequence
        if not 0 <= at < len(playlist.segments):
            self._say(46, f"segment {event.msn} was published and is not listed")
            return
        segment = playlist.segments[at]
        if segment.msn != event.msn or segment.uri != event.name:
            self._say(22, f"segment {event.msn} is listed as {segment.uri}, made as {event.name}")
        if segment.date_us is None:
            self._say(113, f"segment {event.msn} has no date")
        if segment.map is None:
            self._say(129, f"segment {event.msn} has no init section")
        parts = sum(part.duration for part in segment.parts)
        if segment.parts and abs(parts - segment.duration) > ROUNDING_S * len(segment.parts):
            self._say(47, f"segment {event.msn} of {segment.duration} s has parts of {parts:.6f} s")
        last = _last_part(playlist)
        if newer is not None and (last is None or last.uri != newer.name):
            self._say(46, f"{newer.name} was published and is not the last that is listed")

    def _tags(self, playlist: MediaPlaylist) -> None:
        """PART tags of what is near the live edge, and of nothing that is far from it."""
        kept_s = 3 * self._target_s
        behind_s = playlist.open.duration if playlist.open is not None else 0.0
        for segment in reversed(playlist.segments):
            if behind_s <= kept_s and not segment.parts and segment.part_count:
                self._say(58, f"segment {segment.msn}, {behind_s:.3f} s behind, has no PART tags")
            if behind_s > kept_s + self._part_target_s + ROUNDING_S * 100:
                if segment.parts:
                    self._say(57, f"segment {segment.msn}, {behind_s:.3f} s behind, has PART tags")
                return
            behind_s += segment.duration


def _last_part(playlist: MediaPlaylist) -> Part | None:
    """The newest part of the segment that is open; None while it has none."""
    return playlist.open.parts[-1] if playlist.open is not None and playlist.open.parts else None
