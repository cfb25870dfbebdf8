from __future__ import annotations

import json

import pytest
from tests.status_kit import make_status

from headwater.config.status import Series, growth, quantile, stages

COUNT: Series = ("c", (("a", "b"),))


@pytest.mark.parametrize(
    ("now", "before", "grown"),
    [({COUNT: 5.0}, {COUNT: 2.0}, 3.0), ({COUNT: 5.0}, {}, 5.0), ({COUNT: 1.0}, {COUNT: 9.0}, 1.0), ({}, {}, 0.0)],
)
def test_growth(now: dict[Series, float], before: dict[Series, float], grown: float) -> None:
    assert growth(now, before, COUNT) == grown


def test_quantiles_as_prometheus_counts_them() -> None:
    buckets = [(0.1, 10.0), (0.2, 10.0), (0.4, 20.0), (float("inf"), 20.0)]
    assert quantile(buckets, 0.25) == pytest.approx(0.05)
    assert quantile(buckets, 0.5) == pytest.approx(0.1)
    assert quantile(buckets, 0.75) == pytest.approx(0.3)
    assert quantile([(0.1, 0.0), (float("inf"), 3.0)], 0.5) == 0.1
    assert quantile([(0.1, 0.0), (float("inf"), 0.0)], 0.5) is None
    assert quantile([], 0.5) is None


def test_stages_are_what_came_between_two_looks() -> None:
    def series(stage: str, le: str) -> Series:
        return ("s_bucket", (("le", le), ("stage", stage)))

    now = {series("origin", "0.1"): 8.0, series("origin", "+Inf"): 10.0, series("encode", "+Inf"): 0.0}
    before = {series("origin", "0.1"): 8.0, series("origin", "+Inf"): 8.0}
    first, second = stages(now, before, "s")
    assert (first.stage, first.count, first.p50_s) == ("origin", 2, 0.1)
    assert (second.stage, second.count, second.p50_s) == ("encode", 0, None)


def test_a_status_is_plain_data() -> None:
    told = json.loads(json.dumps(make_status().to_json()))
    assert told["streams"][0]["renditions"][1] == {
        "name": "audio", "state": "following", "detail": "", "viewers": None, "bitrate": None,
    }  # fmt: skip
    assert told["upstream"]["well"] is True
