"""Boundaries and delays of what was heard."""

from __future__ import annotations

import pytest

from headwater.loadtest.bench.capture import Heard, HeardPart, added_delays, common, misalignment_s, percentile


def heard(name: str, *, off: float = 0.0, late: float = 0.0, segments: int = 4, length: float = 0.5) -> Heard:
    """Segments of four parts; stream time and arrival are moved by `off` and `late`."""
    found = Heard(name)
    for msn in range(segments):
        for index in range(4):
            start = (4 * msn + index) * length + off
            found.parts.append(HeardPart(msn, index, start, start + length, 15, start + length + late))
    return found


def test_whole_segments_have_their_first_and_their_last_part() -> None:
    one = heard("720p")
    assert sorted(one.whole()) == [0, 1, 2]  # the last may still be open
    del one.parts[0]
    assert sorted(one.whole()) == [1, 2]
    one.gaps.append((2, 1))
    assert sorted(one.whole()) == [1]


def test_boundaries_are_compared_in_segments_that_all_have() -> None:
    both = {"source": heard("source"), "720p": heard("720p", off=0.002)}
    assert common(both) == [0, 1, 2]
    assert misalignment_s(both) == pytest.approx(0.002)
    both["720p"].gaps.append((1, 0))
    assert common(both) == [0, 2]


def test_nothing_in_common_is_no_alignment() -> None:
    both = {"source": heard("source", segments=2), "720p": heard("720p")}
    both["720p"].parts = [part for part in both["720p"].parts if part.msn > 1]
    assert misalignment_s(both) == float("inf")


def test_delay_is_between_parts_with_the_same_end() -> None:
    found = added_delays(heard("source", late=0.01), heard("720p", late=0.05, off=0.003), settle=0)
    assert found == pytest.approx([0.043] * 16)
    assert len(added_delays(heard("source"), heard("720p"))) == 8


def test_parts_without_a_counterpart_have_no_delay() -> None:
    rung = heard("720p", late=0.02)
    assert added_delays(heard("source", off=0.1), rung, settle=0) == []
    del rung.parts[5]
    assert len(added_delays(heard("source"), rung, settle=0)) == 15


def test_order_of_time_is_kept_where_it_is_wanted() -> None:
    rung = heard("720p")
    rung.parts = [HeardPart(p.msn, p.index, p.start, p.end, 15, p.arrived + 1 / (1 + p.end)) for p in rung.parts]
    in_time = added_delays(heard("source"), rung, settle=0, ordered=False)
    assert in_time == sorted(in_time, reverse=True)
    assert added_delays(heard("source"), rung, settle=0) == sorted(in_time)


def test_percentiles() -> None:
    values = [float(n) for n in range(100)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile([1.0], 0.99) == 1
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)
