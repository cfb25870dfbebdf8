from __future__ import annotations

import dataclasses

import pytest
from tests.results_kit import run

from headwater.loadtest.records import Protocol
from headwater.loadtest.results import RunResult, compare
from headwater.loadtest.results.compare import warnings


@pytest.fixture(scope="module")
def base() -> RunResult:
    return run(12, samples=8)


def row(table: str, name: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if line.startswith(f"| {name} ")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_a_run_is_the_same_as_itself(base: RunResult) -> None:
    report = compare(base, base)
    assert "WARNING" not in report
    assert "WORSE" not in report
    assert "better " in report, "which direction is"
    assert row(report, "part p99")[2:] == ["+0 ms", "1.00", "less", "the same"]


def test_slower_is_worse_and_faster_is_better(base: RunResult) -> None:
    slower = run(12, samples=8, slow=2.0)
    a, b, difference, ratio, better, verdict = row(compare(base, slower), "part p50")
    assert (ratio, better, verdict) == ("2.00", "less", "WORSE")
    assert difference.startswith("+")
    assert a != b
    assert row(compare(slower, base), "part p50")[3:] == ["0.50", "less", "better"]
    assert row(compare(base, slower), "flash crowd: part p99")[5] == "WORSE"


def test_more_traffic_is_better_and_more_viewers_are_neither(base: RunResult) -> None:
    report = compare(base, run(12, samples=8, crowd=8000))
    assert row(report, "delivered")[4:] == ["more", "better"]
    assert row(report, "viewers, most")[4:] == ["", ""]


def test_what_the_generator_could_not_measure_is_not_proven(base: RunResult) -> None:
    fast = run(12, samples=8, slow=0.05)
    cells = row(compare(base, fast), "first_byte p50")
    assert cells[1].endswith("(!)")
    assert cells[5] == "not proven"


def test_figures_of_one_run_alone_have_no_verdict(base: RunResult) -> None:
    alone = dataclasses.replace(base, server=())
    assert row(compare(base, alone), "origin requests per part") == ["1.5", "–", "–", "–", "less", "–"]


def test_runs_that_do_not_compare_are_told(base: RunResult) -> None:
    other = dataclasses.replace(
        base,
        machine=dataclasses.replace(base.machine, cores=64),
        scenario="another <one>",
        seconds=60.0,
        invalid=("process 0 was busy",),
    )
    assert warnings(base, other) == [
        "B is invalid: process 0 was busy",
        "the generators ran on different machines or Python versions",
        "the scenarios differ: flash crowd and a lost edge and another \\<one>",
        "the runs are 12.0 s and 60.0 s long",
    ]
    assert compare(base, other).count("WARNING: ") == 4
    assert warnings(base, dataclasses.replace(base, phases=base.phases[:1])) == ["the phases differ"]
    assert warnings(base, base) == []
    assert warnings(base, dataclasses.replace(base, protocol=Protocol.HTTP2)) == ["the viewers spoke http/1.1 and h2"]
