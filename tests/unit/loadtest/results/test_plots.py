from __future__ import annotations

import html
import json
import re
import xml.etree.ElementTree as ET

from headwater.loadtest.records import ChaosEvent, PhaseSpan
from headwater.loadtest.results import units
from headwater.loadtest.results.histograms import Histogram
from headwater.loadtest.results.plots import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Line,
    Plot,
    Stage,
    histogram,
    over_time,
    percentiles,
)

STAGE = Stage(
    10.0,
    (PhaseSpan("calm", 0, 5), PhaseSpan("a very long name of a phase & <more>", 5, 10)),
    (ChaosEvent(6.0, "kill <edge>", ok=False),),
)
LINE = Line("p99", "q1", [(0.5, 0.1), (1.5, None), (2.5, 0.4), (3.5, 0.2)])


def drawn(text: str) -> ET.Element:
    """The picture, which has to be well-formed."""
    return ET.fromstring(text)


def looks(figure: ET.Element, look: str) -> list[ET.Element]:
    return [element for element in figure.iter() if look in element.get("class", "").split()]


def test_a_plot_over_time_has_lines_phases_and_chaos() -> None:
    figure = drawn(over_time(Plot("Delay", (LINE, Line("p50", "q0", LINE.points)), units.duration, log=True), STAGE))
    assert len(looks(figure, "line")) == 2
    assert len(looks(figure, "band")) == 1, "every second phase is shaded"
    names = [element.text for element in looks(figure, "phase")]
    assert names[0] == "calm"
    assert str(names[1]).startswith("a very long name of a phase")
    (chaos,) = looks(figure, "chaos")
    assert chaos[0].text == "1: kill <edge> (failed)"
    assert [element.text for element in looks(figure, "key")] == ["p99", "p50"]


def test_points_stay_inside_the_edges() -> None:
    text = over_time(Plot("Delay", (LINE,), units.duration), STAGE)
    (line,) = looks(drawn(text), "line")
    numbers = [tuple(map(float, pair)) for pair in re.findall(r"[ML]([\d.]+) ([\d.]+)", line.get("d", ""))]
    assert len(numbers) == 3
    assert all(LEFT <= x <= RIGHT and TOP <= y <= BOTTOM for x, y in numbers)


def test_the_pointer_finds_what_was_measured() -> None:
    text = over_time(Plot("Delay", (LINE,), units.duration), STAGE)
    data = json.loads(html.unescape(re.findall(r'data-hover="([^"]*)"', text)[0]))
    assert data["s"] == [["p99", "q1", ["100 ms", "–", "400 ms", "200 ms"]]]
    assert data["t"] == ["0:00", "0:01", "0:02", "0:03"]
    assert len(data["x"]) == 4


def test_doubtful_seconds_are_marked_and_explained() -> None:
    figure = drawn(over_time(Plot("Delay", (LINE,), units.duration, doubtful=(0.5, 2.5)), STAGE))
    assert len([one for one in looks(figure, "doubt") if one.tag == "rect"]) == 2
    assert [one.text for one in looks(figure, "key")] == ["p99", "generator too late to tell"]


def test_a_limit_is_on_the_axis() -> None:
    figure = drawn(over_time(Plot("CPU", (LINE,), units.share, limit=0.9), STAGE))
    (limit,) = looks(figure, "limit")
    assert TOP <= float(limit.get("y1", "0")) <= BOTTOM


def test_nothing_measured_is_no_plot() -> None:
    assert over_time(Plot("Delay", (Line("x", "q0", [(0.5, None)]),), units.duration), STAGE) == ""
    assert over_time(Plot("Delay", (Line("x", "q0", [(0.5, 0.0)]),), units.duration, log=True), STAGE) == ""


def test_the_bars_of_a_histogram_are_all_samples() -> None:
    delays = Histogram.of([20_000] * 60 + [25_000] * 30 + [900_000] * 10)
    bars = looks(drawn(histogram("How long", delays)), "bar")
    titles = [str(bar[0].text) for bar in bars]
    assert [title.rpartition(": ")[2] for title in titles] == ["60 %", "30 %", "10 %"]
    assert titles[2].startswith("825 ms to 1.00 s")


def test_a_histogram_of_equal_samples_can_be_drawn() -> None:
    for value in (1, 7, 3_600_000_000):
        assert len(looks(drawn(histogram("x", Histogram.of([value]))), "bar")) == 1


def test_delays_below_the_floor_stand_on_it() -> None:
    (first, last) = looks(drawn(histogram("x", Histogram.of([1, 2, 50, 30_000]))), "bar")
    assert str(first[0].text).endswith(": 75 %")
    assert str(last[0].text).endswith(": 25 %")
    early = Line("p50", "q0", [(0.5, 1e-6), (1.5, 0.03)])
    figure = drawn(over_time(Plot("Delay", (early,), units.duration, log=True), STAGE))
    assert looks(figure, "label")[0].text == "100 us"


def test_percentile_curves_reach_as_far_as_there_are_samples() -> None:
    few, many = Histogram.of([1000] * 10), Histogram.of(range(1, 10_001))
    figure = drawn(percentiles("Delay", {"few": few, "many": many}))
    ends = [float(re.findall(r"L([\d.]+) ", line.get("d", ""))[-1]) for line in looks(figure, "line")]
    assert ends[0] < ends[1] <= RIGHT
    assert [one.text for one in looks(figure, "label")][-5:] == ["0 %", "90 %", "99 %", "99.9 %", "99.99 %"]


def test_one_sample_has_a_curve() -> None:
    assert drawn(percentiles("Delay", {"one": Histogram.of([5])})) is not None
