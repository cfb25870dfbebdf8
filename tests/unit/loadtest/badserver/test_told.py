"""The account of what was done."""

from __future__ import annotations

import json

from headwater.loadtest.badserver.faults import Faults, Kind
from headwater.loadtest.badserver.schedule import Schedule
from headwater.loadtest.badserver.shape import Shape
from headwater.loadtest.badserver.told import Told


def test_what_was_done_is_counted() -> None:
    faults = Faults.of(["status=404,share=0.5", "part-delay=100,from=1"])
    told = Told(faults)
    schedule = Schedule(Shape(500), faults, 1_700_000_000_000)
    for _ in range(40):
        number = schedule.list_next()
        told.list(number, schedule.since_start(number))
    told.answer("404 part", Kind.STATUS)
    told.answer("200 part", None)
    report = told.report(schedule, 1_700_000_020_000)
    assert report["listed"] == 40
    assert report["hit"] == {Kind.STATUS: 20, Kind.PART_DELAY: 39}
    assert report["answers"] == {"404 part": 1, "200 part": 1}
    assert report["done"] == {Kind.STATUS: 1}
    assert (report["start"], report["now"], report["part_s"]) == (1_700_000_000, 1_700_000_020, 0.5)
    assert json.loads(json.dumps(report))["faults"][1]["kind"] == "part-delay"
