from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.loadtest.results import series
from headwater.loadtest.results.series import Tally

PAGE = """# HELP headwater_origin_parts_total Parts
# TYPE headwater_origin_parts_total counter
headwater_origin_parts_total{{rendition="source",stream="a"}} {parts}
headwater_origin_parts_total{{rendition="audio",stream="a"}} {parts}
headwater_origin_gap_parts_total{{rendition="source",stream="a"}} {gaps}
headwater_origin_responses_total{{route="file",status="200"}} {asked}
headwater_origin_responses_total{{route="media playlist",status="200"}} 1e6
headwater_edge_upstream_fetches_total{{purpose="object",result="2xx"}} {asked}
headwater_edge_upstream_fetches_total{{purpose="prefetch",result="2xx"}} {asked}
headwater_edge_upstream_fetches_total{{purpose="playlist",result="2xx"}} 1000
process_cpu_seconds_total {cpu}
process_resident_memory_bytes 1.5e+08
headwater_edge_connections 12
headwater_origin_streams{{state="live"}} 2
"""


def page(parts: float, asked: float = 0, cpu: float = 0, gaps: float = 0) -> str:
    return PAGE.format(parts=parts, asked=asked, cpu=cpu, gaps=gaps)


def test_levels_and_increases() -> None:
    tally = Tally()
    tally.take("origin", page(100, 50, 10.0), 1.0)
    first = tally.values()
    assert "cpu" not in first, "a rate needs two samples"
    assert (first["memory"], first["parts"], first["headwater_edge_connections"], first["up"]) == (1.5e8, 0, 12, 1)
    tally.take("origin", page(104, 62, 11.0), 3.0)
    values = tally.values()
    assert values["cpu"] == 0.5
    assert values["parts"] == 8, "of both renditions"
    assert values["origin_requests"] == 12, "files, not playlists"
    assert values["edge_fetches"] == 24
    assert values["headwater_origin_responses_total"] == 12


def test_parts_that_are_listed_as_gap_are_not_parts() -> None:
    tally = Tally()
    tally.take("origin", page(100, gaps=50), 1.0)
    tally.take("origin", page(110, gaps=53), 2.0)
    assert tally.values()["parts"] == 17


def test_a_sample_right_after_another_keeps_the_share_of_cpu() -> None:
    tally = Tally()
    for now, cpu in ((1.0, 10.0), (2.0, 10.5), (2.01, 10.5)):
        tally.take("a", page(0, cpu=cpu), now)
    assert tally.values()["cpu"] == 0.5


def test_processes_are_added_up_and_the_lost_one_keeps_its_counters() -> None:
    tally = Tally()
    for source in ("a", "b"):
        tally.take(source, page(0), 1.0)
        tally.take(source, page(5), 2.0)
    assert (tally.values()["parts"], tally.values()["memory"], tally.values()["up"]) == (20, 3e8, 2)
    tally.lost("b")
    assert (tally.values()["parts"], tally.values()["memory"], tally.values()["up"]) == (20, 1.5e8, 1)


def test_a_restart_does_not_take_anything_away() -> None:
    tally = Tally()
    tally.take("a", page(100, cpu=50), 1.0)
    tally.take("a", page(110, cpu=51), 2.0)
    tally.take("a", page(3, cpu=0.5), 3.0)
    values = tally.values()
    assert values["parts"] == 2 * (10 + 3)
    assert values["cpu"] == 0.5


def test_a_series_that_appears_later_counts_from_zero() -> None:
    tally = Tally()
    tally.take("a", "", 1.0)
    tally.take("a", 'headwater_edge_refused_total{reason="x"} 7\n', 2.0)
    assert tally.values()["headwater_edge_refused_total"] == 7


def test_a_counter_that_never_counted_stands_at_zero() -> None:
    text = "# HELP headwater_edge_refused_total Refused\n# TYPE headwater_edge_refused_total counter\n"
    assert taken(Tally(), text) == {"headwater_edge_refused_total": 0.0, "up": 1.0}
    assert "headwater_edge_refused_total" not in taken(Tally(), "")
    assert taken(Tally(), "# TYPE headwater_edge_connections gauge\n# TYPE x counter\n# TYPE \n") == {"up": 1.0}
    assert taken(Tally(), "# TYPE headwater_origin_parts_total counter\n")["parts"] == 0


def test_only_what_was_asked_for_is_kept() -> None:
    assert "headwater_origin_streams" not in taken(Tally(), page(1))
    assert taken(Tally({"headwater_origin_streams"}), page(1))["headwater_origin_streams"] == 2


def taken(tally: Tally, text: str) -> dict[str, float]:
    tally.take("a", text, 1.0)
    return tally.values()


@pytest.mark.parametrize(
    "line",
    [
        "process_resident_memory_bytes",
        "process_resident_memory_bytes x",
        "process_resident_memory_bytes NaN",
        "process_resident_memory_bytes +Inf",
        "process_resident_memory_bytes 1e300",
        'process_resident_memory_bytes{a="b 7',
        "process_resident_memory_bytes{" + "x" * 5000 + "} 7",
    ],
)
def test_lines_that_cannot_be_read_are_left_out(line: str) -> None:
    assert taken(Tally(), f"{line}\nheadwater_edge_connections 3\n") == {"headwater_edge_connections": 3, "up": 1}


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet='{}="\\ \n,#abc0.eE+-', max_size=60))
def test_any_page_can_be_taken(text: str) -> None:
    assert taken(Tally(), f"process_resident_memory_bytes{text}\nheadwater_edge_connections 3")["up"] == 1


def test_labels_without_end_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "MAX_SERIES", 20)
    tally = Tally()
    tally.take("a", "", 1.0)
    lines = "\n".join(f'headwater_edge_refused_total{{reason="{n}"}} 1' for n in range(30))
    tally.take("a", lines, 2.0)
    assert tally.values()["headwater_edge_refused_total"] == 20
