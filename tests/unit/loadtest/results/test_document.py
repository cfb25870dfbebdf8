from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.results_kit import run

from headwater.loadtest.records import Count, Protocol, Timing
from headwater.loadtest.results import ReportError, RunResult, from_json, to_html, to_json, to_markdown
from headwater.loadtest.results.figures import figures_of_run

PAGE = Path(__file__).parents[4] / "docs" / "loadtest-json.md"
MAPS = re.compile(r"(figures\[\]\.(counts|errors|server|timings)|run\.ticks\[\]\.(counts|errors|timings)|.*\.values)$")


@pytest.fixture(scope="module")
def result() -> RunResult:
    return run(12, samples=4)


def paths(value: object, path: str = "") -> set[str]:
    """Every field of a document, as the page writes it."""
    if isinstance(value, dict):
        names = {name: "*" if MAPS.match(path) else name for name in value}
        return {p for name, item in value.items() for p in paths(item, f"{path}.{names[name]}".lstrip("."))}
    if isinstance(value, list):
        return {p for item in value for p in paths(item, f"{path}[]")} or {f"{path}[]"}
    return {path}


def test_what_comes_back_is_what_went_out(result: RunResult) -> None:
    again = from_json(to_json(result))
    assert again == result
    assert to_json(again) == to_json(result)
    assert to_markdown(again) == to_markdown(result)


def test_a_report_of_before_protocols_were_told_is_read(result: RunResult) -> None:
    document = json.loads(to_json(dataclasses.replace(result, protocol=Protocol.HTTP2)))
    assert document["run"].pop("protocol") == "h2"
    assert from_json(json.dumps(document)).protocol is Protocol.HTTP1


def test_the_page_says_every_field_and_no_other(result: RunResult) -> None:
    named = set(re.findall(r"^\| `((?:run|figures|document|version|failed)[^`]*)` \|", PAGE.read_text(), re.MULTILINE))
    assert named == paths(json.loads(to_json(result)))


def test_the_page_names_every_timing_and_count() -> None:
    text = PAGE.read_text()
    assert all(f"`{name}`" in text for name in (*Timing, *Count))


def test_the_figures_are_those_of_the_histograms(result: RunResult) -> None:
    whole = json.loads(to_json(result))["figures"][0]
    figures = figures_of_run(result)[0]
    assert whole["timings"]["part"]["p99_9_us"] == figures.percentile_us(Timing.PART, 99.9)
    assert whole["timings"]["part"]["max_us"] == figures.percentile_us(Timing.PART, 100)
    assert whole["counts"]["parts"] == figures.count(Count.PARTS)
    assert whole["origin_requests_per_part"] == pytest.approx(1.5)


def test_percentiles_that_do_not_hold_are_named() -> None:
    late = run(12, samples=4, slow=0.05)
    assert "p50" in json.loads(to_json(late))["figures"][0]["timings"]["first_byte"]["invalid"]


@functools.cache
def whole() -> str:
    return to_json(run(3, samples=2))


def broken(change: Callable[[dict[str, Any]], object]) -> str:
    document = json.loads(whole())
    change(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d.update(document="x"), "not a report"),
        (lambda d: d.update(version=2), "version 2"),
        (lambda d: d.update(version=[[[]]] * 99), "version"),
        (lambda d: d.pop("run"), "not an object"),
        (lambda d: d["run"].update(ticks=7), "ticks: not an array"),
        (lambda d: d["run"].pop("clock"), "'clock' is missing"),
        (lambda d: d["run"].update(evil=1), "unknown field 'evil'"),
        (lambda d: d["run"].update(seconds=1e300), "out of range"),
        (lambda d: d["run"].update(seconds=-1), "out of range"),
        (lambda d: d["run"].update(started=1e300), "out of range"),
        (lambda d: d["run"]["machine"].update(memory_bytes=10**400), "out of range"),
        (lambda d: d["run"]["clock"].update(uncertainty_s=-1), "out of range"),
        (lambda d: d["run"]["phases"][0].update(start=2, end=1), "ends before it starts"),
        (lambda d: d["run"]["phases"][0].update(invariants=["nonsense"]), "no invariant"),
        (lambda d: d["run"]["server"][0]["values"].update(cpu=1e300), "out of range"),
        (lambda d: d["run"]["server"][0]["values"].update(cpu=float("inf")), "finite"),
        (lambda d: d["run"]["ticks"][0].update(viewers=10**400), "out of range"),
        (lambda d: d["run"]["ticks"][0]["counts"].update(parts=-1), "out of range"),
        (lambda d: d["run"]["ticks"][0]["counts"].update(unheard=1), "is not one of"),
        (lambda d: d["run"]["ticks"][0].update(second=10**12), "out of range"),
        (lambda d: d["run"]["ticks"][0]["timings"].update(part="AAAA"), "not a histogram"),
        (lambda d: d["run"]["ticks"][0]["timings"].update(part="\ud800"), "not bytes"),
    ],
)
def test_hostile_documents_are_one_error(change: Callable[[dict[str, Any]], object], says: str) -> None:
    with pytest.raises(ReportError, match=re.escape(says)):
        from_json(broken(change))


@pytest.mark.parametrize("text", ["", "7", "[]", "{", "[" * 100_000, '"\\ud800"', '{"version": ' + "9" * 5000 + "}"])
def test_what_is_no_document_is_the_same_error(text: str) -> None:
    with pytest.raises(ReportError):
        from_json(text)


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just([]), st.just({}), st.just("<b>")
)


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_whatever_a_file_says_is_refused_or_can_be_shown(data: st.DataObject) -> None:
    document = json.loads(to_json(run(2, samples=1)))
    for _ in range(data.draw(st.integers(1, 3))):
        place: Any = document["run"]
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(min(2, len(place))))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if not isinstance(place[key], dict | list) or data.draw(st.integers(0, 3)) == 0:
                place[key] = data.draw(LEAVES)
                break
            place = place[key]
    try:
        read = from_json(json.dumps(document))
    except ReportError:
        return
    assert from_json(to_json(read)) == read
    assert to_markdown(read)
    assert to_html(read)
