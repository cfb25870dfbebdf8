"""Who comes when: exact counts, shares, churn, and what chance does over many."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from random import Random
from typing import Any

import pytest

from headwater.loadtest.generator.plan import Arrival
from headwater.loadtest.records import ViewerClass
from headwater.loadtest.scenario import arrivals as module
from headwater.loadtest.scenario.arrivals import TooMany, arrivals_of, divided, moments, shares, spans
from headwater.loadtest.scenario.settings import Constant, Flash, Poisson, Ramp, Scenario


def scenario(*phases: dict[str, Any], **rest: Any) -> Scenario:
    named = tuple({"name": f"phase {number}", **phase} for number, phase in enumerate(phases))
    return Scenario.model_validate({"phases": named, **rest})


def present(arrivals: tuple[Arrival, ...], at: float) -> int:
    return sum(one.at <= at and (one.stay_s is None or one.at + one.stay_s > at) for one in arrivals)


@pytest.mark.parametrize(("rate", "seconds", "count"), [(10, 60, 600), (0.5, 10, 5), (0.1, 5, 0), (333.3, 3, 999)])
def test_a_constant_rate_is_exact_and_even(rate: float, seconds: float, count: int) -> None:
    times = moments(Constant(kind="constant", rate=rate), seconds, Random(1))
    assert len(times) == count
    assert all(0 <= time < seconds for time in times)
    assert all(late - early == pytest.approx(1 / rate) for early, late in itertools.pairwise(times))


@pytest.mark.parametrize(("first", "last", "count"), [(0, 100, 500), (100, 0, 500), (20, 40, 300), (0, 0, 0)])
def test_a_ramp_has_the_area_below_it(first: float, last: float, count: int) -> None:
    times = moments(Ramp(kind="ramp", rate_from=first, rate_to=last), 10, Random(1))
    assert len(times) == count
    assert times == sorted(times)
    middle = first + (last - first) / 2
    half = sum(time < 5 for time in times)
    assert half == pytest.approx((first + middle) / 2 * 5, abs=1)


def test_poisson() -> None:
    times = moments(Poisson(kind="poisson", rate=50), 200, Random(7))
    gaps = [late - early for early, late in itertools.pairwise(times)]
    assert len(times) == pytest.approx(10_000, rel=0.03)
    assert statistics.mean(gaps) == pytest.approx(0.02, rel=0.03)
    assert statistics.stdev(gaps) == pytest.approx(0.02, rel=0.05)  # exponential: as large as the mean
    per_second = Counter(map(int, times))
    assert statistics.variance(per_second[second] for second in range(200)) == pytest.approx(
        50, rel=0.25
    )  # as large as the mean, too


def test_a_flash_crowd_is_all_there() -> None:
    times = moments(Flash(kind="flash", viewers=20_000, at_s=5, for_s=10), 60, Random(1))
    assert len(times) == 20_000
    assert 5 <= times[0] < 5.1
    assert 14.9 < times[-1] <= 15
    assert sum(time < 10 for time in times) == pytest.approx(10_000, rel=0.03)


def test_a_part_of_a_phase() -> None:
    times = moments(Constant(kind="constant", rate=10, at_s=3, for_s=2), 60, Random(1))
    assert len(times) == 20
    assert 3 < times[0] < times[-1] < 5
    assert len(moments(Constant(kind="constant", rate=10, at_s=58), 60, Random(1))) == 20


def test_phases_follow_each_other() -> None:
    plan = scenario(
        {"duration_s": 10, "arrivals": [{"kind": "constant", "rate": 5}]},
        {"duration_s": 5},
        {"duration_s": 10, "arrivals": [{"kind": "flash", "viewers": 7, "for_s": 1}, {"kind": "constant", "rate": 1}]},
    )
    assert [(span.start, span.end) for span in spans(plan)] == [(0, 10), (10, 15), (15, 25)]
    found = arrivals_of(plan)
    assert [one.at for one in found] == sorted(one.at for one in found)
    assert sum(one.at < 10 for one in found) == 50
    assert sum(10 <= one.at < 15 for one in found) == 0
    assert sum(one.at >= 15 for one in found) == 17
    assert {one.stay_s for one in found} == {None}


def test_the_seed_decides() -> None:
    phase = {"duration_s": 10, "arrivals": [{"kind": "poisson", "rate": 20}]}
    first, again, other = (arrivals_of(scenario(phase, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_shares_are_kept_at_every_moment() -> None:
    classes = [ViewerClass("a", share=5), ViewerClass("b", share=3), ViewerClass("c", share=0.5)]
    drawn = list(itertools.islice(shares(classes), 850))
    for count in (1, 2, 17, 100, 850):
        for viewer in classes:
            found = sum(one is viewer for one in drawn[:count])
            assert abs(found - count * viewer.share / 8.5) < 1.01


def test_classes_of_a_phase() -> None:
    plan = scenario(
        {"duration_s": 10, "arrivals": [{"kind": "constant", "rate": 2}], "classes": ["b"]},
        {"duration_s": 10, "arrivals": [{"kind": "constant", "rate": 2}]},
        viewers=[{"name": "a"}, {"name": "b"}],
    )
    names = [one.viewer.name for one in arrivals_of(plan)]
    assert names[:20] == ["b"] * 20
    assert sorted(names[20:]) == ["a"] * 10 + ["b"] * 10


def test_leavers_are_replaced_at_once() -> None:
    plan = scenario(
        {"duration_s": 60, "arrivals": [{"kind": "flash", "viewers": 100, "for_s": 10}], "keep": 100},
        viewers=[{"watch_s": [5, 15]}],
    )
    found = arrivals_of(plan)
    assert len(found) > 500
    assert all(present(found, at) == 100 for at in range(10, 60))
    assert all(one.stay_s is None or 5 <= one.stay_s <= 15 for one in found)
    assert all(one.stay_s is not None or one.at >= 45 for one in found)  # who would stay longer stays to the end


def test_nobody_comes_beyond_what_is_kept() -> None:
    plan = scenario({"duration_s": 20, "arrivals": [{"kind": "constant", "rate": 50}], "keep": 30})
    assert len(arrivals_of(plan)) == 30


def test_fewer_are_kept_later() -> None:
    plan = scenario(
        {"duration_s": 20, "arrivals": [{"kind": "flash", "viewers": 50, "for_s": 1}], "keep": 50},
        {"duration_s": 40, "keep": 10},
        viewers=[{"watch_s": [5, 10]}],
    )
    found = arrivals_of(plan)
    assert present(found, 19) == 50
    assert present(found, 45) == 10


def test_who_leaves_unreplaced_is_gone() -> None:
    plan = scenario(
        {"duration_s": 30, "arrivals": [{"kind": "flash", "viewers": 50, "for_s": 1}]}, viewers=[{"watch_s": [5, 10]}]
    )
    found = arrivals_of(plan)
    assert len(found) == 50
    assert present(found, 29) == 0


def test_round_robin() -> None:
    found = arrivals_of(scenario({"duration_s": 10, "arrivals": [{"kind": "poisson", "rate": 30}]}))
    pieces = divided(found, 3)
    assert sorted((one for piece in pieces for one in piece), key=lambda one: one.at) == list(found)
    assert max(map(len, pieces)) - min(map(len, pieces)) <= 1


def test_there_is_an_end_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_VIEWERS", 5_000)
    with pytest.raises(TooMany):
        moments(Constant(kind="constant", rate=500), 11, Random(1))
    with pytest.raises(TooMany):
        arrivals_of(
            scenario(
                {"duration_s": 3_600, "arrivals": [{"kind": "flash", "viewers": 1_000, "for_s": 1}], "keep": 1_000},
                viewers=[{"watch_s": [1, 1.001]}],
            )
        )
