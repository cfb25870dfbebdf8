from __future__ import annotations

from tests.doctor_records import media, recording, rendition, rules

from headwater.loadtest.doctor.checks.parts import check

GOOD = media(parts=4, opened=2)


def found(*texts: str) -> set[int]:
    return rules(check, recording(rendition(*texts)))


def test_good_ones() -> None:
    assert found(GOOD, media(parts=4, opened=3)) == set()
    assert found(media()) == set()


def test_byte_ranges_that_overlap() -> None:
    ranges = GOOD
    for n in range(4):
        ranges = ranges.replace(f'"p107.{n}.m4s"', f'"s107.m4s",BYTERANGE="100@{n * 100}"')
    assert found(ranges) == set()
    assert found(ranges.replace("100@200", "100@150")) == {55}


def test_durations() -> None:
    assert found(GOOD.replace('1.000,URI="p107.1', '0.800,URI="p107.1')) == {43, 47}
    assert found(GOOD.replace('1.000,URI="p107.1', '0.960,URI="p107.1')) == set()
    assert found(GOOD.replace('1.000,URI="p108.0', '0.500,INDEPENDENT=YES,URI="p108.0')) == set()
    assert found(GOOD.replace('1.000,URI="p108.0', '0.500,URI="p108.0')) == {43}
    assert found(GOOD.replace('1.000,URI="p108.1', '0.500,URI="p108.1')) == set()
    assert found(GOOD.replace('1.000,URI="p108.1', '1.001,URI="p108.1')) == {42}
    gap = GOOD.replace('"p108.1.m4s"', '"p108.1.m4s",GAP=YES').replace('1.000,URI="p108.0', '0.100,URI="p108.0')
    assert found(gap) == set()


def test_hints() -> None:
    assert found(GOOD.replace("p108.2.m4s", "other.m4s"), media(parts=4, opened=3)) == {64}
    assert found(GOOD, media(parts=4, opened=3).replace("p108.2.m4s", "./p108.2.m4s")) == set()
    assert found("".join(line + "\n" for line in GOOD.split("\n") if line and "HINT" not in line)) == {61}
    assert found(GOOD + '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="x"\n') == {63}


def test_a_hint_over_the_end_of_a_segment() -> None:
    before = media(8, parts=4, opened=3)
    after = media(9, parts=4)
    assert found(before, after) == set()
