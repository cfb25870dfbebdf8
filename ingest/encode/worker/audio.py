"""Sound of one stream: each source track decoded once, resampled and encoded for each of its rungs.

Output is counted in whole frames of the encoder from stream time zero on: every worker of a stream, and every rung of
one rate, has its frames at the same places. What goes in is held against its stream time by the resampler: gaps become
silence, overlaps are dropped, a clock that is off is followed by resampling, so that the count never drifts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import av

from headwater.ingest.encode.model import AudioRung, Failed, FromWorker, Note, Opened
from headwater.ingest.media import VIDEO_TIMESCALE, Hole, Rendition, Sample, Track

from .decode import AudioDecoder, NoDecoder
from .sound import SoundEncoder
from .video import NoEncoder

SILENCE_S = 0.5
"""Longest hole of the source that is filled with silence. Why: lost packets; more is an outage, and listed as one."""
BEFORE_S = 1
"""Sound before `Resume.position` that is given out all the same. Why: the position is the video's, and the last worker
may have been behind it with sound; the host knows what it has."""

Say = Callable[[FromWorker], None]


@dataclass(slots=True)
class _Source:
    rendition: Rendition
    decoder: AudioDecoder | None = None
    rungs: list[SoundEncoder] = field(default_factory=list)
    end: int | None = None
    """Where the last sample ends, its ticks; None: in a hole, or nothing came yet."""


def _decoded_alike(one: Track, other: Track) -> bool:
    """Whether a decoder of the first can go on with the second."""
    return (one.codec, one.config, one.timescale, one.sample_rate) == (
        other.codec,
        other.config,
        other.timescale,
        other.sample_rate,
    )


class AudioRungs:
    """All audio rungs of a plan.

    Args:
        rungs: see there.
        say: takes what they give, in order.
    """

    def __init__(self, rungs: Sequence[AudioRung], say: Say) -> None:
        self._say = say
        self._errors = 0
        self._plans = rungs
        self._sources = {rung.source: _Source(rung.source) for rung in rungs}
        self._position: int | None = None
        self._opened: set[Rendition] = set()

    @property
    def errors(self) -> int:
        """Packets that a decoder refused."""
        return self._errors + sum(source.decoder.errors for source in self._sources.values() if source.decoder)

    def resume(self, position: int) -> None:
        """See `model.Resume`."""
        self._position = max(0, position - BEFORE_S * VIDEO_TIMESCALE)

    def track(self, rendition: Rendition, track: Track) -> None:
        """A source begins, or goes on with another configuration."""
        source = self._sources.get(rendition)
        if source is None:
            return
        known = source.decoder.track if source.decoder is not None else None
        if known is not None and _decoded_alike(known, track):
            return
        self._drop(source)
        try:
            source.decoder = AudioDecoder(track)
        except NoDecoder as error:
            self._say(Note(rendition, str(error)))
            return
        if not source.rungs:
            for plan in self._plans:
                if plan.source == rendition:
                    self._open(source, plan)

    def end_track(self, rendition: Rendition) -> None:
        """A source ends: what its rungs hold comes out."""
        source = self._sources.get(rendition)
        if source is not None:
            self._drop(source)
            self._finish(source)

    def sample(self, sample: Sample) -> None:
        """One packet of a source. Sound that no rung is made from is nothing."""
        source = self._sources.get(sample.rendition)
        if source is None:
            return
        if source.decoder is None:
            self._errors += 1
            return
        source.end = sample.pts + sample.duration
        timescale = source.decoder.track.timescale
        for frame in source.decoder.decode(sample):
            pts = frame.pts
            assert pts is not None
            for rung in list(source.rungs):
                try:
                    self._deliver(rung, rung.encode(frame, pts, timescale, sample.arrived))
                except (av.FFmpegError, ValueError, NoEncoder) as error:
                    source.rungs.remove(rung)
                    self._say(Failed(rung.rung.rendition, str(error) or type(error).__name__))

    def hole(self, rendition: Rendition, until: int) -> None:
        """A source has nothing before `until`: silence, or a hole in each of its rungs."""
        source = self._sources.get(rendition)
        if source is None or source.decoder is None:
            return
        rate = source.decoder.track.timescale
        if source.end is not None and until - source.end <= SILENCE_S * rate:
            return
        source.end = None
        self._finish(source)
        for rung in source.rungs:
            self._say(Hole(rung.rung.rendition, -(-until * rung.rung.sample_rate // rate)))

    def drain(self) -> None:
        """Give out all that is held."""
        for source in self._sources.values():
            self._finish(source)

    def _open(self, source: _Source, plan: AudioRung) -> None:
        try:
            made = SoundEncoder(plan)
        except NoEncoder as error:
            self._say(Failed(plan.rendition, str(error)))
            return
        source.rungs.append(made)
        if plan.rendition not in self._opened:
            self._opened.add(plan.rendition)
            self._say(Opened(plan.rendition, made.track))

    def _drop(self, source: _Source) -> None:
        if source.decoder is not None:
            source.decoder.close()
            self._errors += source.decoder.errors
            source.decoder = None

    def _finish(self, source: _Source) -> None:
        for rung in list(source.rungs):
            try:
                self._deliver(rung, rung.finish())
            except (av.FFmpegError, ValueError, NoEncoder) as error:
                source.rungs.remove(rung)
                self._say(Failed(rung.rung.rendition, str(error) or type(error).__name__))

    def _deliver(self, rung: SoundEncoder, samples: Sequence[Sample]) -> None:
        first = 0 if self._position is None else self._position * rung.rung.sample_rate // VIDEO_TIMESCALE
        for sample in samples:
            if sample.pts >= first:
                self._say(sample)
