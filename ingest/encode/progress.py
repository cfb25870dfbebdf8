"""What each rung of a ladder has delivered, and what becomes a hole of it. Sans-IO.

    waiting     its encoder did not open yet
    running     its samples follow each other
    away        it is not encoded now (an overloaded machine, a worker that is missing): its time is listed as GAP
    ended       its source is gone for good

What comes out is fit for the sink whatever the worker does: nothing twice, nothing that no decoder could start with,
no hole that is not said. Positions are stream time at 90 kHz.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from headwater.ingest.media import (
    VIDEO_TIMESCALE,
    Cut,
    Hole,
    Rendition,
    Sample,
    StreamEvent,
    Track,
    TrackEnded,
    TrackStarted,
)

from .model import AudioRung, Opened, Plan, VideoRung

TICKS = VIDEO_TIMESCALE
BRIDGED = TICKS // 10
"""Ticks up to which a hole after a restart becomes one longer sample. Why: the rungs of a lost worker stand a frame
apart, sound a few; a GAP of that size costs a player more than a picture that stands for 0.1 s."""
MOST_CUTS = 1_024
"""Cuts that a rung which is behind has still to come to."""
EARLY = 180
"""Ticks by which a GAP ends before a whole part, so that rounding makes no runt of the next."""


class ProtocolError(Exception):
    """A worker said what it may not say: it is broken."""


class Phase(enum.Enum):
    """See the module."""

    WAITING = "waiting"
    RUNNING = "running"
    AWAY = "away"
    ENDED = "ended"


@dataclass(slots=True)
class _Rung:
    rung: VideoRung | AudioRung
    phase: Phase = Phase.WAITING
    wanted: bool = True
    """False: it was shed, and comes back when it is wanted again."""
    track: Track | None = None
    """As delivered."""
    end: int | None = None
    """Its ticks up to which it was delivered; None: nothing yet."""
    fresh: bool = True
    """The next sample does not continue the last one: it has to be a random-access point."""
    not_before: int = 0
    """Position before which its samples do not fit its configuration."""
    holes: int = 0
    cuts: deque[Cut] = field(default_factory=lambda: deque(maxlen=MOST_CUTS))
    """Those that its samples have not come to."""

    @property
    def video(self) -> bool:
        return isinstance(self.rung, VideoRung)

    @property
    def timescale(self) -> int:
        return self.track.timescale if self.track is not None else TICKS

    @property
    def position(self) -> int:
        return (self.end or 0) * TICKS // self.timescale

    def own(self, position: int) -> int:
        """`position` in its ticks, rounded up."""
        return -(-position * self.timescale // TICKS)


class Deliveries:
    """The rungs of one stream, alive across its workers.

    Args:
        rungs: of the plan, in its order.
    """

    def __init__(self, rungs: Iterable[VideoRung | AudioRung]) -> None:
        self._rungs: dict[Rendition, _Rung] = {}
        self._cuts: deque[Cut] = deque(maxlen=MOST_CUTS)
        self._part = 0
        self.duplicates = 0
        """Samples that were delivered before, or that no decoder could have started with."""
        self.extend(rungs)

    def extend(self, rungs: Iterable[VideoRung | AudioRung]) -> None:
        """More rungs; those that there are go on as they are, those that have ended begin anew."""
        for rung in rungs:
            known = self._rungs.get(rung.rendition)
            if known is None or known.phase is Phase.ENDED:
                self._rungs[rung.rendition] = _Rung(rung, cuts=deque(self._cuts, maxlen=MOST_CUTS))

    def merged(self, old: Plan, new: Plan) -> Plan:
        """`new` with all rungs of `old` that have not ended, as they are."""
        going_on = set(self.rungs)
        video = [rung for rung in old.video if rung.rendition in going_on]
        audio = [rung for rung in old.audio if rung.rendition in going_on]
        video += [rung for rung in new.video if rung.rendition not in going_on]
        audio += [rung for rung in new.audio if rung.rendition not in going_on]
        video.sort(key=lambda rung: -rung.width * rung.height)
        base = old if any(rung.rendition in going_on for rung in old.video) else new
        return replace(base, video=tuple(video), audio=tuple(audio))

    # -- what there is -----------------------------------------------------------------------------------------

    def phase(self, rendition: Rendition) -> Phase | None:
        """What a rung does now; None: there is none of that name."""
        rung = self._rungs.get(rendition)
        return None if rung is None else rung.phase

    def is_there(self, rendition: Rendition) -> bool:
        """Players can be sent to a rung: it is wanted, and not away."""
        rung = self._rungs[rendition]
        return rung.wanted and rung.phase is not Phase.AWAY

    def is_video(self, rendition: Rendition) -> bool:
        """It is a video rung."""
        return rendition in self._rungs and self._rungs[rendition].video

    @property
    def rungs(self) -> tuple[Rendition, ...]:
        """All rungs that have not ended."""
        return tuple(name for name, rung in self._rungs.items() if rung.phase is not Phase.ENDED)

    @property
    def waiting(self) -> tuple[Rendition, ...]:
        """The rungs whose encoder did not open yet."""
        return tuple(name for name, rung in self._rungs.items() if rung.phase is Phase.WAITING)

    @property
    def holes(self) -> dict[Rendition, int]:
        """Holes so far, by rung."""
        return {name: rung.holes for name, rung in self._rungs.items()}

    @property
    def position(self) -> int | None:
        """What all running rungs have come to; None: none runs, or none has delivered yet."""
        running = self._running()
        if not running or any(rung.end is None for rung in running):
            return None
        return min(rung.position for rung in running)

    @property
    def farthest(self) -> int | None:
        """What the foremost video rung (or sound, where there is no video) has come to; None: nothing was delivered."""
        started = [rung for rung in self._open() if rung.end is not None]
        video = [rung for rung in started if rung.video]
        return max((rung.position for rung in video or started), default=None)

    def _running(self) -> list[_Rung]:
        running = [rung for rung in self._rungs.values() if rung.phase is Phase.RUNNING and rung.wanted]
        return [rung for rung in running if rung.video] or running

    def _open(self) -> Iterator[_Rung]:
        return (rung for rung in self._rungs.values() if rung.phase in (Phase.RUNNING, Phase.AWAY))

    # -- what the source says ------------------------------------------------------------------------------------

    def set_part(self, part_target_us: int) -> None:
        """PART-TARGET of the stream, microseconds: holes grow by whole parts."""
        self._part = max(1, part_target_us * 9 // 100 - EARLY)

    def cut(self, cut: Cut) -> None:
        """A segment starts in every rendition."""
        self._cuts.append(cut)
        for rung in self._rungs.values():
            rung.cuts.append(cut)
            if rung.not_before < 0 and cut.discontinuity:
                rung.not_before = cut.time

    def end_of(self, source: Rendition, *, video: bool) -> list[StreamEvent]:
        """A source track is gone for good: so are the rungs that are made from it."""
        events: list[StreamEvent] = []
        for name, rung in self._rungs.items():
            made_from_it = video if isinstance(rung.rung, VideoRung) else rung.rung.source == source
            if made_from_it and rung.phase is not Phase.ENDED:
                if rung.track is not None:
                    events.append(TrackEnded(name))
                rung.phase, rung.end, rung.track, rung.fresh = Phase.ENDED, None, None, True
        return events

    # -- what the worker says --------------------------------------------------------------------------------------

    def opened(self, message: Opened) -> tuple[list[StreamEvent], bool]:
        """A rung's encoder is open.

        Returns:
            What to tell the sink, and whether the rung's configuration is another one than before: then the next cut
            has to be a discontinuity, and the rung goes on from it.
        """
        rung = self._rung(message.rendition)
        if rung.phase in (Phase.WAITING, Phase.ENDED):
            rung.phase = Phase.RUNNING
        rung.fresh = True
        if rung.track is None:
            rung.track = message.track
            return [self._started(rung)], False
        if _same(rung.track, message.track):
            return [], False
        if rung.track.timescale != message.track.timescale:
            raise ProtocolError(f"{message.rendition} came back with another timescale")
        rung.track = message.track
        rung.not_before = -1  # until the cut comes
        return [self._started(rung)], True

    def _started(self, rung: _Rung) -> TrackStarted:
        assert rung.track is not None
        bits = rung.rung.maxrate if isinstance(rung.rung, VideoRung) else rung.rung.bitrate
        return TrackStarted(rung.rung.rendition, rung.track, bitrate=bits, independent=True)

    def sample(self, sample: Sample) -> list[StreamEvent]:
        """A sample of a rung: what of it goes to the sink.

        Raises:
            ProtocolError: it is of no rung, or opens a segment without being a random-access point.
        """
        rung = self._rung(sample.rendition)
        if rung.phase is Phase.ENDED:
            return []
        if rung.track is None:
            raise ProtocolError(f"a sample of {sample.rendition} before its encoder was open")
        early = rung.not_before < 0 or sample.pts < rung.own(rung.not_before)
        if early or self._is_old(rung, sample) or (rung.fresh and not sample.independent):
            self.duplicates += 1
            rung.fresh = rung.fresh or sample.independent  # what follows it needs it
            return []
        if rung.phase is Phase.AWAY:
            if not rung.wanted:
                return []
            rung.phase = Phase.RUNNING
        sample = _joined(rung, sample)
        opens = self._reach(rung, sample.pts)
        if opens and rung.video and not sample.independent:
            raise ProtocolError(f"a segment of {sample.rendition} begins without a keyframe")
        rung.end = sample.dts + sample.duration
        rung.fresh = False
        return [sample]

    def _is_old(self, rung: _Rung, sample: Sample) -> bool:
        """It was delivered, or listed as a hole."""
        if rung.end is None:
            return bool(rung.cuts) and sample.pts < rung.own(rung.cuts[0].time)
        if rung.fresh and sample.independent:
            return sample.dts + sample.duration <= rung.end
        return sample.dts < rung.end

    def hole(self, hole: Hole) -> list[StreamEvent]:
        """The worker has nothing of a rung up to `hole.until`."""
        rung = self._rung(hole.rendition)
        if rung.track is None or rung.phase is Phase.ENDED:
            return []
        if not rung.wanted:
            rung.phase = Phase.AWAY
        return self._hole(rung, hole.until)

    # -- holes -------------------------------------------------------------------------------------------------------

    def lost(self) -> None:
        """The worker is gone: what follows comes from another one and begins anew."""
        for rung in self._rungs.values():
            rung.fresh = True

    def skip(self, position: int) -> list[StreamEvent]:
        """Nothing before `position` will come: a hole in every rung that is further back than can be bridged."""
        events: list[StreamEvent] = []
        for rung in self._open():
            rung.fresh = True
            if rung.end is not None and position - rung.position > BRIDGED:
                events += self._hole(rung, rung.own(position))
        return events

    def want(self, rendition: Rendition, wanted: bool) -> None:
        """Whether a rung is wanted.

        One that is not goes on for as long as its samples come, then lists its time as GAP; one that is wanted again
        comes back with its next random-access point.
        """
        self._rungs[rendition].wanted = wanted

    def fail(self, rendition: Rendition) -> None:
        """A rung will send nothing more."""
        rung = self._rung(rendition)
        rung.wanted = False
        if rung.phase is Phase.WAITING:
            rung.phase = Phase.ENDED

    def follow(self, position: int, *, every: bool = False) -> list[StreamEvent]:
        """List as GAP what rungs that are away have nothing of, in whole parts up to `position`.

        Args:
            position: up to which nothing of them can come.
            every: also those that run, because the worker is missing.
        """
        events: list[StreamEvent] = []
        until = self._whole_parts(position)
        for rung in self._open():
            if not rung.wanted and (rung.end is None or position - rung.position > BRIDGED):
                rung.phase = Phase.AWAY  # the others have gone past it
            if rung.phase is Phase.AWAY or every:
                events += self._hole(rung, rung.own(until))
        return events

    def _hole(self, rung: _Rung, until: int) -> list[StreamEvent]:
        rung.fresh = True
        if rung.end is None and (not rung.cuts or rung.own(rung.cuts[0].time) >= until):
            return []
        if rung.end is not None and until <= rung.end:
            return []
        self._reach(rung, until)
        rung.end = until
        rung.holes += 1
        return [Hole(rung.rung.rendition, until)]

    def _whole_parts(self, position: int) -> int:
        """The last whole part behind a cut up to `position`."""
        cut = next((cut.time for cut in reversed(self._cuts) if cut.time <= position), None)
        if cut is None or not self._part:
            return position
        return position - (position - cut) % self._part

    # -- inside ------------------------------------------------------------------------------------------------------

    def _rung(self, rendition: Rendition) -> _Rung:
        rung = self._rungs.get(rendition)
        if rung is None:
            raise ProtocolError(f"there is no rung {rendition}")
        return rung

    def _reach(self, rung: _Rung, time: int) -> bool:
        """Take the cuts that `time` is at or behind; whether there were any."""
        reached = False
        while rung.cuts and rung.own(rung.cuts[0].time) <= time:
            rung.cuts.popleft()
            reached = True
        return reached


def _joined(rung: _Rung, sample: Sample) -> Sample:
    """A sample that begins anew, joined to what is before it: a small hole or overlap becomes its duration."""
    if rung.end is None or not rung.fresh or sample.dts == rung.end:
        return sample
    if sample.dts - rung.end > BRIDGED * rung.timescale // TICKS:
        return sample
    until = sample.dts + sample.duration
    pts = max(sample.pts, rung.end) if rung.video else rung.end
    return replace(sample, dts=rung.end, pts=pts, duration=until - rung.end)


def _same(one: Track, other: Track) -> bool:
    """Whether a decoder needs no new configuration between two tracks."""
    return (one.codec, one.config, one.timescale) == (other.codec, other.config, other.timescale)
