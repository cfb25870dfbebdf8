"""The words that py-spy gets, and where it is looked for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from headwater.loadtest.scenario.profiling import find, words


def test_words() -> None:
    assert words("/bin/py-spy", Path("a.svg"))[-4:] == ("flamegraph", "--output", "a.svg", "--")
    assert "speedscope" in words("py-spy", Path("a.json"))


def test_beside_this_python_or_in_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find() is None
    program = tmp_path / "py-spy"
    program.touch(0o755)
    assert find() == str(program)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "py-spy").touch()
    assert find() == str(tmp_path / "bin" / "py-spy")
