"""`config show`: for people, as TOML that loads again, as the reference page."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from headwater.config import show
from headwater.config.describe import Loaded
from headwater.config.load import load


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    file = tmp_path / "h.toml"
    file.write_text('[[ingest.publish]]\nname = "a"\nkey = "tell-nobody"\n[edge.http]\nport = 8090\n')
    return load(file, {"HEADWATER_EDGE__NODE": "leaf"})


def test_for_people(loaded: Loaded) -> None:
    text = show.text(loaded)
    assert f"edge.http.port = 8090\n    from {loaded.file}; 0 to 65_535; default 8080\n" in text
    assert 'edge.node = "leaf"\n    from environment HEADWATER_EDGE__NODE; default "edge"\n' in text
    assert "ingest.takeover_silence_s = 3\n    default; above 0 to 86_400 s\n" in text
    assert "    Why: An encoder that lost its network returns at once" in text
    assert "tell-nobody" not in text


def test_a_part_of_the_tree(loaded: Loaded) -> None:
    keys = [line.split(" = ")[0] for line in show.text(loaded, "origin.admin").splitlines() if " = " in line]
    assert keys == ["origin.admin.host", "origin.admin.port"]
    assert show.text(loaded, "edge.node").startswith("edge.node")
    assert show.toml(loaded, "state") == '[state]\ndir = ".headwater"'


def test_as_toml_that_loads_again(loaded: Loaded, tmp_path: Path) -> None:
    text = show.toml(loaded)
    assert "tell-nobody" not in text
    assert '[[ingest.publish]]\nname = "a"\n# key is set and not shown' in text
    document = tomllib.loads(text)
    assert document["edge"]["http"]["port"] == 8090
    again = tmp_path / "again.toml"
    again.write_text(text.replace("# key is set and not shown", 'key = "tell-nobody"'))
    assert load(again, {}).settings == loaded.settings


def test_the_reference_names_every_setting_and_no_effective_value() -> None:
    page = show.markdown()
    assert "| `port` | `8080` | 0 to 65_535 | Viewers' HTTP. |" in page
    assert "## `[[ingest.publish]]`" in page
    assert "| `key` | (required) |" in page


def test_nested_lists_of_tables_load_again(tmp_path: Path) -> None:
    file = tmp_path / "h.toml"
    file.write_text(
        "[ingest.encode]\nenabled = true\n[[ingest.encode.stream]]\nname = 'cam-*'\nrungs = [{ height = 360 }]\n"
        "[ingest.encode.stream.thumbnails]\nwidth = 160\n"
    )
    loaded = load(file, {})
    again = tmp_path / "again.toml"
    again.write_text(show.toml(loaded))
    assert load(again, {}).settings == loaded.settings


def test_the_reference_says_keys_of_nested_tables_once() -> None:
    page = show.markdown()
    assert "## `[[ingest.encode.stream.rungs]]`\n\nThe keys of `[[ingest.encode.rungs]]`.\n" in page
    assert "## `[ingest.encode.stream.thumbnails]`\n\nThe keys of `[ingest.encode.thumbnails]`.\n" in page
    assert page.count("| `bufsize` |") == 1
