"""Metrics of the ladders. Values are read when Prometheus asks; the series of a stream go with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from headwater.ingest.media import LadderState
from headwater.ingest.series import LiveSeries

from .host import Ladder

PREFIX = "headwater_encode_"

_GAUGES: tuple[tuple[str, str, Callable[[Ladder], float]], ...] = (
    ("speed", "Seconds of media per second of encoding; 0: not known.", lambda ladder: ladder.speed),
    ("lag_seconds", "Age of the oldest source sample that is not encoded yet.", lambda ladder: ladder.lag_s),
    ("level", "How much quality an overloaded ladder gives up; 0: none.", lambda ladder: ladder.level),
    ("resident_bytes", "Memory of the encoder process.", lambda ladder: ladder.crew.resident_bytes),
    ("queue_bytes", "Source bytes that wait for the encoder process.", lambda ladder: ladder.crew.waiting_bytes),
    ("queue_messages", "Messages that wait for the encoder process.", lambda ladder: ladder.crew.waiting_messages),
    ("up", "1 while the ladder runs.", lambda ladder: ladder.state is LadderState.RUNNING),
)
_COUNTERS: tuple[tuple[str, str, Callable[[Ladder], float]], ...] = (
    ("cpu_seconds", "CPU of the encoder processes.", lambda ladder: ladder.numbers.cpu_s),
    ("frames", "Pictures delivered, of all rungs.", lambda ladder: ladder.numbers.frames),
    ("frames_duplicated", "Frames of the grid that repeat one.", lambda ladder: ladder.numbers.duplicated),
    ("frames_dropped", "Source frames without a place on the grid.", lambda ladder: ladder.numbers.dropped),
    ("decode_errors", "Source packets that the decoder refused.", lambda ladder: ladder.numbers.errors),
    ("skips", "Jumps over what was too late.", lambda ladder: ladder.numbers.skips),
)


class EncodeMetrics(LiveSeries):
    """All metrics of ladders.

    Args:
        registry: where they are registered.
        ladders: those there are now.
    """

    def __init__(self, registry: CollectorRegistry, ladders: Callable[[], Iterable[Ladder]]) -> None:
        self._ladders = ladders
        self.refused = Counter(
            f"{PREFIX}refused", "Ladders that were not made for want of capacity.", registry=registry
        )
        super().__init__(registry)

    def collect(self) -> Iterator[Metric]:
        """The series of every stream that has a ladder."""
        ladders = [ladder for ladder in self._ladders() if ladder.plan is not None]
        for name, text, read in _GAUGES:
            gauge = GaugeMetricFamily(PREFIX + name, text, labels=["stream"])
            for ladder in ladders:
                gauge.add_metric([ladder.name], float(read(ladder)))
            yield gauge
        for name, text, read in _COUNTERS:
            counter = CounterMetricFamily(PREFIX + name, text, labels=["stream"])
            for ladder in ladders:
                counter.add_metric([ladder.name], read(ladder))
            yield counter
        yield from _labelled(ladders)


def _labelled(ladders: list[Ladder]) -> Iterator[Metric]:
    restarts = CounterMetricFamily(
        f"{PREFIX}restarts", "Encoder processes that were lost.", labels=["stream", "reason"]
    )
    changes = CounterMetricFamily(
        f"{PREFIX}level_changes", "Steps of the level.", labels=["stream", "direction", "reason"]
    )
    holes = CounterMetricFamily(
        f"{PREFIX}holes", "Stretches of a rendition that are GAP.", labels=["stream", "rendition"]
    )
    for ladder in ladders:
        for fault, count in ladder.crew.restarts.items():
            restarts.add_metric([ladder.name, fault.value], count)
        for (direction, reason), count in ladder.numbers.changes.items():
            changes.add_metric([ladder.name, direction, reason], count)
        for rendition, count in ladder.holes.items():
            holes.add_metric([ladder.name, rendition], count)
    yield from (restarts, changes, holes)
