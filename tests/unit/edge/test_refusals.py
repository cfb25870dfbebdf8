"""One line per reason and second."""

from __future__ import annotations

from structlog.testing import capture_logs

from headwater.edge.refusals import RefusalLog


def test_a_flood_is_one_line_a_second() -> None:
    counts: dict[str, int] = {}
    refusals = RefusalLog(counts)
    with capture_logs() as lines:
        refusals.look(10.0)
        counts["held"] = 5_000
        refusals.look(10.5)
        assert lines == []
        refusals.look(11.0)
        counts["held"] += 1
        counts["target"] = 2
        refusals.look(11.9)
        refusals.look(12.0)
        refusals.look(13.0)
    said = [(line["reason"], line["requests"], line["log_level"]) for line in lines]
    assert said == [("held", 5_000, "warning"), ("held", 1, "warning"), ("target", 2, "warning")]


def test_what_is_usual_is_counted_and_not_said() -> None:
    counts = {"unwanted": 3, "reset": 1}
    watch = RefusalLog(counts, "fill-broken", usual=("unwanted",))
    with capture_logs() as lines:
        watch.look(1.0)
    assert [(line["event"], line["reason"]) for line in lines] == [("fill-broken", "reset")]
