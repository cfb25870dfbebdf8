"""Tables of the load benchmarks, from figures that are given."""

from __future__ import annotations

from headwater.loadtest.bench.load import ORIGIN, Capacity, Compared, capacity_report, compare_report
from headwater.loadtest.bench.load import _rate as rate
from headwater.loadtest.records import Count, PhaseSpan, Tick, Timing
from headwater.loadtest.results.figures import Figures, figures_of
from headwater.loadtest.results.histograms import Histogram


def figures(*, lag_us: int = 100, delay_us: int = 2_000, errors: dict[str, int] | None = None) -> Figures:
    delays = Histogram.of([delay_us] * 98 + [30_000] * 2).encode()
    tick = Tick(
        0, 0, 8_000, 8_000, {Count.PARTS: 8_000, Count.PLAYLISTS: 8_010, Count.STALLS: 3}, errors or {},
        {Timing.PART: delays}, cpu=0.5, lag_us=lag_us, lag_p99_us=lag_us,
    )  # fmt: skip
    return figures_of(PhaseSpan("span", 0, 1), [tick], ())


def test_capacity_says_whether_it_holds() -> None:
    lines = capacity_report(Capacity(8_000, figures(), (), 4.25, 0.61))
    for line in (
        "| viewers | 8000 |", "| requests per second | 16010 |", "| memory per viewer, KiB | 4.2 |",
        "| part delay p50 / p99, ms | 2.0 / 30.0 |", "| playlist delay p50 / p99, ms | - / - |", "| valid | yes |",
        "| stalls, fatal, errors | 3, 0, 0 |",
    ):  # fmt: skip
        assert line in lines, lines
    busy = capacity_report(Capacity(8_000, figures(lag_us=900), ("too many",), 4.25, 0.61))
    assert "| part delay p50 / p99, ms | 2.0? / 30.0 |" in busy
    assert "| valid | no: too many |" in busy


def test_caches_stand_beside_each_other_above_the_origin_alone() -> None:
    late = figures(errors={"status 404 part": 2}, delay_us=12_000)
    found = [Compared(ORIGIN, figures(), (), 0.5, 0.1), Compared("nginx", late, ("too many",), 2.084, 0.456)]
    lines = compare_report(found)
    assert lines[2] == "| the origin alone | 0.0? / 28.0 | - / - | 3 | 0 | 0.50 | 0.10 | yes |"
    assert lines[3] == "| nginx | 10.0 / 28.0 | - / - | 3 | 2 status 404 part | 2.08 | 0.46 | no: too many |"
    assert {line.count("|") for line in lines} == {9}


def test_a_rate_is_of_its_span() -> None:
    assert rate([(0, 0), (1, 5), (2, 6), (4, 8), (5, 99)], 1, 4) == 1.0
