"""The video of one stream: source samples in, samples of every rung and stills out.

sample -> VideoDecoder -> Upright -> Grid (which places) -> VideoRungs (each place in every rung)
                              └────> Stills
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import av
from av.video.frame import VideoFrame

from headwater.ingest.encode.grid import Grid, Place
from headwater.ingest.encode.model import FromWorker, Note, Plan
from headwater.ingest.media import Rendition, Sample, Track

from .decode import NoDecoder, VideoDecoder
from .picture import Upright, is_hdr
from .rungs import VideoRungs
from .stills import Stills

_MOST_ARRIVALS = 128
"""Frames between a sample and its picture, whose arrival is remembered. Why: decoders hold 16 at most."""


class Ladder:
    """Video of a plan.

    Args:
        plan: see there.
        say: takes what comes out.
        cores: CPUs to use.
        breathe: called between pieces of work.
    """

    def __init__(self, plan: Plan, say: Callable[[FromWorker], None], cores: int, breathe: Callable[[], None]) -> None:
        self.source: Rendition | None = plan.video_source
        self._plan = plan
        self._say = say
        self._cores = cores
        self._breathe = breathe
        self._rungs = VideoRungs(plan, say, cores) if plan.video else None
        self._grid: Grid | None = None
        self._decoder: VideoDecoder | None = None
        self._stills = Stills(plan.thumbnails) if plan.thumbnails else None
        self._upright = Upright()
        self._errors = 0
        self._arrivals: dict[int, float] = {}
        self._places = 0
        self._told: set[str] = set()
        self.position = 0
        """Stream time up to which every rung is encoded."""

    @property
    def duplicated(self) -> int:
        """See `Progress`; likewise the others."""
        return self._grid.duplicated if self._grid else 0

    @property
    def dropped(self) -> int:
        return self._grid.dropped if self._grid else 0

    @property
    def errors(self) -> int:
        return self._errors + (self._decoder.errors if self._decoder else 0)

    def take_media(self) -> float:
        """Seconds of media since the last call."""
        places, self._places = self._places, 0
        return float(places / self._plan.grid)

    def resume(self, position: int) -> None:
        """See `model.Resume`; also comes when what is late is to be left out."""
        if self._grid is None:
            self._grid = Grid(self._plan.grid, position)
        else:
            self._grid.restart(position)
        self.position = position
        if self._rungs is not None:
            self._rungs.start(position)

    def track(self, rendition: Rendition, track: Track) -> None:
        """The source begins, or goes on with another configuration."""
        known = self._decoder.track if self._decoder is not None else None
        if known is not None and (known.codec, known.config) == (track.codec, track.config):
            return  # a frame rate, a name: nothing to a decoder
        self.end_track(rendition)
        self._open(track)

    def _open(self, track: Track) -> None:
        try:
            self._decoder = VideoDecoder(track, self._cores)
        except NoDecoder as error:
            self._tell(str(error))

    def end_track(self, rendition: Rendition) -> None:
        """The source ends, or changes: what the decoder holds comes out."""
        self._finish()

    def _finish(self) -> None:
        decoder, self._decoder = self._decoder, None
        if decoder is not None:
            self._frames(decoder.close(), decoder.sample_aspect)
            self._errors += decoder.errors
        for frame, pts, aspect in self._upright.close():
            self._frame(frame, pts, aspect)
        self._upright = Upright()
        self._arrivals.clear()

    def _renew(self) -> None:
        """Give out what the decoder holds, and begin with another one."""
        track = self._decoder.track if self._decoder is not None else None
        self._finish()
        if track is not None:
            self._open(track)

    def sample(self, sample: Sample) -> None:
        """One access unit of the source."""
        decoder = self._decoder
        if decoder is None:
            self._errors += 1
            return
        if self._rungs is None:
            # Stills alone cost a keyframe now and then.
            self.position = sample.pts + sample.duration
            if sample.independent and self._stills is not None and self._stills.due(sample.pts):
                self._frames(decoder.still(sample), decoder.sample_aspect)
            return
        self._arrivals[sample.pts] = sample.arrived
        if len(self._arrivals) > _MOST_ARRIVALS:
            del self._arrivals[next(iter(self._arrivals))]
        self._frames(decoder.decode(sample), decoder.sample_aspect)

    def cut(self, time: int) -> None:
        """A segment starts."""
        if self._grid is None:
            self._grid = Grid(self._plan.grid, time)
        if self._rungs is not None:
            self._rungs.cut(time)

    def adjust(self, level: int) -> None:
        """See `model.Adjust`; the cut follows."""
        if self._rungs is not None:
            self._rungs.adjust(level)

    def hole(self, rendition: Rendition, until: int) -> None:
        """The source has nothing before `until`. What comes then starts with a keyframe, so nothing is lost when the
        decoder starts anew."""
        self._renew()
        if self._grid is not None:
            self._grid.hole(until)
        if self._rungs is not None:
            self._rungs.hole(until)
        self.position = max(self.position, until)

    def drain(self) -> None:
        """Give out all that is held."""
        self._renew()
        if self._rungs is not None:
            self._rungs.flush()

    def _frames(self, frames: list[VideoFrame], aspect: Fraction) -> None:
        for decoded in frames:
            try:
                upright = self._upright.frames(decoded, aspect)
            except (av.FFmpegError, ValueError) as error:
                self._tell(f"a picture cannot be turned upright: {error}")
                self._upright = Upright()
                continue
            for frame, pts, shape in upright:
                self._frame(frame, pts, shape)

    def _frame(self, frame: VideoFrame, pts: int, aspect: Fraction) -> None:
        if is_hdr(frame):
            self._tell(
                "the source has a high dynamic range: the rungs have it too, with 8 bits, and are not tone-mapped"
            )
        if self._stills is not None:
            self._still(self._stills, frame, pts, aspect)
        rungs, grid = self._rungs, self._grid
        if rungs is None or grid is None:
            return
        arrived = self._arrivals.pop(pts, 0.0)
        for place in grid.frame(pts):
            if not place.repeated:
                rungs.show(frame, aspect)
            self._place(rungs, place, arrived)

    def _still(self, stills: Stills, frame: VideoFrame, pts: int, aspect: Fraction) -> None:
        try:
            for picture in stills.offer(frame, pts, aspect):
                self._say(picture)
        except (av.FFmpegError, ValueError) as error:
            self._tell(f"no still: {error}")

    def _place(self, rungs: VideoRungs, place: Place, arrived: float) -> None:
        rungs.place(place, arrived)
        self.position = place.following[0]
        self._places += 1
        self._breathe()

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._say(Note(self.source, text))
