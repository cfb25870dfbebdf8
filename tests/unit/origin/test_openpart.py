"""The durations that a part may have."""

from __future__ import annotations

import pytest

from headwater.ingest.media import Rendition, Sample
from headwater.origin.openpart import OpenPart, PartLimits

LIMITS = PartLimits.of(520_000, 90_000)


def sample(time: int, *, independent: bool = False) -> Sample:
    return Sample(Rendition("source"), time, time + 10, 3_000, False, independent, b"x", time / 90_000)


def test_limits_are_exact_ticks() -> None:
    assert PartLimits(90_000, longest=46_800, shortest=39_780, min_gap=1_800) == LIMITS
    assert PartLimits.of(520_000, 44_100).longest == 22_932
    assert PartLimits.of(333_000, 48_000) == PartLimits(48_000, longest=15_984, shortest=13_632, min_gap=960)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000, 90_000])
def test_no_printed_duration_is_outside_what_the_rules_allow(rate: int) -> None:
    for milliseconds in range(200, 2_001):
        limits = PartLimits.of(milliseconds * 1_000, rate)
        assert float(f"{limits.longest / rate:.3f}") <= milliseconds / 1_000
        assert float(f"{limits.shortest / rate:.3f}") * 1_000 >= milliseconds * 0.85 - 1e-9


def test_an_end_is_kept_within_the_limits() -> None:
    part = OpenPart()
    part.add(0, sample(0))
    part.add(30_000, sample(30_000))
    assert part.end(40_000, LIMITS, may_be_short=False) == 40_000
    assert part.end(50_000, LIMITS, may_be_short=False) == 46_800  # rule 42
    assert part.end(33_000, LIMITS, may_be_short=False) == 39_780  # rule 43
    assert part.end(33_000, LIMITS, may_be_short=True) == 33_000
    assert part.end(0, LIMITS, may_be_short=True) == 30_001
    assert part.crosses(46_801, LIMITS) and not part.crosses(46_800, LIMITS)


def test_an_independent_part_may_be_short() -> None:
    part = OpenPart()
    part.add(0, sample(0, independent=True))
    assert part.independent
    assert part.end(3_000, LIMITS, may_be_short=False) == 3_000


def test_sample_durations_add_up_to_the_declared_end() -> None:
    part = OpenPart()
    for time in (0, 2_900, 6_100):
        part.add(time, sample(time))
    samples = part.samples(9_000)
    assert [one.duration for one in samples] == [2_900, 3_200, 2_900]
    assert [one.offset for one in samples] == [10, 10, 10]
    assert (part.start, part.last, part.arrived, len(part)) == (0, 6_100, 6_100 / 90_000, 3)
