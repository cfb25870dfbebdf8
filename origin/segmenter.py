"""From samples of one rendition to parts and segments, with the durations that the playlist promises. Sans-IO.

One `Segmenter` per rendition. Its input is the stream's events in order; its output are `events.SegmenterEvent`.

Words
    position    the decode time at which the next part starts: the end that was declared for the last one,
                and the number in the name that is hinted. Once declared it is final
    full        one more sample like the last would take the part over PART-TARGET
    late        how far a sample's decode time is after the end of what is before it

A declared end that the next sample does not meet: a small difference goes into that sample's composition
offset (its presentation time stays) and duration; a larger one is a hole, declared as GAP parts.

Exact samples close a part on its last sample. The others close it when the next sample comes, or on a timer
when the part is full by estimate and the next sample should have come.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction

from headwater.ingest.media import VIDEO_TIMESCALE, Cut, Rendition, Sample, StreamStarted, Track
from headwater.origin import cmaf

from .events import (
    Hinted,
    InitChanged,
    PartClosed,
    RenditionEnded,
    SegmentClosed,
    SegmenterEvent,
    SegmentOpened,
)
from .openpart import OpenPart, PartLimits

TIMER_ALLOWANCE_S = 0.025
"""How much later than estimated a packet may arrive before its part is closed without it. Encoders and
networks send frames with jitter of some milliseconds; a declared end that was wrong costs only a shifted
decode time."""

MAX_JUMP_S = 3_600
"""A sample or hole further than this from the position and from the cuts that wait is not of this timeline: it
is dropped. So is a sample whose two times are further apart."""

MAX_CUTS = 1_024
"""Cuts that wait for a rendition that is behind; above it the oldest are passed without media."""


@dataclass(slots=True)
class _QueuedCut:
    cut: Cut
    track: Track | None
    """Configuration that takes effect here."""


@dataclass(slots=True)
class _OpenSegment:
    msn: int
    name: str
    parts: int = 0
    ticks: int = 0
    media: bool = False
    """It has a part that is not a gap."""


class Segmenter:
    """Parts and segments of one rendition. Faces: see the module; times in ticks of the rendition's track."""

    def __init__(self, rendition: Rendition, started: StreamStarted) -> None:
        self.rendition = rendition
        self.dropped = 0
        """Samples that were not published: before the first cut, without a track, or off the timeline."""
        self._part_target_us = started.part_target_us
        self._target_s = started.target_duration_s
        self._track: Track | None = None
        self._next_track: Track | None = None
        self._init = ""
        self._cuts: deque[_QueuedCut] = deque()
        self._events: list[SegmenterEvent] = []
        self._segment: _OpenSegment | None = None
        self._part = OpenPart()
        self._limits = PartLimits.of(started.part_target_us, VIDEO_TIMESCALE)
        self._begun = False
        """The first sample or hole has set the position."""
        self._end = 0
        """The position; once the open part has samples, the end of the last one as far as it is known."""
        self._end_exact = False
        """Nothing follows before `_end`, and the next sample is there unless there is a hole."""
        self._sequence = 0
        self._given = 0.0
        """When the newest sample of the open part came, monotonic seconds."""
        self._deadline: float | None = None
        self._hinted = ""
        self._ended = False

    # -- input ---------------------------------------------------------------------------------------------

    def track_started(self, track: Track, now: float) -> None:
        """The rendition's configuration: the first is in force at once, a changed one from the next `cut` on.

        Raises cmaf.UnsupportedTrack; ask `cmaf.supported` first.
        """
        cmaf.init_segment(track)
        self._next_track = None
        if not self._begun:
            self._use(track)
        elif track != self._coming_track():
            self._next_track = track

    def cut(self, cut: Cut, now: float) -> None:
        """A segment starts at the first sample with `pts` at or after `cut.time`; cuts are applied in order."""
        track, self._next_track = self._next_track, None
        if self._ended:
            return
        self._cuts.append(_QueuedCut(cut, track))
        if self._track is None:  # what comes before the first configuration cannot be listed
            while len(self._cuts) > 1:
                self._cuts.popleft()
        elif track is not None and track.timescale != self._limits.timescale:
            # Times in another timescale cannot be compared with the old ones: nothing of the old follows.
            self._close_part(may_be_short=True)
            while self._cuts:
                self._gap_to_cut()
        elif len(self._cuts) > MAX_CUTS:
            self.hole(self._boundary(self._cuts[1]), now)
        self._pass_reached_cuts()

    def push(self, sample: Sample, now: float) -> None:
        """Take the next sample in decode order."""
        apart = abs(sample.pts - sample.dts) > MAX_JUMP_S * self._limits.timescale
        if self._ended or apart or self._is_far(sample.dts) or not self._begin(sample):
            self.dropped += 1
            return
        end = self._part.end(self._end, self._limits, may_be_short=True) if self._part else self._end
        if sample.dts - end > self._hole_limit(sample):
            self._close_part(may_be_short=True)
            self._fill(sample.dts)
        self._settle(sample)
        self._part.add(self._end, sample)
        self._given = now
        self._end = max(self._end + 1, sample.dts + sample.duration)
        self._end_exact = sample.exact
        if sample.exact:
            if self._part.crosses(self._end + sample.duration, self._limits):
                self._close_part(may_be_short=False)
            self._pass_reached_cuts()
        self._arm(sample)

    def hole(self, until: int, now: float) -> None:
        """Nothing comes before `until`: declare it as GAP parts, passing the cuts inside it."""
        if self._ended or self._track is None or self._is_far(until):
            return
        if not self._begun:
            if not self._cuts or self._boundary(self._cuts[0]) > until:
                return
            self._begun, self._end = True, self._boundary(self._cuts[0])
        reached = bool(self._cuts) and self._boundary(self._cuts[0]) <= until
        if until - self._end < self._limits.min_gap and not reached:
            return
        self._close_part(may_be_short=True)
        self._fill(until)
        self._end_exact = True
        self._pass_reached_cuts()

    def end(self, now: float) -> None:
        """The rendition ends: what is open is closed and published."""
        if self._ended:
            return
        self._close_part(may_be_short=True)
        self._close_segment()
        self._cuts.clear()
        self._ended = True
        self._events.append(RenditionEnded())

    def next_timeout(self) -> float | None:
        """When `handle_timeout` is due, monotonic seconds."""
        return self._deadline

    def handle_timeout(self, now: float) -> None:
        """Close the part that is full by estimate and whose next sample is overdue."""
        if self._deadline is not None and now >= self._deadline:
            self._close_part(may_be_short=False)

    def events(self) -> list[SegmenterEvent]:
        """What was published since the last call."""
        events, self._events = self._events, []
        return events

    # -- start, configuration, cuts ------------------------------------------------------------------------

    def _use(self, track: Track) -> None:
        data = cmaf.init_segment(track)
        if self._begun and track.timescale != self._limits.timescale:
            self._end = -(-self._end * track.timescale // self._limits.timescale)
        self._limits = PartLimits.of(self._part_target_us, track.timescale)
        self._track = track
        self._init = cmaf.init_name(data)
        self._events.append(InitChanged(self._init, data, track))

    def _coming_track(self) -> Track | None:
        """The configuration after the cuts that wait."""
        return next((queued.track for queued in reversed(self._cuts) if queued.track is not None), self._track)

    def _begin(self, sample: Sample) -> bool:
        """Whether samples can be taken; the first decides the position."""
        if self._begun:
            return True
        if self._track is None or not self._cuts or not self._reached(self._cuts[0], sample.pts):
            return False
        start = self._boundary(self._cuts[0])
        # The first sample after the cut is up to a frame later: no hole
        late = sample.dts - start > max(self._hole_limit(sample), sample.duration)
        self._begun, self._end = True, start if late else sample.dts
        return True

    def _reached(self, queued: _QueuedCut, time: int) -> bool:
        return time * VIDEO_TIMESCALE >= queued.cut.time * self._limits.timescale

    def _boundary(self, queued: _QueuedCut) -> int:
        """The first tick at or after the cut."""
        return -(-queued.cut.time * self._limits.timescale // VIDEO_TIMESCALE)

    def _pass_reached_cuts(self) -> None:
        """Close the segment at once when it is known that the next sample is past the cut."""
        while self._cuts and self._end_exact and self._reached(self._cuts[0], self._end):
            self._close_part(may_be_short=True)
            self._pass_cut(self._end)

    def _pass_cut(self, first_pts: int) -> None:
        """End the open segment and open the cut's; `first_pts`: where its presentation starts."""
        queued = self._cuts.popleft()
        self._close_segment()
        if queued.track is not None:
            first_pts = -(-first_pts * queued.track.timescale // self._limits.timescale)
            self._use(queued.track)
        cut = queued.cut
        after_s = Fraction(first_pts, self._limits.timescale) - Fraction(cut.time, VIDEO_TIMESCALE)
        segment = self._segment = _OpenSegment(cut.msn, f"s{self._end}.m4s")
        date_us = cut.date_us + round(after_s * 1_000_000)
        self._events.append(
            SegmentOpened(cut.msn, segment.name, self._end, date_us, cut.discontinuity, init=self._init)
        )
        self._hint()

    def _close_segment(self) -> None:
        segment = self._segment
        if segment is None:
            return
        if segment.parts == 0:  # MSNs have no hole, and a segment without parts no duration
            self._gap_part(1)
        self._segment = None
        self._events.append(SegmentClosed(segment.msn, segment.name, segment.ticks, not segment.media))

    # -- samples -------------------------------------------------------------------------------------------

    def _is_far(self, time: int) -> bool:
        limit = MAX_JUMP_S * self._limits.timescale
        if self._begun and abs(time - self._end) <= limit:
            return False
        if not self._cuts:
            return True
        return not self._boundary(self._cuts[0]) - limit <= time <= self._boundary(self._cuts[-1]) + limit

    def _hole_limit(self, sample: Sample) -> int:
        """How late a sample may be before the time before it is declared a hole.

        Counted samples leave no doubt. Others jitter, and a decode time that is moved back costs a player
        less than a GAP, after which it waits for a random-access point.
        """
        return self._limits.min_gap if sample.exact else self._limits.longest // 2

    def _settle(self, sample: Sample) -> None:
        """The sample tells the end of the one before it: close what ends here, pass the cuts that it reaches."""
        at_cut = bool(self._cuts) and self._reached(self._cuts[0], sample.pts)
        if self._part:
            if not self._end_exact:
                self._end = max(self._part.last + 1, sample.dts)
            # Rule 44: close before the sample that would cross PART-TARGET
            next_end = max(sample.dts, self._end) + sample.duration
            if at_cut or self._part.crosses(next_end, self._limits) or self._part.full_of_samples:
                self._close_part(may_be_short=at_cut)
        while self._cuts and self._reached(self._cuts[0], sample.pts):
            self._pass_cut(sample.pts)

    def _arm(self, sample: Sample) -> None:
        """Set the timer when the part is full by estimate: its end is then known well enough to publish it."""
        self._deadline = None
        if self._part and not self._end_exact and self._part.crosses(self._end + sample.duration, self._limits):
            end = self._part.end(self._end, self._limits, may_be_short=False)
            left_s = (end - self._part.last) / self._limits.timescale
            self._deadline = sample.arrived + left_s + TIMER_ALLOWANCE_S

    # -- parts ---------------------------------------------------------------------------------------------

    def _close_part(self, *, may_be_short: bool) -> None:
        """Publish the open part. `may_be_short`: it is the last of its segment, or a GAP follows (rule 43)."""
        self._deadline = None
        if not self._part:
            return
        part, self._part = self._part, OpenPart()
        segment = self._segment
        assert segment is not None, "samples are taken only after a cut"
        end = part.end(self._end, self._limits, may_be_short=may_be_short)
        self._sequence += 1
        data = cmaf.chunk(self._sequence, part.start, part.samples(end), opens_segment=segment.parts == 0)
        segment.media = True
        self._publish(part.start, end, data, independent=part.independent, arrived=part.arrived, given=self._given)

    def _fill(self, until: int) -> None:
        """GAP parts from the position to `until`; the cuts on the way are passed."""
        while self._cuts and self._boundary(self._cuts[0]) <= until:
            self._gap_to_cut()
        self._gap(until)

    def _gap_to_cut(self) -> None:
        self._gap(self._boundary(self._cuts[0]))
        self._pass_cut(self._end)

    def _gap(self, until: int) -> None:
        """Declare the hole up to `until` in equal GAP parts; a very short one is left to the next sample.

        What would take the segment over what rounds to the target duration (rule 8) cannot be listed in it. Up to half
        a part of that is left to what comes next, the next segment or the next sample; more is left out.
        """
        length = until - self._end
        if self._segment is None or length < self._limits.min_gap:
            return
        timescale = self._limits.timescale
        most = self._target_s * timescale + timescale // 2 - 1
        listed = min(length, max(0, most - self._segment.ticks))
        count = -(-listed // self._limits.longest)
        for index in range(count):
            self._gap_part(listed * (index + 1) // count - listed * index // count)
        if length - listed > self._limits.longest // 2:
            self._end = until
        self._hint()

    def _gap_part(self, ticks: int) -> None:
        self._publish(self._end, self._end + ticks, b"", independent=False, arrived=None, given=None)

    def _publish(
        self, start: int, end: int, data: bytes, *, independent: bool, arrived: float | None, given: float | None
    ) -> None:
        segment = self._segment
        assert segment is not None
        name, index, gap = f"p{start}.m4s", segment.parts, arrived is None
        self._events.append(
            PartClosed(segment.msn, index, name, data, end - start, independent, gap=gap, arrived=arrived, given=given)
        )
        segment.parts += 1
        segment.ticks += end - start
        self._end = end
        self._hint()

    def _hint(self) -> None:
        """Name the next part, once."""
        name = f"p{self._end}.m4s"
        if name != self._hinted:
            self._hinted = name
            self._events.append(Hinted(name))
