"""From a packet to its sample: times, holes before it, the cut it may be. Sans-IO."""

from __future__ import annotations

from headwater.ingest.codecs import is_random_access
from headwater.ingest.media import Kind, Packet

from .advice import Adviser
from .anchors import anchor, rebase
from .cuts import LEAST, Place
from .lane import AudioLane, VideoLane, hole_of
from .model import TICKS
from .output import Output
from .silence import SILENT_S
from .source import Step
from .stage import EARLY, AnyLane, Stage

OVER_LONG = TICKS * 45 // 100
"""Ticks beyond the target duration that no segment may last (RFC 8216bis 4.4.3.1); a frame that comes later than that
is behind a hole."""


class Flow:
    """The packets of publishers whose media has begun."""

    def __init__(self, stage: Stage, output: Output, adviser: Adviser) -> None:
        self._stage = stage
        self._output = output
        self._adviser = adviser
        self._unix_minus_now = 0.0

    def packet(self, packet: Packet, now: float, unix: float) -> None:
        """One packet of a publisher whose media has begun. `now`, `unix`: of its arrival, seconds."""
        self._unix_minus_now = unix - now
        lane = self._stage.lanes.get(packet.track)
        if lane is None or lane.source is None:
            return
        lane.hear(now)
        clock = lane.source
        source = clock.read(packet.dts, now)
        if lane.anchor is None:
            lane.anchor = anchor(self._stage, self._adviser, lane, source, now)
        elif clock.step is Step.JUMPED:
            lane.anchor = rebase(self._stage, self._output, self._adviser, lane, source, now)
        elif clock.step is Step.FROZEN:
            self._adviser.frozen(now, lane.rendition)
        lane.at = source + lane.anchor
        if isinstance(lane, VideoLane):
            self._video(lane, packet, source, now)
        else:
            self._audio(lane, packet, source, now)

    def _video(self, lane: VideoLane, packet: Packet, source: int, now: float) -> None:
        stage = self._stage
        key = is_random_access(lane.configured, packet.payload)
        if lane.fresh and not key:
            self._drop(lane, now)
            return
        dts, pts = lane.times(packet, source)
        if lane is not stage.primary and not self._may_go_on(lane, pts, key):
            return
        if pts < lane.floor:
            # Leading pictures of an open GOP are before the cut and not needed; older frames break the chain.
            if dts < lane.floor:
                lane.fresh = True
            self._drop(lane, now)
            return
        if not lane.fresh and dts - lane.end > SILENT_S * TICKS + lane.nominal:
            stage.lose(lane, now)
            lane.fresh = True
            if not key:
                self._drop(lane, now)
                return
        if lane is stage.primary:
            self._primary_video(lane, packet, (dts, pts), key, now)
            return
        if lane.lost:
            stage.hole(lane, pts)
            lane.lost = False
            dts = max(dts, pts)
        lane.placed = now
        sample = lane.place(packet, dts, pts, key)
        if not stage.offer(lane, sample, max(dts, pts), now):
            lane.fresh = True
            self._adviser.overflow(now, lane.rendition)

    def _primary_video(self, lane: VideoLane, packet: Packet, times: tuple[int, int], key: bool, now: float) -> None:
        stage = self._stage
        dts, pts = times
        if lane.waiting and not lane.lost and pts - stage.cuts.last < LEAST:
            # A configuration that changes with every frame must not make a segment of each.
            self._drop(lane, now)
            return
        if (pts if key else min(dts, pts)) - stage.cuts.last > self._output.target_duration_s * TICKS + OVER_LONG:
            stage.lose(lane, now)
        resumed = lane.lost
        if resumed:
            stage.fill(pts, now, self._unix(now), then_cut=True)
            stage.hole(lane, pts)
            lane.lost = False
            dts = max(dts, pts)
        if lane.waiting:
            stage.cut(max(pts, stage.cuts.last + 1), now, self._unix(now), at_keyframe=True)
        else:
            early = resumed or (key and any(lane.waiting and _sends(lane) for lane in stage.lanes.values()))
            place = stage.cuts.video(pts, dts, lane.longest, key, early)
            if place is not Place.INSIDE:
                self._cut_video(place, dts, pts, now)
        lane.placed = now
        sample = lane.place(packet, dts, pts, key)
        self._output.emit(sample)
        assert stage.drift is not None
        stage.drift.observe(now, dts)
        stage.advance(dts + sample.duration - EARLY)

    def _cut_video(self, place: Place, dts: int, pts: int, now: float) -> None:
        stage = self._stage
        at_keyframe = place is Place.AT_KEYFRAME
        if not at_keyframe:
            self._output.counters.cuts_without_keyframe += 1
            interval, target_s = stage.cuts.interval, self._output.target_duration_s
            if stage.cuts.regular:
                self._adviser.on_grid(now)
            elif interval > target_s * TICKS:
                self._adviser.long_gop(now, interval, target_s)
            else:
                self._adviser.no_keyframe(now, target_s)
        # Between keyframes decode time is where presentation goes on; a frame may be presented out of order.
        stage.cut(pts if at_keyframe else min(dts, pts), now, self._unix(now), at_keyframe=at_keyframe)

    def _may_go_on(self, lane: VideoLane, pts: int, key: bool) -> bool:
        """Whether a packet of a video lane that is not the primary has a place; it may make its lane the primary."""
        stage = self._stage
        primary = stage.primary
        if key and (primary is None or primary.track.kind is Kind.AUDIO):
            if pts - stage.cuts.last < LEAST or pts < lane.floor:
                return False
            # Cuts belong to keyframes as soon as there are any.
            if primary is not None and primary.lost:
                stage.hole(primary, pts)
            stage.primary = lane
            return True
        return not lane.waiting

    def _audio(self, lane: AudioLane, packet: Packet, source: int, now: float) -> None:
        stage = self._stage
        position = source + (lane.anchor or 0)
        primary = lane is stage.primary
        if lane.waiting and not primary:
            lane.see(packet)
            return
        if primary:
            self._before_primary_audio(lane, position, now)
        hole, sample = lane.place(packet, position)
        if sample is None:
            self._drop(lane, now)
            return
        lane.lost = False
        lane.placed = now
        if hole is not None:
            self._output.counters.holes += 1
        pts = sample.pts * TICKS // lane.track.timescale
        for event in (hole_of(lane, hole), sample):
            if event is None:
                continue
            if primary:
                if event is sample:
                    self._cut_audio(lane, pts, sample.duration, now)
                self._output.emit(event)
            elif not stage.offer(lane, event, pts, now):
                self._adviser.overflow(now, lane.rendition)
        if primary:
            assert stage.drift is not None
            stage.drift.observe(now, pts)
            stage.advance(lane.end - EARLY)

    def _before_primary_audio(self, lane: AudioLane, position: int, now: float) -> None:
        """A primary audio track that comes back, or whose time leaps: the stream goes on to there first."""
        stage = self._stage
        if lane.waiting and position - stage.cuts.last >= LEAST:
            stage.cut(max(position, lane.end), now, self._unix(now), at_keyframe=True)
        if lane.lost or position - lane.end > SILENT_S * TICKS:
            stage.lose(lane, now)
            stage.fill(position, now, self._unix(now))

    def _cut_audio(self, lane: AudioLane, pts: int, duration: int, now: float) -> None:
        stage = self._stage
        early = any(other.waiting and _sends(other) for other in stage.lanes.values() if other is not lane)
        if stage.cuts.audio(pts, duration * TICKS // lane.track.timescale, early) is Place.AT_KEYFRAME:
            stage.cut(pts, now, self._unix(now), at_keyframe=True)

    def _drop(self, lane: AnyLane, now: float) -> None:
        self._output.counters.dropped += 1
        if isinstance(lane, AudioLane) and not lane.fresh:
            self._adviser.overlap(now, lane.rendition)
        elif lane.lost and lane.started and not lane.waiting:
            self._adviser.late_track(now, lane.rendition)

    def _unix(self, now: float) -> float:
        return now + self._unix_minus_now


def _sends(lane: AnyLane) -> bool:
    return lane.source is not None and lane.arrived is not None
