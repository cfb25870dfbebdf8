"""State files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headwater.ingest.state import KEEP_S, StateStore
from headwater.ingest.timeline import Epoch

EPOCH = Epoch(1_800_000_010, 3, 162_000_000_000_000, 1_800_000_000_000_000, 4, 520_000)
NOW = 1_800_000_000.0


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    store = StateStore(tmp_path / "deep" / "state")
    assert store.load(NOW) == {}
    store.save("demo", EPOCH, NOW)
    store.save("Other_-1", EPOCH, NOW)
    store.save("demo", EPOCH, NOW + 1)
    found = StateStore(tmp_path / "deep" / "state").load(NOW + 2)
    assert found["demo"].epoch == EPOCH
    assert found["demo"].saved_unix == NOW + 1
    assert set(found) == {"demo", "Other_-1"}
    assert sorted(path.name for path in (tmp_path / "deep" / "state").iterdir()) == ["Other_-1.json", "demo.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "\x00\xff",
        json.dumps({"format": 2}),
        json.dumps({"format": 1, "name": "other"}),
        json.dumps({"format": 1, "name": "demo", "next_msn": -1}),
        " " * 5_000,
        "[" * 4_000,
    ],
)
def test_an_unusable_file_is_set_aside(tmp_path: Path, text: str) -> None:
    (tmp_path / "demo.json").write_text(text)
    assert StateStore(tmp_path).load(NOW) == {}
    assert (tmp_path / "demo.bad").exists() and not (tmp_path / "demo.json").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("next_msn", "7"),
        ("end", None),
        ("target_duration_s", 0),
        ("part_target_us", 1),
        ("late_us", -1),
        ("late_us", 10**8),
        ("ended", 1),
        ("date_us", True),
        ("saved_unix", "x"),
    ],
)
def test_a_field_out_of_range_is_unusable(tmp_path: Path, field: str, value: object) -> None:
    store = StateStore(tmp_path)
    store.save("demo", EPOCH, NOW)
    values = json.loads((tmp_path / "demo.json").read_text())
    (tmp_path / "demo.json").write_text(json.dumps({**values, field: value}))
    assert store.load(NOW) == {}


def test_a_file_of_before_lateness_was_known_is_read(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    store.save("demo", EPOCH, NOW)
    values = json.loads((tmp_path / "demo.json").read_text())
    del values["late_us"]
    (tmp_path / "demo.json").write_text(json.dumps(values))
    assert store.load(NOW)["demo"].epoch.late_us == 0


def test_files_that_nobody_needs_go(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    store.load(NOW)
    store.save("old", EPOCH, NOW - KEEP_S - 1)
    store.save("new", EPOCH, NOW - 3_600)
    (tmp_path / "not a stream.json").write_text("mine")
    assert set(store.load(NOW)) == {"new"}
    assert (tmp_path / "not a stream.json").exists()
    store.forget("new")
    store.forget("never there")
    assert store.load(NOW) == {}


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        StateStore(tmp_path / "file").load(NOW)
