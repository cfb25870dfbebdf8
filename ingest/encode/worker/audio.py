"""Audio rungs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headwater.ingest.encode.model import AudioRung, FromWorker
from headwater.ingest.media import Rendition, Sample, Track


class AudioRungs:
    """All audio rungs of a plan."""

    def __init__(self, rungs: Sequence[AudioRung], say: Callable[[FromWorker], None]) -> None:
        self.errors = 0

    def sample(self, sample: Sample) -> None: ...

    def hole(self, rendition: Rendition, until: int) -> None: ...

    def track(self, rendition: Rendition, track: Track) -> None: ...

    def end_track(self, rendition: Rendition) -> None: ...

    def resume(self, position: int) -> None: ...

    def drain(self) -> None: ...
