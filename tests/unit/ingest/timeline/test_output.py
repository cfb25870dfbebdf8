"""Numbers of a stream and the epoch that keeps them."""

from __future__ import annotations

import pytest

from headwater.ingest.media import Cut, Rendition, StreamEnded, StreamStarted, TrackEnded
from headwater.ingest.timeline.model import Epoch
from headwater.ingest.timeline.output import Output

SAVED = Epoch(7, 2, 90_000, 1_000_000, 4, 520_000)


def test_before_the_start_the_epoch_is_the_earlier_one() -> None:
    assert Output(None).epoch is None
    output = Output(SAVED)
    assert output.epoch == SAVED
    output.end()
    assert output.ended and output.epoch is not None and output.epoch.ended


def test_the_epoch_is_above_all_that_was_said() -> None:
    output = Output(SAVED)
    output.start(7, 2, 4, 520_000, 600_000)
    output.cut(180_000, 2_000_000, False)
    output.cut(360_000, 4_000_000, True)
    output.emit(TrackEnded(Rendition("audio")))
    events = output.take()
    assert events[:3] == [
        StreamStarted(4, 520_000, 2, 600_000),
        Cut(7, 180_000, 2_000_000),
        Cut(8, 360_000, 4_000_000, True),
    ]
    assert output.take() == []
    epoch = output.epoch
    assert epoch is not None
    assert (epoch.next_msn, epoch.discontinuity_sequence, epoch.date_us) == (9, 3, 4_000_000)
    assert epoch.late_us == 600_000
    assert epoch.end / 90_000 == pytest.approx(4 + 4 + 7)
    assert (output.counters.cuts, output.counters.discontinuities) == (2, 1)
    output.end()
    assert output.take() == [StreamEnded()]
    assert output.epoch is not None and output.epoch.ended
