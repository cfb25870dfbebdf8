"""How long media takes through ingest: the stages `ingest` and `encode`."""

from __future__ import annotations

from headwater.config.stages import StageTime
from headwater.ingest.media import Sample, StreamEvent, StreamSink

MOST_UNDER_WAY = 4_096
"""Source samples whose time is remembered. Why: a minute of video and sound; what a ladder is further behind, it leaves
out."""


class Transit:
    """The way of one stream through its ladder: the ladder's sink, in front of the stream's.

    An encoded sample carries the arrival of the source's sample that it was made from: by it the two are matched. What
    was made from none (a repeated picture, silence) is not timed.

    Args:
        sink: of the stream.
        time: of the stage `encode`.
    """

    def __init__(self, sink: StreamSink, time: StageTime) -> None:
        self._sink = sink
        self._time = time
        self._given: dict[float, float] = {}
        """When samples of the source were given to the ladder, by their arrival; oldest first."""

    def given(self, sample: Sample, now: float) -> None:
        """A sample of the source goes into the ladder."""
        given = self._given
        given[sample.arrived] = now
        if len(given) > MOST_UNDER_WAY:
            del given[next(iter(given))]

    def write(self, event: StreamEvent, now: float) -> None:
        """What comes out of the ladder goes on to the stream's sink."""
        if isinstance(event, Sample) and (given := self._given.get(event.arrived)) is not None:
            self._time.observe(now - given)
        self._sink.write(event, now)
