"""The video rungs of one ladder: places of the grid in, samples out, each rung on its own.

A rung that fails is said to the host and left out; the others go on. A level of `control` takes effect in each rung at
its next IDR, so at the same cut in all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from functools import partial

import av
from av.video.frame import VideoFrame

from headwater.ingest.encode.control import LevelMeaning, describe_level
from headwater.ingest.encode.grid import MAX_DIVISOR, Place, RungGrid, Take
from headwater.ingest.encode.model import Failed, FromWorker, Note, Opened, Plan, VideoRung
from headwater.ingest.media import VIDEO_TIMESCALE, Hole, Sample

from .heap import give_back
from .lanes import Lanes, spread
from .options import threads_for
from .picture import Shaper, colour_of
from .video import Colour, NoEncoder, VideoEncoder

HOLE_EVERY = VIDEO_TIMESCALE // 2
"""Ticks between the holes of a rung that is shed. Why: about a part; a player that still waits there must not stall."""

_ENCODER_ERRORS = (NoEncoder, av.FFmpegError, ValueError)
"""What an encoder or a scaler says of a frame that it does not take: the end of one rung. PyAV has ValueError."""

Say = Callable[[FromWorker], None]


@dataclasses.dataclass(slots=True)
class _Rung:
    plan: VideoRung
    lane: int
    grid: RungGrid
    threads: int
    shaper: Shaper
    picture: VideoFrame | None = None
    """Of the source's frame `shown`."""
    shown: int = 0
    encoder: VideoEncoder | None = None
    colour: Colour | None = None
    config: bytes = b""
    level: str | None = None
    wanted: LevelMeaning | None = None
    """From the next IDR on."""
    effort: int = 0
    slow: int = 1
    shed: bool = False
    failed: bool = False
    end: int | None = None
    """Where its last sample, or hole, ends."""


class VideoRungs:
    """All video rungs of a plan.

    Args:
        plan: see there.
        say: takes what they give, in order.
        cores: that they may use.
    """

    def __init__(self, plan: Plan, say: Say, cores: int) -> None:
        self._plan = plan
        self._say = say
        self._period = VIDEO_TIMESCALE / plan.grid
        fps = float(plan.grid)
        threads = [threads_for(rung, fps, cores) for rung in plan.video]
        self._lanes: Lanes[list[Sample]] = Lanes(min(cores, len(plan.video)))
        lanes = spread([_load(rung) for rung in plan.video], self._lanes.count)
        self._rungs = [
            _Rung(rung, lane, RungGrid(rung.divisor), count, Shaper(rung.width, rung.height, _pixels(rung)))
            for rung, lane, count in zip(plan.video, lanes, threads, strict=True)
        ]
        self._frame: VideoFrame | None = None
        self._aspect = Fraction(1)
        self._shown = 0
        self._closed = False
        """An encoder was, and what it held is in the heap still."""

    def start(self, position: int) -> None:
        """What was delivered before, by this worker or another, ends at `position`."""
        for rung in self._rungs:
            rung.end = position
            rung.grid.restart()

    def cut(self, time: int) -> None:
        """A segment starts."""
        for rung in self._rungs:
            rung.grid.cut(time)

    def adjust(self, level: int) -> None:
        """Work as `control` says for `level`, each rung from its next IDR on."""
        meaning = describe_level(self._plan, level)
        for rung in self._rungs:
            rung.wanted = meaning
            rung.grid.set_divisor(min(MAX_DIVISOR, rung.plan.divisor * meaning.divisor))

    def hole(self, until: int) -> None:
        """There is nothing before `until`: an IDR follows."""
        for rung in self._rungs:
            rung.grid.restart()
            self._hole(rung, until)

    def show(self, frame: VideoFrame, aspect: Fraction) -> None:
        """The picture of the places that follow."""
        self._frame, self._aspect = frame, aspect
        self._shown += 1
        for rung in self._rungs:
            if rung.colour is None:
                rung.colour = colour_of(frame)

    def place(self, place: Place, arrived: float) -> None:
        """Encode a place in every rung that shows it."""
        jobs = []
        working = []
        for rung in self._rungs:
            take = None if rung.failed else rung.grid.take(place)
            if take is None or not self._ready(rung, take):
                continue
            working.append((rung, take))
            jobs.append((rung.lane, partial(self._encode, rung, take, arrived)))
        for (rung, take), result in zip(working, self._lanes.run(jobs), strict=True):
            if isinstance(result, _ENCODER_ERRORS):
                self._fail(rung, str(result) or type(result).__name__)
                continue
            if isinstance(result, BaseException):
                raise result  # nobody knows what it left behind: the host replaces the whole worker
            self._deliver(rung, result)
            rung.end = take.dts + take.duration
        if self._closed:
            self._closed = False
            give_back()

    def _encode(self, rung: _Rung, take: Take, arrived: float) -> list[Sample]:
        """Runs in the rung's lane."""
        assert rung.encoder is not None and self._frame is not None
        if rung.picture is None or rung.shown != self._shown:
            rung.shown = self._shown
            try:
                rung.picture = rung.shaper.shape(self._frame, self._aspect, _known(rung.colour))
            except (av.FFmpegError, ValueError):
                # One frame that cannot be scaled: the one before it is shown again.
                if rung.picture is None:
                    raise
        return rung.encoder.encode(rung.picture, take, arrived)

    def flush(self) -> None:
        """Give out all that encoders hold; the next frame of each rung is an IDR."""
        for rung in self._rungs:
            self._close(rung)
            rung.grid.restart()

    def _ready(self, rung: _Rung, take: Take) -> bool:
        """Whether the rung encodes this frame; brings its encoder to what is wanted."""
        if take.idr:
            self._apply(rung)
        if rung.shed:
            rung.grid.free()
            if take.idr or (rung.end is not None and take.dts - rung.end >= HOLE_EVERY):
                self._hole(rung, take.pts)
            return False
        if rung.end is not None and take.dts - rung.end > self._period / 2:
            self._hole(rung, take.pts)
        if rung.encoder is None:
            try:
                self._open(rung)
            except NoEncoder as error:
                self._fail(rung, str(error))
                return False
        return True

    def _apply(self, rung: _Rung) -> None:
        """Change to the level that is wanted."""
        wanted, rung.wanted = rung.wanted, None
        if wanted is None:
            return
        rung.shed = rung.plan.rendition in wanted.shed
        changed = (rung.effort, rung.slow) != (wanted.effort, wanted.divisor)
        rung.effort, rung.slow = wanted.effort, wanted.divisor
        if rung.shed:
            self._close(rung)
        elif changed and rung.encoder is not None:
            self._reopen(rung)

    def _reopen(self, rung: _Rung) -> None:
        """Another encoder, if its samples need no other configuration."""
        try:
            made = self._made(rung)
        except NoEncoder as error:
            self._say(Note(rung.plan.rendition, f"the encoder stays as it is: {error}"))
            return
        if made.track.config != rung.config:
            made.close()
            self._say(Note(rung.plan.rendition, "the encoder stays as it is: another one has another configuration"))
            return
        self._close(rung)
        rung.encoder = made

    def _open(self, rung: _Rung) -> None:
        """The first encoder, or one after a time without. Raises NoEncoder."""
        effort, slow = rung.effort, rung.slow
        if not rung.config:
            # The plan's own encoder says what the configuration is, whatever level is in force.
            rung.effort, rung.slow = 0, 1
            rung.encoder = self._made(rung)
            rung.config, rung.level = rung.encoder.track.config, rung.encoder.level
            self._say(Opened(rung.plan.rendition, rung.encoder.track))
            rung.effort, rung.slow = effort, slow
            if (effort, slow) == (0, 1):
                return
            self._reopen(rung)
            return
        rung.encoder = self._made(rung)
        if rung.encoder.track.config != rung.config and (effort, slow) != (0, 1):
            self._close(rung)
            rung.effort, rung.slow = 0, 1
            rung.encoder = self._made(rung)
        if rung.encoder.track.config != rung.config:
            rung.config, rung.level = rung.encoder.track.config, rung.encoder.level
            self._say(Opened(rung.plan.rendition, rung.encoder.track))

    def _made(self, rung: _Rung) -> VideoEncoder:
        fps = self._plan.grid / rung.plan.divisor
        return VideoEncoder(
            rung.plan,
            fps,
            _known(rung.colour),
            effort=rung.effort,
            slow=rung.slow,
            threads=rung.threads,
            level=rung.level,
        )

    def _close(self, rung: _Rung) -> None:
        encoder, rung.encoder = rung.encoder, None
        if encoder is not None:
            self._closed = True
            try:
                self._deliver(rung, encoder.close())
            except (NoEncoder, av.FFmpegError) as error:
                self._say(Note(rung.plan.rendition, f"the encoder does not end cleanly: {error}"))

    def _fail(self, rung: _Rung, reason: str) -> None:
        rung.failed = True
        self._close(rung)
        self._say(Failed(rung.plan.rendition, reason))

    def _hole(self, rung: _Rung, until: int) -> None:
        # Of a rung that never began nobody waits for anything.
        if not rung.failed and rung.end is not None and until > rung.end:
            rung.end = until
            self._say(Hole(rung.plan.rendition, until))

    def _deliver(self, rung: _Rung, samples: list[Sample]) -> None:
        for sample in samples:
            self._say(sample)


def _known(colour: Colour | None) -> Colour:
    assert colour is not None
    return colour


def _load(rung: VideoRung) -> float:
    return rung.width * rung.height / rung.divisor


def _pixels(rung: VideoRung) -> str:
    return "nv12" if rung.encoder.endswith("_qsv") else "yuv420p"
