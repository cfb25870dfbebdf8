from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from headwater.origin import assets


def test_loads_what_browsers_ask_for(tmp_path: Path) -> None:
    (tmp_path / "vendor").mkdir()
    (tmp_path / "index.html").write_text("<p>" * 1_000)
    (tmp_path / "vendor" / "x.min.js").write_text("1;")
    (tmp_path / "__init__.py").write_text("secret")
    (tmp_path / "notes").write_text("secret")
    found = assets.load(tmp_path)
    assert sorted(found) == ["index.html", "vendor/x.min.js"]
    page, script = found["index.html"], found["vendor/x.min.js"]
    assert page.body(compressed=False).content_type == "text/html; charset=utf-8"
    packed = page.body(compressed=True)
    assert packed.encoding == "gzip"
    assert gzip.decompress(packed.data) == page.body(compressed=False).data
    assert script.body(compressed=True) is script.body(compressed=False)


def test_an_empty_folder(tmp_path: Path) -> None:
    assert assets.load(tmp_path) == {}


def test_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "MAX_FILES", 2)
    monkeypatch.setattr(assets, "MAX_FILE_BYTES", 10)
    for index in range(4):
        (tmp_path / f"{index}.txt").write_text("short")
    (tmp_path / "0-long.txt").write_text("x" * 11)
    assert sorted(assets.load(tmp_path)) == ["0.txt", "1.txt"]
