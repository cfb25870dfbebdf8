"""Lanes: how the packets of one track get their places on its rendition's time grid. Sans-IO.

A lane outlives publishers, so that its grid never goes back. Video keeps the publisher's times; audio is
counted in samples, and the publisher's times only say where to count from.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from fractions import Fraction

from headwater.ingest.codecs import audio_samples
from headwater.ingest.media import Hole, Kind, Packet, Rendition, Sample, Track, TrackId, TrackStarted

from .model import TICKS
from .source import SourceTime

MOST_OFFSET_US = 3_000_000
"""Bound of a composition offset, microseconds. Why: no encoder reorders over 3 s, and a wrong offset must not
move a frame out of the time that the epoch reserves."""
PAUSE_S = 0.5
"""Seconds without a packet after which a lane counts as having paused."""
OFF_GRID_S = Fraction(50, 1_000)
"""Distance between counted and written audio times that is more than rounding and scheduling."""
SLEW_FROM = 100
"""Part of a second (10 ms) from which counted audio time is brought back to the written one. Why: writers round to
milliseconds, and some jitter by a few."""
SLEW_SHARE = 200
"""A packet lasts at most this part of its length longer or shorter for it: half a percent."""


def rendition_of(track: TrackId) -> Rendition:
    """`v0` -> `source`, `v1` -> `source-2`, `a0` -> `audio`, `a1` -> `audio-2`."""
    base = "source" if track.startswith("v") else "audio"
    number = int(track[1:])
    return Rendition(base if number == 0 else f"{base}-{number + 1}")


def same_decoder(one: Track, other: Track) -> bool:
    """Whether a decoder needs no new configuration between two tracks."""
    return (one.codec, one.config, one.timescale) == (other.codec, other.config, other.timescale)


class Lane:
    """One track on its way to its rendition: `VideoLane` or `AudioLane`."""

    __slots__ = (
        "anchor",
        "arrived",
        "at",
        "configured",
        "detached_at",
        "fresh",
        "held",
        "lost",
        "placed",
        "rendition",
        "resumed",
        "source",
        "started",
        "track",
        "waiting",
    )

    def __init__(self, track: Track) -> None:
        self.track = track
        """As delivered: with the measured frame rate."""
        self.configured = track
        """As the publisher configured it."""
        self.rendition = rendition_of(track.id)
        self.source: SourceTime | None = None
        """None while no publisher has this track."""
        self.anchor: int | None = None
        """Stream time minus source time, 90 kHz ticks; None until the first packet."""
        self.arrived: float | None = None
        """Of the publisher's last packet."""
        self.resumed = 0.0
        """Arrival of its first packet after its last pause."""
        self.placed = 0.0
        """Arrival of its last packet that got a place."""
        self.at = 0
        """Position of its last packet, also when that got no place."""
        self.detached_at: float | None = None
        """Since when no publisher has this track."""
        self.started = False
        """The rendition exists downstream."""
        self.waiting = True
        """The configuration was not announced yet: its packets have no place before the next cut."""
        self.lost = False
        """Silent while the stream goes on: its time is listed as holes."""
        self.fresh = True
        """The next packet does not continue the last one."""
        self.held: deque[tuple[int, float, Sample | Hole]] = deque()
        """What runs ahead of the primary: position, time of holding, event."""

    def attach(self, track: Track, reference: int) -> None:
        """A publisher has this track. `reference`: a recent raw value of its clock."""
        self.waiting = not self.started or not same_decoder(track, self.configured)
        self.configured = track
        self.source = SourceTime(track.clock, reference)
        self.anchor = None
        self.arrived = None
        self.detached_at = None
        self.fresh = True

    def hear(self, now: float) -> None:
        """A packet arrived."""
        if self.arrived is None or now - self.arrived > PAUSE_S:
            self.resumed = now
        self.arrived = now

    def detach(self, now: float) -> None:
        """The publisher is gone, or has this track no more."""
        self.source = None
        self.detached_at = now
        self.lost = True

    def change(self, track: Track) -> bool:
        """The publisher configured the track again; whether that changes anything for a decoder."""
        if same_decoder(track, self.configured):
            return False
        self.configured = track
        self.waiting = True
        self.fresh = True
        return True

    def begin(self, position: int) -> TrackStarted:
        """Announce the configuration: samples of it follow, none before `position`."""
        self.track = self.delivered()
        self.started = True
        self.waiting = False
        self.fresh = True
        return TrackStarted(self.rendition, self.track)

    def delivered(self) -> Track:
        """The configured track with what was measured of it."""
        return self.configured

    @property
    def end(self) -> int:
        """Position up to which the rendition has been filled, with samples or holes."""
        raise NotImplementedError

    def fill(self, position: int) -> int | None:
        """Fill up to `position` with nothing; the new end in the track's ticks, None when it is there already."""
        raise NotImplementedError


class VideoLane(Lane):
    """A video track: times as written, strictly increasing, shifted so that a segment's first dts is its pts."""

    __slots__ = ("_end", "_last", "floor", "longest", "nominal", "rate", "shift")

    def __init__(self, track: Track) -> None:
        super().__init__(track)
        self.floor = 0
        """No sample may be presented before this."""
        self.shift: int | None = None
        """Composition offset of the publisher's first keyframe, ticks."""
        self.rate: Fraction | None = None
        """Frames per second as measured."""
        self.nominal = TICKS // 30
        """Ticks of a frame by the delivered frame rate."""
        self.longest = self.nominal
        """Ticks of the longest of the last frames, at most a second."""
        self._last = -1
        self._end = 0

    @property
    def end(self) -> int:
        return self._end

    def attach(self, track: Track, reference: int) -> None:
        super().attach(track, reference)
        self.shift = None

    def begin(self, position: int) -> TrackStarted:
        self.floor = max(self.floor, position)
        if self.configured.frame_rate is not None and self.started:
            self.rate = self.configured.frame_rate
        started = super().begin(position)
        if self.track.frame_rate:
            self.nominal = max(1, round(TICKS / self.track.frame_rate))
        return started

    def delivered(self) -> Track:
        return replace(self.configured, frame_rate=self.rate or self.configured.frame_rate)

    def fill(self, position: int) -> int | None:
        if position <= self._end:
            return None
        self._end = self.floor = position
        self._last = max(self._last, position - 1)
        self.fresh = True
        return position

    def times(self, packet: Packet, source: int) -> tuple[int, int]:
        """(dts, pts) of a packet at 90 kHz source time `source`; dts is after the last one's."""
        cts_us = packet.cts_us
        if cts_us:
            cts_us = max(-MOST_OFFSET_US, min(MOST_OFFSET_US, cts_us))
        # 90 ticks are 1,000 microseconds.
        offset = cts_us * 9 // 100
        if self.shift is None:
            self.shift = offset
        decode = source + (self.anchor or 0)
        return max(decode + self.shift, self._last + 1), decode + offset

    def place(self, packet: Packet, dts: int, pts: int, key: bool) -> Sample:
        """The sample at these times. Its duration is an estimate: the nominal one, or the last step."""
        duration = self.nominal
        step = dts - self._last
        # Rounding to milliseconds moves a frame by up to 90 ticks either way; more is a variable rate.
        if not self.fresh and abs(step - duration) > 181 and step <= TICKS:
            duration = step
        self.longest = max(duration, self.nominal, self.longest * 63 // 64)
        self._last = dts
        self.fresh = False
        end = (dts if dts > pts else pts) + duration
        if end > self._end:
            self._end = end
        return Sample(self.rendition, dts, pts, duration, False, key, packet.payload, packet.arrived)


class AudioLane(Lane):
    """An audio track: counted in samples from where the publisher's time says the first packet is."""

    __slots__ = ("_frame", "_next", "_rate", "_skipping", "_tolerance")

    def __init__(self, track: Track) -> None:
        super().__init__(track)
        self._next = 0
        self._set_format(track)

    def _set_format(self, track: Track) -> None:
        self._rate = track.timescale
        self._frame = track.frame_samples or self._rate // 50
        self._tolerance = max(2 * self._frame, int(OFF_GRID_S * self._rate))
        self._skipping = False

    def begin(self, position: int) -> TrackStarted:
        end = max(position, self.end)
        self._set_format(self.configured)
        self._next = self.own(end)
        return super().begin(position)

    @property
    def end(self) -> int:
        return self._next * TICKS // self._rate

    @property
    def frame_s(self) -> Fraction:
        """Seconds of one packet, as far as known."""
        return Fraction(self._frame, self._rate)

    def see(self, packet: Packet) -> None:
        """Learn the packet's length from a packet that is not placed."""
        self._frame = audio_samples(self.configured, packet.payload) or self._frame
        self._tolerance = max(2 * self._frame, int(OFF_GRID_S * self._rate))

    def own(self, position: int) -> int:
        """`position` in this track's ticks, rounded up, so that nothing is before it."""
        return -(-position * self._rate // TICKS)

    def fill(self, position: int) -> int | None:
        target = self.own(position)
        if target <= self._next:
            return None
        self._next = target
        self.fresh = True
        return target

    def place(self, packet: Packet, position: int) -> tuple[int | None, Sample | None]:
        """Give a packet whose written time is `position` its place.

        Returns:
            Where a hole before it ends in the track's ticks, if there is one, and the sample; no sample
            when its place is taken.
        """
        target = self.own(position)
        off = target - self._next
        hole: int | None = None
        if off > self._tolerance:
            hole = self._next = target
        elif self.fresh:
            if off < 0:
                return None, None
            self._next = target
        elif off < -self._tolerance or (self._skipping and off < -self._frame // 2):
            self._skipping = True
            return None, None
        self._skipping = False
        self.fresh = False
        self._frame = audio_samples(self.track, packet.payload) or self._frame
        dts = self._next
        duration = self._frame + (0 if hole is not None else self._slew(target - dts))
        self._next = dts + duration
        return hole, Sample(self.rendition, dts, dts, duration, True, True, packet.payload, packet.arrived)

    def _slew(self, off: int) -> int:
        """Ticks by which a packet lasts longer or shorter, so that counted time keeps to the publisher's clock.

        A clock that runs off by parts per million, or frames that a file lacks where it was joined, are taken up
        in steps that nobody hears; without that they would add up to a hole.
        """
        if abs(off) * SLEW_FROM <= self._rate:
            return 0
        most = max(1, self._frame // SLEW_SHARE)
        return max(-most, min(most, off))


def hole_of(lane: Lane, until: int | None) -> Hole | None:
    """The event of a hole up to `until`, in the track's ticks, if there is one."""
    return None if until is None else Hole(lane.rendition, until)


def lane_for(track: Track) -> VideoLane | AudioLane:
    """A new lane for a track."""
    return VideoLane(track) if track.kind is Kind.VIDEO else AudioLane(track)
