"""One stream's timeline, alive across its publishers. Sans-IO."""

from __future__ import annotations

from headwater.ingest.codecs import refine
from headwater.ingest.media import Metadata, MetadataKind, Packet, StreamEvent, Track, TrackId

from .advice import Adviser
from .anchors import reference
from .begin import Beginning, choose_part_target, first_start, measure_rates
from .cuts import LEAST
from .drift import Drift
from .flow import Flow
from .lane import VideoLane, lane_for
from .model import TICKS, Advice, Counters, Epoch, TimelineSettings
from .output import Output
from .silence import watch
from .stage import EARLY, AnyLane, Stage
from .start import Gather

TICK_S = 0.2
"""Seconds between two looks at silent tracks and held samples."""
CUE_S = 3_600.0
"""Farthest from the present media that a cue may lie, either way, seconds."""
NO_KEY_S = 10.0
"""Seconds without a first keyframe before it is said."""


class Timeline:
    """Turns the packets of a stream's publishers, one publisher at a time, into one sequence of events.

    Every method that takes `now` (monotonic seconds) and `unix` (Unix seconds) takes both of the same instant.

    Args:
        settings: see `TimelineSettings`.
        epoch: of an earlier timeline of the same name, or None.
    """

    def __init__(self, settings: TimelineSettings, epoch: Epoch | None = None) -> None:
        self._settings = settings
        self._epoch = epoch
        self._output = Output(epoch)
        self._adviser = Adviser()
        self._stage = Stage(settings, self._output, self._adviser)
        self._flow = Flow(self._stage, self._output, self._adviser)
        self._gather: Gather | None = None
        self._gather_since = 0.0
        self._next_tick: float | None = None
        self._unix_minus_now = 0.0
        self._late_us = 0

    # -- what comes in -----------------------------------------------------------------------------------------

    def publisher_joined(self, now: float, unix: float, late_s: float = 0.0) -> None:
        """A publisher begins; an earlier one is taken as gone. `late_s`: `Publisher.late_s`."""
        self.publisher_left(now, unix)
        self._late_us = round(late_s * 1_000) * 1_000
        expected = frozenset(key for key, lane in self._stage.lanes.items() if lane.started)
        self._gather = Gather(self._settings.late_track_ms / 1_000, expected)
        self._gather_since = now
        self._next_tick = now + TICK_S

    def expect(self, tracks: frozenset[TrackId]) -> None:
        """Tracks that the present publisher says it sends: its media begins with them, if they come in time."""
        if self._gather is not None:
            self._gather.expect(tracks)

    def configure(self, track: Track, now: float, unix: float) -> None:
        """A track of the present publisher, or its changed configuration."""
        self._unix_minus_now = unix - now
        if self._gather is not None:
            self._gather.configure(track)
            return
        if not self._stage.present:
            return
        lane = self._stage.lanes.get(track.id)
        if lane is not None and lane.source is not None:
            lane.change(track)
            return
        if lane is None:
            lane = self._stage.lanes[track.id] = lane_for(track)
        lane.attach(track, reference(self._stage))

    def packet(self, packet: Packet, now: float, unix: float) -> None:
        """One packet of the present publisher; packets of unknown tracks are ignored."""
        self._unix_minus_now = unix - now
        gather = self._gather
        if gather is None:
            self._flow.packet(packet, now, unix)
            return
        self._output.counters.dropped += gather.packet(packet, now)
        if gather.ready(now):
            self._begin(gather, now)

    def cue(self, pts: int, section: bytes) -> None:
        """A cue (SCTE-35) of the present publisher about `pts`, raw ticks of its clock; before its media has begun, and
        without a clock to count from, it is left out."""
        primary = self._stage.primary
        if self._gather is not None or primary is None or primary.source is None or primary.anchor is None:
            return
        distance = primary.source.distance(pts)
        # A cue hours away is about another clock: it is taken for one about now.
        away = distance if abs(distance) <= CUE_S * TICKS else 0
        self._output.emit(Metadata(MetadataKind.CUE, primary.at + away, section))

    def publisher_left(self, now: float, unix: float) -> None:
        """The present publisher is gone; a stream that has started goes on as holes."""
        self._unix_minus_now = unix - now
        self._gather = None
        stage = self._stage
        stage.present = False
        for lane in stage.lanes.values():
            stage.flush(lane)
            if lane.source is not None:
                stage.lose(lane, now)
                lane.detach(now)

    def end(self, now: float, unix: float) -> None:
        """Give out what is held, then StreamEnded. Nothing follows."""
        if not self._output.ended:
            self.publisher_left(now, unix)
            self._output.end()
            self._next_tick = None

    # -- time --------------------------------------------------------------------------------------------------

    def next_timeout(self) -> float | None:
        """Monotonic time at which `handle_timeout` wants to be called, or None."""
        return self._next_tick

    def handle_timeout(self, now: float, unix: float) -> None:
        """Let time pass: late tracks, silent publishers."""
        if self._output.ended or self._next_tick is None or now < self._next_tick:
            return
        self._unix_minus_now = unix - now
        self._next_tick = now + TICK_S
        gather = self._gather
        if gather is not None:
            if gather.ready(now):
                self._begin(gather, now)
                return
            waited = now - self._gather_since
            if waited > NO_KEY_S and gather.key_at is None and gather.tracks:
                self._adviser.no_first_keyframe(now, waited)
        # Time stands still once the first packet of a returning publisher is there: its place is now, not later.
        if self._output.started and (gather is None or not gather.found):
            watch(self._stage, now, unix)

    # -- what a ladder asks ---------------------------------------------------------------------------------------

    def use_regular_cuts(self, allowed: bool) -> None:
        """Whether segments may end between keyframes of the source as a rule, where those are too rare."""
        self._stage.cuts.may_be_regular = allowed
        if not allowed:
            self._stage.cuts.regular = False

    def discontinue(self) -> None:
        """The next cut is a discontinuity."""
        self._stage.marked = True

    # -- what goes out -----------------------------------------------------------------------------------------

    def events(self) -> list[StreamEvent]:
        """The events since the last call, in order."""
        return self._output.take()

    @property
    def epoch(self) -> Epoch | None:
        """To be saved whenever `events` gave a Cut or the StreamEnded, before those are handed on.

        None: the stream has not started and had no earlier life.
        """
        return self._output.epoch

    @property
    def counters(self) -> Counters:
        """Sums for metrics."""
        return self._output.counters

    @property
    def keyframe_interval_s(self) -> float:
        """Seconds between the last two keyframes of the primary; 0.0: not known."""
        return self._stage.cuts.interval / TICKS

    @property
    def cuts_on_keyframes(self) -> bool:
        """Segments end on keyframes of the source, as far as it has any."""
        return not self._stage.cuts.regular

    @property
    def drift_s(self) -> float:
        """Date minus stream time, seconds."""
        return self._stage.drift.offset_us / 1_000_000 if self._stage.drift is not None else 0.0

    @property
    def held(self) -> int:
        """Packets and events that are held now."""
        kept = len(self._gather.packets) if self._gather is not None else 0
        return kept + sum(len(lane.held) for lane in self._stage.lanes.values())

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The tracks as delivered, in the order of their names."""
        lanes = self._stage.lanes
        return tuple(lanes[key].track for key in sorted(lanes, reverse=True) if lanes[key].started)

    def ahead_s(self, now: float) -> float:
        """Seconds by which media runs ahead of real time; negative when behind."""
        if self._gather is not None:
            return max(0.0, self._gather.ahead_s(now))
        if self._stage.drift is None or not self._stage.present:
            return 0.0
        return self._stage.drift.ahead_s(now, self._stage.frontier)

    def advice(self) -> list[Advice]:
        """What there is to say to the broadcaster since the last call."""
        return self._adviser.take()

    # -- the beginning of a publisher ----------------------------------------------------------------------------

    def _begin(self, gather: Gather, now: float) -> None:
        """A publisher's media begins at its first keyframe: place it, announce its tracks, let its packets flow."""
        self._gather = None
        chosen = gather.primary
        assert chosen is not None
        stage = self._stage
        first = next(packet for packet in gather.packets if packet.track == chosen)
        for track in gather.tracks.values():
            lane = stage.lanes.get(track.id) or lane_for(track)
            stage.lanes[track.id] = lane
            lane.attach(refine(track, first.payload) if track.id == chosen else track, first.dts)
            if gather.seen(track.id):
                lane.hear(first.arrived)
            lane.placed = first.arrived
        frames = measure_rates(gather, stage.lanes)
        primary = stage.primary = stage.lanes[chosen]
        stage.present = True
        stage.cuts.forget_keyframes()
        arrived = first.arrived - gather.burst_s(chosen)
        unix = self._unix(arrived)
        if self._output.started:
            position = self._return_position(arrived)
            offset_us = stage.drift.offset_us if stage.drift is not None else 0
            for lane in stage.lanes.values():
                lane.lost = True
            stage.fill(position, arrived, unix, then_cut=True)
            discontinuity = False
        else:
            part_target_ms = choose_part_target(self._settings, self._epoch, frames, self._adviser, now)
            start = first_start(self._settings, self._epoch, unix)
            position, offset_us = start.position, start.offset_us
            discontinuity = self._open(start, part_target_ms, arrived, unix)
        stage.drift = Drift(arrived, unix, position, offset_us)
        for lane in stage.lanes.values():
            stage.hole(lane, position)
            lane.lost = lane.source is None
        stage.cut(position, arrived, unix, at_keyframe=True, discontinuity=discontinuity)
        stage.advance(position - EARLY)
        self._anchor_primary(primary, first, position)
        for packet in gather.packets:
            self._flow.packet(packet, packet.arrived, self._unix(packet.arrived))

    def _anchor_primary(self, primary: AnyLane, first: Packet, position: int) -> None:
        """The first packet is presented at `position`."""
        assert primary.source is not None
        source = primary.source.read(first.dts, first.arrived)
        if isinstance(primary, VideoLane):
            primary.anchor = 0
            position -= primary.times(first, source)[1] - source
        primary.anchor = position - source

    def _open(self, start: Beginning, part_target_ms: int, now: float, unix: float) -> bool:
        """Say what is fixed for the stream's life, and list the time since an earlier life as holes.

        Returns:
            Whether the first segment with media is a discontinuity.
        """
        stage, earlier = self._stage, self._epoch
        self._output.start(
            start.msn,
            start.discontinuity_sequence,
            start.target_duration_s,
            part_target_us=part_target_ms * 1_000,
            # Hold-backs never change (rule 10), so another transport after a restart changes none.
            late_us=self._late_us if earlier is None or earlier.ended else earlier.late_us,
        )
        stage.cuts.set_target(start.target_duration_s)
        if start.hole_from is None:
            return False
        stage.drift = Drift(now, unix, start.position, start.offset_us)
        stage.cut(start.hole_from, now, unix, at_keyframe=False)
        for lane in stage.lanes.values():
            lane.lost = True
        stage.fill(start.position, now, unix, then_cut=True)
        return True

    def _return_position(self, arrived: float) -> int:
        """Where a publisher's first keyframe goes on a stream that has started: now, but behind all there is."""
        stage = self._stage
        ends = [lane.end for lane in stage.lanes.values() if lane.started]
        now = stage.drift.stream_now(arrived) if stage.drift is not None else 0
        return max(now, stage.cuts.last + LEAST, *ends)

    def _unix(self, now: float) -> float:
        return now + self._unix_minus_now
