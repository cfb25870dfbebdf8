"""What `--fault` says, and which parts are hit."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from headwater.loadtest.badserver.faults import MAX_FAULTS, Fault, FaultError, Faults, Kind, parse


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("part-delay=200", Fault(Kind.PART_DELAY, 200)),
        ("status=404,share=0.1", Fault(Kind.STATUS, 404, 0.1)),
        ("freeze,from=4,to=7.5", Fault(Kind.FREEZE, 0, 1, 4_000, 7_500)),
        ("early,to=3", Fault(Kind.EARLY, 0, 1, 0, 3_000)),
        ("pace=0.9", Fault(Kind.PACE, 0.9)),
        ("drift=-250", Fault(Kind.DRIFT, -250)),
    ],
)
def test_a_text_is_read(text: str, fault: Fault) -> None:
    assert parse(text) == fault


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("late=3", "unknown fault 'late'"), ("", "unknown fault"), ("status", "'' is not a number"),
        ("status=200", "between 400 and 599"), ("part-delay=nan", "not a number"), ("reset=1", "takes no amount"),
        ("reset,share=0", "share is"), ("reset,share=2", "share is"), ("reset,often=1", "unknown option 'often'"),
        ("reset,from=2,to=2", "from comes before to"), ("freeze", "needs to="), ("freeze,to=1,share=0.5", "no share"),
        ("pace=2,share=0.5", "whole run"), ("drift=5,from=1", "whole run"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_said(text: str, reason: str) -> None:
    with pytest.raises(FaultError, match=reason):
        parse(text)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.25, 0.5, 0.9])
def test_a_share_is_exact_over_any_stretch(share: float) -> None:
    fault = Fault(Kind.STATUS, 404, share)
    for start in (0, 3_591_501_068):
        for count in (40, 100, 400):
            hit = sum(fault.hits(number, 1) for number in range(start, start + count))
            assert hit == pytest.approx(share * count, abs=2)


def test_time_bounds_a_fault() -> None:
    fault = parse("reset,from=1,to=2")
    assert [fault.hits(7, ms) for ms in (-500, 0, 999, 1_000, 1_999, 2_000)] == [False] * 3 + [True, True, False]
    assert not Fault(Kind.RESET).hits(7, 0)
    assert Fault(Kind.RESET).end_ms == math.inf


def test_several_faults_together() -> None:
    faults = Faults.of(["part-delay=100,to=1", "part-delay=300", "freeze,from=5,to=7", "freeze,from=6,to=9", "pace=2"])
    found = [faults.on(1, ms, Kind.PART_DELAY, Kind.STALL) for ms in (1, 1_000)]
    assert [fault and fault.amount for fault in found] == [100, 300]
    assert faults.on(1, 1, Kind.STALL) is None
    assert [faults.frozen_until(ms) for ms in (4_999, 5_000, 6_500, 8_000, 9_000)] == [
        4_999,
        7_000,
        9_000,
        9_000,
        9_000,
    ]
    assert faults.whole(Kind.PACE, 1) == 2
    assert faults.whole(Kind.DRIFT, 0) == 0
    with pytest.raises(FaultError, match="more than"):
        Faults.of(["reset"] * (MAX_FAULTS + 1))


def test_the_documentation_has_every_kind() -> None:
    page = (Path(__file__).parents[4] / "docs" / "badserver.md").read_text()
    assert set(re.findall(r"^\| `([a-z-]+)", page, re.MULTILINE)) == set(Kind)
