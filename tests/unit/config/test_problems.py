"""Each rule has its words; what is well has none."""

from __future__ import annotations

import pytest

from headwater.config.problems import MOST, RULES, Rule, find
from headwater.config.status import Series
from headwater.edge.message import Failure

LABELS = dict.fromkeys(
    ("stream", "rendition", "reason", "rule", "result", "purpose", "outcome", "protocol", "kind", "worker", "cause"),
    "x",
)


def series(rule: Rule) -> Series:
    labels = {**LABELS, **{label: min(values) for label, values in rule.only.items()}}
    return (rule.metric, tuple(sorted(labels.items())))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.metric)
def test_a_rule_fires_and_rests(rule: Rule) -> None:
    bad = 0.0 if rule.below is not None else rule.above + 1
    (problem,) = find({series(rule): bad}, {})
    assert "{" not in problem.what
    assert problem.do
    assert problem.severity == rule.severity
    if rule.below is not None:
        assert not find({series(rule): 1.0}, {})
    elif rule.grows:
        assert not find({series(rule): 7.0}, {series(rule): 7.0})
    else:
        assert not find({series(rule): rule.above}, {})


def test_every_failure_of_an_upstream_is_one() -> None:
    (rule,) = (rule for rule in RULES if rule.metric == "headwater_edge_upstream_fetches_total")
    assert rule.only["result"] == {"5xx", *(failure.name.lower() for failure in Failure)}


def test_labels_that_are_well_are_no_problem() -> None:
    fetched = ("headwater_edge_upstream_fetches_total", (("purpose", "object"), ("result", "2xx")))
    assert not find({fetched: 100.0}, {})


def test_the_worst_come_first_and_not_too_many() -> None:
    now: dict[Series, float] = {
        ("headwater_edge_refused_total", (("reason", f"r{number}"),)): 5.0 for number in range(30)
    }
    now["headwater_ingest_has_publisher", (("stream", "x"),)] = 0.0
    found = find(now, {})
    assert len(found) == MOST
    assert found[0].severity == "bad"
    assert found[0].what == "Stream x has no publisher"


def test_one_and_many() -> None:
    errors: Series = ("headwater_ingest_state_errors_total", ())
    assert find({errors: 1.0}, {})[0].what.endswith("1 time")
    assert find({errors: 2.0}, {})[0].what.endswith("2 times")
