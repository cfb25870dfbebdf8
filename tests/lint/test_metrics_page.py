"""docs/metrics.md is what the processes really export: both are started and asked."""

from __future__ import annotations

import asyncio
import math
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.metrics import MetricWrapperBase

from headwater.config.crewmetrics import CrewMetrics, Standing
from headwater.config.edgerole import EdgeRole
from headwater.config.roles import OriginRole
from headwater.config.settings import Settings
from headwater.config.supervisor import Cause
from headwater.edge.cmcd import State
from headwater.edge.viewers import BUFFER_BOUNDS_S, LATENCY_BOUNDS_S, MAX_REPORTED, THROUGHPUT_BOUNDS_BPS
from headwater.origin.conformance import RULES
from headwater.origin.stream import MAX_RENDITIONS

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
UNITS = {"seconds": "s", "bytes": "bytes", "bits_per_second": "bit/s"}
OWN_LABELS = {"le"}


@dataclass(frozen=True)
class Described:
    """A metric as code or page has it."""

    type: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Row(Described):
    unit: str
    meaning: str
    remedy: str


def rows() -> dict[str, Row]:
    """The page's metrics."""
    found: dict[str, Row] = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 6 and (name := re.fullmatch(r"`([a-z0-9_]+)`", cells[0])):
            assert name[1] not in found, f"{name[1]} stands twice"
            labels = tuple(re.findall(r"`([a-z_]+)`", cells[3]))
            assert labels or cells[3] == "-"
            found[name[1]] = Row(cells[1], labels, cells[2], cells[4], cells[5])
    return found


def label_table() -> set[str]:
    section = PAGE.partition("## Labels\n")[2].partition("\n## ")[0]
    first = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for cell in first for name in re.findall(r"`([a-z_]+)`", cell)}


def exported(registry: CollectorRegistry) -> dict[str, tuple[Described, Metric]]:
    """By the name that stands at /metrics."""
    found: dict[str, tuple[Described, Metric]] = {}
    for collector in list(registry._collector_to_names):
        for metric in collector.collect():
            named = collector if isinstance(collector, MetricWrapperBase) else metric
            labels = tuple(getattr(named, "_labelnames", ()))
            name = metric.name + "_total" * (metric.type == "counter")
            assert name not in found, f"{name} comes from two collectors"
            for sample in metric.samples:
                assert set(sample.labels) - OWN_LABELS == set(labels), name
            found[name] = Described(metric.type, labels), metric
    return found


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, tuple[Described, Metric]]]:
    """What origin and edge export, listening, with nobody there."""
    settings = Settings.model_validate(
        {
            "state": {"dir": str(tmp_path_factory.mktemp("state"))},
            "ingest": {"rtmp": {"port": 0}, "srt": {"port": 0}},
            "origin": {"http": {"port": 0}, "admin": {"port": 0}},
            "edge": {"upstream": "http://127.0.0.1:9", "http": {"port": 0}, "admin": {"port": 0}},
        }
    )

    async def start() -> dict[str, dict[str, tuple[Described, Metric]]]:
        found = {}
        for name, role in (("origin", OriginRole(settings)), ("edge", EdgeRole(settings))):
            await role.start()
            try:
                found[name] = exported(role._registry)
            finally:
                await role.close()
        registry = CollectorRegistry()
        CrewMetrics(lambda: {"0": Standing(True, dict.fromkeys(Cause, 0))}, registry)
        found["crew"] = exported(registry)
        return found

    return asyncio.run(start())


def test_every_metric_has_its_line_and_every_line_its_metric(
    processes: dict[str, dict[str, tuple[Described, Metric]]],
) -> None:
    code = {name: told for found in processes.values() for name, (told, _) in found.items()}
    page = {name: Described(row.type, row.labels) for name, row in rows().items()}
    assert {name: told for name, told in code.items() if page.get(name) != told} == {}, "not on the page, or otherwise"
    assert set(page) - set(code) == set(), "not in the code"


def test_labels_are_the_bounded_ones() -> None:
    used = {label for row in rows().values() for label in row.labels}
    assert used == label_table()


def test_names_and_units_are_those_of_prometheus() -> None:
    for name, row in rows().items():
        assert row.type in {"counter", "gauge", "histogram"}, name
        assert name.endswith("_total") == (row.type == "counter"), name
        base = name.removesuffix("_total")
        unit = next((unit for end, unit in UNITS.items() if base.endswith(f"_{end}")), "1")
        assert row.unit == unit, name
        assert len(row.meaning) > 0 and len(row.remedy) > 0, name
        assert name.startswith(("headwater_", "process_", "python_")), name


def test_stages_of_the_page_are_those_of_the_code(
    processes: dict[str, dict[str, tuple[Described, Metric]]],
) -> None:
    section = PAGE.partition("## From camera to screen\n")[2].partition("Glass to glass")[0]
    page = re.findall(r"^\| `([a-z_]+)` \| (origin|edge) \|", section, re.MULTILINE)
    code = [
        (stage, process)
        for process, found in processes.items()
        if "headwater_stage_seconds" in found
        for stage in dict.fromkeys(s.labels["stage"] for s in found["headwater_stage_seconds"][1].samples)
    ]
    assert page == code


# -- how many series -------------------------------------------------------------------------------------------------

WORDS = {"reason": 4, "direction": 2, "state": len(State)}
"""Values that labels beside `stream` take at most: four ways to lose an encoder process, two directions of a step."""


def per_series(name: str, metric: Metric) -> int:
    """Series of one set of labels: a histogram has its buckets, sum and count."""
    bounds = {
        "headwater_edge_cmcd_buffer_seconds": BUFFER_BOUNDS_S,
        "headwater_edge_cmcd_throughput_bits_per_second": THROUGHPUT_BOUNDS_BPS,
        "headwater_edge_cmcd_latency_seconds": LATENCY_BOUNDS_S,
    }
    return len(bounds[name]) + 3 if metric.type == "histogram" else 1


def of_streams(found: dict[str, tuple[Described, Metric]], labels: tuple[str, ...]) -> int:
    """Series that each stream, or each of its renditions, adds."""
    total = 0
    for name, (told, metric) in found.items():
        if told.labels[: len(labels)] == labels and ("rendition" in told.labels) == ("rendition" in labels):
            total += per_series(name, metric) * math.prod(WORDS[label] for label in told.labels[len(labels) :])
    return total


def test_the_number_of_series_is_the_one_that_is_said(
    processes: dict[str, dict[str, tuple[Described, Metric]]],
) -> None:
    text = " ".join(PAGE.partition("**How many series a node has at most.**")[2].partition("\n## ")[0].split())
    origin, edge = (
        [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", part)]
        for part in (text.partition(" An edge:")[0], text.partition(" An edge:")[2])
    )
    fixed, stream, rendition, streams, renditions, usual, most, most_renditions, all_at_once = origin[:9]
    assert rendition == of_streams(processes["origin"], ("stream", "rendition"))
    assert stream == of_streams(processes["origin"], ("stream",))
    at_rest = sum(len(metric.samples) for _, metric in processes["origin"].values())
    assert at_rest < fixed
    assert (most, most_renditions) == (Settings().ingest.max_streams, MAX_RENDITIONS)
    for count, each, said in ((streams, renditions, usual), (most, most_renditions, all_at_once)):
        assert 0.95 * said <= fixed + count * (stream + each * rendition) <= said * 1.05
    fixed, stream, rendition, reports, reporting = edge[:5]
    assert (stream, rendition, reporting) == (of_streams(processes["edge"], ("stream",)), 1, MAX_REPORTED)
    assert reports == of_streams(processes["edge"], ("stream", "rendition")) - 1
    assert sum(len(metric.samples) for _, metric in processes["edge"].values()) < fixed


def test_the_rules_are_as_many_as_is_said() -> None:
    assert f"by number | {len(RULES)} |" in PAGE
