"""All lanes of a stream side by side: the order of their samples, their holes, and the cuts through all. Sans-IO."""

from __future__ import annotations

from headwater.ingest.media import Hole, Sample, TrackEnded, TrackId

from .advice import Adviser
from .cuts import LEAST, Cuts
from .drift import Drift
from .lane import AudioLane, VideoLane
from .model import TICKS, TimelineSettings
from .output import Output

AnyLane = VideoLane | AudioLane

MOST_HELD = 4_000
"""Events of one lane that are held. Why: half a second of the shortest audio frames is far below it."""
EARLY = 180
"""Ticks that a frame may come before its expected time by rounding."""
GONE_S = 10.0
"""Seconds without a track, while its publisher is there, before its rendition ends for good."""


class Stage:
    """Lanes and what is emitted of them.

    The primary lane is emitted at once. The others are held while they are ahead of `frontier`, so that a cut is
    said before the first sample behind it; a lane that is lost gets holes instead.
    """

    def __init__(self, settings: TimelineSettings, output: Output, adviser: Adviser) -> None:
        self.lanes: dict[TrackId, AnyLane] = {}
        self.primary: AnyLane | None = None
        self.cuts = Cuts(settings)
        self.drift: Drift | None = None
        self.frontier = 0
        """Position up to which other lanes than the primary are emitted."""
        self.marked = False
        """The next cut is a discontinuity."""
        self.present = False
        """A publisher feeds the lanes."""
        self._silent = False
        """All lanes are silent, and the segment was cut for it."""
        self._output = output
        self._adviser = adviser
        self._late_s = settings.late_track_ms / 1_000
        self._window = int(settings.window_s * TICKS)

    # -- cuts ------------------------------------------------------------------------------------------------

    def cut(self, time: int, now: float, unix: float, *, at_keyframe: bool, discontinuity: bool = False) -> None:
        """A segment starts at `time` in every rendition; what waits for a cut begins with it."""
        discontinuity = discontinuity or self.marked
        self.marked = False
        for lane in list(self.lanes.values()):
            if lane.waiting and lane.arrived is not None:
                discontinuity = discontinuity or lane.started
                self.flush(lane)
                self._output.emit(lane.begin(time))
                # A primary that waits for its keyframe is still silent.
                lane.lost = lane.lost and lane is self.primary
            elif self._is_gone(lane, now):
                del self.lanes[lane.track.id]
                if lane.started:
                    self._output.emit(TrackEnded(lane.rendition))
        assert self.drift is not None
        self.cuts.started(time, at_keyframe)
        self._output.cut(time, time * 100 // 9 + self.drift.slew(now, unix), discontinuity)

    def _is_gone(self, lane: AnyLane, now: float) -> bool:
        if not self.present or lane.source is not None or lane is self.primary or lane.detached_at is None:
            return False
        return now - lane.detached_at > GONE_S

    # -- order -----------------------------------------------------------------------------------------------

    def offer(self, lane: AnyLane, event: Sample | Hole, position: int, now: float) -> bool:
        """Emit an event of a lane that is not the primary, or hold it; False: there is no room for it."""
        if position <= self.frontier and not lane.held:
            self._output.emit(event)
        elif len(lane.held) < MOST_HELD:
            lane.held.append((position, now, event))
        else:
            return False
        return True

    def advance(self, position: int) -> None:
        """The primary is at `position`: whatever is before it goes out."""
        if position > self.frontier:
            self.frontier = position
            for lane in self.lanes.values():
                held = lane.held
                while held and held[0][0] <= position:
                    self._output.emit(held.popleft()[2])

    def release_late(self, now: float) -> None:
        """What was held for the longest allowed time goes out: the primary is late, not the others early."""
        limit = now - self._late_s
        bound = self._output.bound - TICKS
        for lane in self.lanes.values():
            held = lane.held
            while held and held[0][1] <= limit and held[0][0] < bound:
                self._output.emit(held.popleft()[2])

    def flush(self, lane: AnyLane) -> None:
        """What is held of a lane goes out, as far as the epoch allows."""
        bound = self._output.bound - TICKS
        while lane.held:
            position, _, event = lane.held.popleft()
            if position < bound:
                self._output.emit(event)
            else:
                self._output.counters.dropped += 1

    # -- holes -----------------------------------------------------------------------------------------------

    def lose(self, lane: AnyLane, now: float) -> None:
        """A lane is silent while the stream goes on."""
        if not lane.lost:
            lane.lost = True
            self._silent = False
            self._output.counters.holes += 1
            self._adviser.gap(now, lane.rendition)

    def hole(self, lane: AnyLane, position: int) -> None:
        """There is nothing of a lane up to `position`."""
        if not lane.started or lane.end >= position:
            return
        self.flush(lane)
        until = lane.fill(position)
        if until is not None:
            self._output.emit(Hole(lane.rendition, until))

    def fill(self, position: int, now: float, unix: float, *, then_cut: bool = False) -> None:
        """The stream goes on to `position` without its primary: holes for lost lanes, a cut for each segment.

        `then_cut`: a cut at `position` follows, so the last one keeps its distance.
        """
        step = self.cuts.aim
        room = LEAST if then_cut else 0
        if position - self.cuts.last > self._window + step:
            # More than a window is missing, so nobody can see that the older part is left out.
            self._cut_hole(position - self._window, now, unix, discontinuity=True)
        self._cut_at_silence(position - room, now, unix)
        while True:
            time = self.cuts.last + step
            if self.primary is not None:
                # Behind what it has, but no segment may last longer than the target duration.
                longest = self.cuts.last + self._output.target_duration_s * TICKS
                time = max(time, min(self.primary.end, longest))
            if position - time < room:
                break
            self._cut_hole(time, now, unix)
        self.advance(position)
        self._holes(position if then_cut else self.whole_parts(position))

    def _cut_at_silence(self, limit: int, now: float, unix: float) -> None:
        """Once all lanes are silent the segment ends with its media, where that makes no segment too short.

        Why: hls.js measures a segment that goes on as GAP by its media alone, and then reads all later times early.
        """
        lanes = [lane for lane in self.lanes.values() if lane.started]
        if self._silent or not lanes or not all(lane.lost for lane in lanes):
            return
        self._silent = True
        end = max(lane.end for lane in lanes)
        longest = self._output.target_duration_s * TICKS
        if LEAST <= end - self.cuts.last <= longest and end <= limit:
            self._cut_hole(end, now, unix)

    def whole_parts(self, position: int) -> int:
        """The last position up to `position` that is whole parts behind the last cut.

        Why: each hole becomes a GAP part, and players and edges ask once per part. A hole that grew with every
        look at the clock would have them ask several times as often as media does.
        """
        part = max(1, self._output.part_target_us * 9 // 100 - EARLY)
        return position - (position - self.cuts.last) % part

    def _cut_hole(self, time: int, now: float, unix: float, discontinuity: bool = False) -> None:
        self.advance(time)
        if not discontinuity:
            self._holes(time)
        self.cut(time, now, unix, at_keyframe=False, discontinuity=discontinuity)

    def _holes(self, position: int) -> None:
        for lane in self.lanes.values():
            if lane.lost:
                self.hole(lane, position)
