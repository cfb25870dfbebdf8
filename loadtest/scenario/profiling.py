"""`--profile`: py-spy in front of the first generator process, where it is present."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

RATE = 100
"""Samples per second. Why: py-spy's own; it stops the process for less than a millisecond each time."""


def find() -> str | None:
    """The py-spy beside this Python, or in PATH."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.is_file() else shutil.which("py-spy")


def words(py_spy: str, file: Path) -> tuple[str, ...]:
    """What goes in front of a command. py-spy starts it itself: so it may look inside without being root."""
    form = {".json": "speedscope", ".txt": "raw"}.get(file.suffix, "flamegraph")
    return (py_spy, "record", "--rate", str(RATE), "--format", form, "--output", str(file), "--")
