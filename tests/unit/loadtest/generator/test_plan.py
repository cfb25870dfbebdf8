"""The plan of a generator process: JSON and back."""

from __future__ import annotations

import json

import pytest

from headwater.loadtest.generator.plan import Arrival, GeneratorPlan
from headwater.loadtest.records import ClockOffset, Mode, ViewerClass
from headwater.loadtest.records_json import RecordError

PHONES, BOXES = ViewerClass("phones", Mode.SAFARI), ViewerClass("boxes", Mode.LEGACY)
PLAN = GeneratorPlan(
    process=2,
    url="http://127.0.0.1:8080/live/a/index.m3u8",
    seed=5,
    epoch_monotonic_wall=1_800_000_000.5,
    clock=ClockOffset(0.01, 0.002, "Date"),
    duration_s=60.0,
    arrivals=(Arrival(0.5, PHONES, None), Arrival(0.75, BOXES, 12.5), Arrival(1.0, PHONES, 3.0)),
    source_addresses=("127.0.0.2", "127.0.0.3"),
    http2=True,
)


def test_a_plan_comes_back_as_it_was() -> None:
    assert GeneratorPlan.from_json(PLAN.to_json()) == PLAN


def test_classes_are_written_once() -> None:
    """Twenty thousand arrivals stay below a megabyte."""
    crowd = GeneratorPlan(
        process=0,
        url="http://h/",
        seed=0,
        epoch_monotonic_wall=0.0,
        clock=PLAN.clock,
        duration_s=1.0,
        arrivals=tuple(Arrival(i / 1000, PHONES, None) for i in range(20_000)),
    )
    text = crowd.to_json()
    assert text.count("phones") == 1
    assert len(text) < 1_000_000


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"arrivals": [[0.5, 2, None]]}, "a class of viewers that is not there"),
        ({"arrivals": [[0.5, -1, None]]}, "a class of viewers that is not there"),
        ({"arrivals": None}, "not an array"),
        ({"classes": [{"name": 1}]}, r"\[0\]\.name"),
        ({"seed": "x"}, "seed: not an integer"),
        ({"speed": 1}, "unknown field 'speed'"),
    ],
)
def test_wrong_plans_are_refused(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(RecordError, match=complaint):
        GeneratorPlan.from_json(json.dumps(json.loads(PLAN.to_json()) | change))


@pytest.mark.parametrize("text", ["", "[]", "7", "nonsense"])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(RecordError):
        GeneratorPlan.from_json(text)
