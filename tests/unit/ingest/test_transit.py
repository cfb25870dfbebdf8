from __future__ import annotations

from headwater.config.stages import StageTime
from headwater.ingest.media import Rendition, Sample, StreamEnded, StreamEvent
from headwater.ingest.transit import MOST_UNDER_WAY, Transit


class Sink:
    def __init__(self) -> None:
        self.written: list[tuple[StreamEvent, float]] = []

    def write(self, event: StreamEvent, now: float) -> None:
        self.written.append((event, now))


def sample(rendition: str, arrived: float) -> Sample:
    return Sample(Rendition(rendition), 0, 0, 1, True, True, b"", arrived)


def test_what_the_ladder_makes_is_timed_from_when_it_was_given() -> None:
    sink, time = Sink(), StageTime()
    transit = Transit(sink, time)
    transit.given(sample("source", 5.0), 5.1)
    for rung in ("720p", "480p"):
        transit.write(sample(rung, 5.0), 5.4)
    assert time.count == 2
    assert abs(time.sum - 0.6) < 1e-9
    assert [now for _, now in sink.written] == [5.4, 5.4]


def test_what_no_packet_stands_behind_is_not_timed() -> None:
    sink, time = Sink(), StageTime()
    transit = Transit(sink, time)
    transit.write(sample("720p", 0.0), 5.4)
    transit.write(StreamEnded(), 5.5)
    assert time.count == 0
    assert len(sink.written) == 2


def test_a_ladder_that_takes_nothing_out_costs_no_memory() -> None:
    time = StageTime()
    transit = Transit(Sink(), time)
    for number in range(2 * MOST_UNDER_WAY):
        transit.given(sample("source", float(number)), number + 0.1)
    transit.write(sample("720p", 1.0), 1e6)
    assert time.count == 0
    transit.write(sample("720p", 2.0 * MOST_UNDER_WAY - 1), 2.0 * MOST_UNDER_WAY)
    assert time.count == 1
