from __future__ import annotations

import pytest
from tests.doctor_records import media, probe, recording, rendition, rules

from headwater.loadtest.doctor.checks.control import check
from headwater.loadtest.doctor.values import ProbeKind

GOOD = media(parts=4, opened=2)


def found(*texts: str) -> set[int]:
    return rules(check, recording(rendition(*texts)))


def test_good_ones() -> None:
    assert found(GOOD, media(parts=4, opened=3)) == set()
    assert found(media()) == set()


def test_few_segments_are_advice() -> None:
    assert found(media(5)) == {17}
    assert found(media(2)) == {18}
    assert found(media(5, first=100), media(2, first=103)) == {16}


def test_numbers_from_zero() -> None:
    report = '#EXT-X-RENDITION-REPORT:URI="a",LAST-MSN=0,LAST-PART=0'
    assert found(media(8, first=0, parts=4, opened=1, tail=report)) == {26}


def test_long_windows_without_deltas() -> None:
    assert found(media(40, parts=4, opened=1)) == {35}
    assert found(media(40)) == set()


def test_parts_of_a_frame() -> None:
    assert found(media(8, duration=0.4, target=1, parts=4, opened=1, part_target=0.1)) == {60}


def test_part_information_without_parts_or_blocking() -> None:
    text = GOOD.replace("CAN-BLOCK-RELOAD=YES,", "")
    assert found(text) == {38}
    bare = "".join(line + "\n" for line in text.split("\n") if line and "X-PART:" not in line)
    assert found(bare) == {27}


@pytest.mark.parametrize("value", ["CAN-SKIP-DATERANGES=YES", "CAN-SKIP-UNTIL=20"])
def test_skipping(value: str) -> None:
    assert found(GOOD.replace("CAN-BLOCK", f"{value},CAN-BLOCK")) == {31}


def test_a_round_trip_longer_than_a_part() -> None:
    record = rendition(GOOD)
    for n in range(6):
        one = probe(ProbeKind.PLAIN, GOOD, at=float(n))
        object.__setattr__(one.answer, "done", n + 1.2)
        record.probes.append(one)
    assert rules(check, recording(record)) == {34}


def test_values_that_come_and_go() -> None:
    assert found(GOOD, GOOD.replace("PART-HOLD-BACK=3.000", "PART-HOLD-BACK=3.100")) == {10}
    assert found(media(), media(target=5)) == {9}
