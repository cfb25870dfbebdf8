"""The metrics of what is kept, marked and purged, as they are scraped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from tests.edge_kit import Script, Viewer, make_core

from headwater.edge.core import Core
from headwater.edge.disk import Disk
from headwater.edge.diskformat import Drop
from headwater.edge.diskindex import BLOCK, DiskRules
from headwater.edge.freshness import Why
from headwater.edge.purge import read_order
from headwater.edge.storemetrics import StoreMetrics

Value = Callable[..., float | None]


def measured(core: Core, disk: Disk | None = None) -> Value:
    """What a scrape tells of `headwater_edge_NAME` with these labels, now."""
    registry = CollectorRegistry()
    StoreMetrics(core, disk, registry)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"headwater_edge_{name}", labels)

    return value


def kept(core: Core, script: Script, *keys: str, cache_control: str = "max-age=60", **fields: str) -> None:
    for key in keys:
        Viewer(core).get(key, 1.0)
        script.answer(key, 1.0, b"x", 200, cache_control=cache_control, **fields)


def test_the_families_and_what_they_are() -> None:
    registry = CollectorRegistry()
    metrics = StoreMetrics(make_core(Script()), None, registry)
    assert {family.name: family.type for family in metrics.collect()} == {
        "headwater_edge_hit_for_miss": "gauge",
        "headwater_edge_hit_for_miss_marked": "counter",
        "headwater_edge_purges": "counter",
        "headwater_edge_purged": "counter",
        "headwater_edge_disk_hits": "counter",
        "headwater_edge_disk_writes": "counter",
        "headwater_edge_disk_bytes": "gauge",
        "headwater_edge_disk_objects": "gauge",
        "headwater_edge_disk_drops": "counter",
    }
    assert [family.name for family in registry.collect()] == [family.name for family in metrics.collect()]


@pytest.mark.parametrize(
    ("name", "label", "words"),
    [
        ("hit_for_miss_marked_total", "reason", ["private", "set_cookie", "vary"]),
        ("purges_total", "kind", ["url", "prefix", "stream"]),
        ("purged_total", "kind", ["url", "prefix", "stream"]),
        (
            "disk_drops_total",
            "reason",
            ["corrupt", "truncated", "foreign", "gone", "evicted", "busy", "full", "failed"],
        ),
    ],
)
def test_every_label_is_there_from_the_start_with_nothing_counted(name: str, label: str, words: list[str]) -> None:
    metrics = StoreMetrics(make_core(Script()), None, CollectorRegistry())
    samples = [sample for family in metrics.collect() for sample in family.samples]
    found = {sample.labels[label]: sample.value for sample in samples if sample.name == f"headwater_edge_{name}"}
    assert found == dict.fromkeys(words, 0)


@pytest.mark.parametrize("name", ["disk_hits_total", "disk_writes_total", "disk_bytes", "disk_objects"])
def test_where_there_is_no_disk_its_metrics_are_nought(name: str) -> None:
    assert measured(make_core(Script()))(name) == 0


def test_purges_are_counted_by_what_was_named_and_by_what_there_was() -> None:
    script = Script()
    core = make_core(script)
    value = measured(core)
    kept(core, script, "/a/1.m4s", "/a/2.m4s", "/a/3.m4s", "/b.m4s")
    for document in ({"prefix": "/a/"}, {"url": "/b.m4s", "soft": True}, {"url": "/none"}, {"url": "/b.m4s"}):
        core.purge(read_order(document), 2.0)
    assert [value("purges_total", kind=kind) for kind in ("url", "prefix", "stream")] == [3, 1, 0]
    assert [value("purged_total", kind=kind) for kind in ("url", "prefix", "stream")] == [2, 3, 0]


def test_urls_that_nobody_queues_for_are_counted_while_they_are_and_ever() -> None:
    script = Script()
    core = make_core(script)
    value = measured(core)
    kept(core, script, "/me", "/you", set_cookie="a=b")
    kept(core, script, "/mine", cache_control="private")
    assert value("hit_for_miss") == 3
    kept(core, script, "/me", cache_control="max-age=60")
    assert value("hit_for_miss") == 2, "its answers may be shared again"
    core.handle_timeout(1_000.0)
    assert value("hit_for_miss") == 0
    counts = [value("hit_for_miss_marked_total", reason=why.value) for why in Why]
    assert counts == [1, 2, 0]


async def test_the_disk_is_shown_as_it_is_at_each_scrape(tmp_path: Path) -> None:
    disk = Disk(tmp_path, DiskRules(1_000_000, 1_000, 100_000), "1.1 edge", lambda: None)
    value = measured(make_core(Script()), disk)
    assert [value(name) for name in ("disk_hits_total", "disk_objects")] == [0, 0]
    disk.hits, disk.writes = 5, 7
    disk.index.put("/a.m4s", BLOCK + 1, '"1"', 100.0)
    disk.index.put("/b.m4s", 10, '"1"', 100.0)
    for number, why in enumerate(Drop):
        disk.drops[why] = 10 + number
    assert value("disk_hits_total") == 5
    assert value("disk_writes_total") == 7
    assert value("disk_bytes") == 3 * BLOCK
    assert value("disk_objects") == 2
    assert [value("disk_drops_total", reason=why.value) for why in Drop] == list(range(10, 10 + len(Drop)))
    await disk.close()
