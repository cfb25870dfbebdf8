"""[edge.freshness] and [edge.disk]."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from headwater.config.describe import leaves
from headwater.config.load import ConfigError, check_files, load
from headwater.config.settings import Edge


def refused(**edge: object) -> str:
    with pytest.raises(ValidationError) as caught:
        Edge.model_validate(edge)
    (error,) = caught.value.errors()
    return ".".join(map(str, (*error["loc"], *error.get("ctx", {}).get("key", "").split()))) + f": {error['msg']}"


def test_by_default_nothing_is_overridden_and_nothing_is_written() -> None:
    edge = Edge()
    assert edge.disk.dir is None
    assert set(edge.freshness.segment.model_dump().values()) == {None}
    assert (edge.freshness.mark_s, edge.freshness.vary_ignored) == (10, ())


def test_each_class_has_its_keys() -> None:
    known = leaves()
    for name in ("multivariant", "playlist", "part", "segment", "init", "other"):
        assert {f"edge.freshness.{name}.{key}" for key in ("least_s", "most_s", "stale_s", "negative_s")} <= set(known)


@pytest.mark.parametrize(
    ("edge", "said"),
    [
        ({"freshness": {"part": {"least_s": 9, "most_s": 3}}}, "freshness.part.least_s: more than `most_s`, 3 s"),
        (
            {"freshness": {"vary_ignored": ["a", "b c"]}},
            "freshness.vary_ignored.1: not the name of a field, such as user-agent",
        ),
        ({"disk": {"min_bytes": 9, "max_object_bytes": 3}}, "disk.min_bytes: more than `max_object_bytes`, 3"),
        ({"disk": {"bytes": 9, "max_object_bytes": 99, "min_bytes": 1}}, "disk.max_object_bytes: more than `bytes`, 9"),
    ],
)
def test_what_does_not_fit_together_is_refused(edge: dict[str, object], said: str) -> None:
    assert refused(**edge) == said


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    loaded = load(None, {"HEADWATER_EDGE__DISK__DIR": str(file)}, [("state.dir", str(tmp_path))])
    with pytest.raises(ConfigError) as caught:
        check_files(loaded)
    assert str(caught.value) == f'environment HEADWATER_EDGE__DISK__DIR: edge.disk.dir = "{file}": not a folder'
