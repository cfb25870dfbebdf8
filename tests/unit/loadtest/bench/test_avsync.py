"""The reader of flashes and tones, on files whose skew is known."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.encoded import flash_source

from headwater.loadtest.bench.avsync import pair, skews
from headwater.loadtest.bench.processes import FFMPEG


@pytest.fixture(scope="module")
def source() -> Path:
    return flash_source(7)


def test_the_source_is_in_step(source: Path) -> None:
    found = skews(str(source), 6)
    assert len(found) >= 4
    assert all(abs(skew) < 0.015 for skew in found), found


@pytest.mark.parametrize("late_s", [0.08, -0.08])
def test_a_skew_is_seen(source: Path, tmp_path: Path, late_s: float) -> None:
    path = tmp_path / "late.ts"
    command = [FFMPEG, "-v", "error", "-i", str(source), "-itsoffset", str(late_s), "-i", str(source)]
    command += ["-map", "0:v", "-map", "1:a", "-c", "copy", "-t", "5", str(path)]
    subprocess.run(command, check=True, timeout=60)
    found = skews(str(path), 4.5)
    assert len(found) >= 2
    assert all(abs(skew - late_s) < 0.02 for skew in found), found


def test_what_has_no_partner_is_an_error() -> None:
    assert pair([0.0, 1.0, 2.0], [1.01, 2.02]) == [pytest.approx(0.01)]
    for flashes, tones in (([], []), ([1.0, 2.0, 3.0], []), ([1.0, 2.0, 3.0], [0.2]), ([1.0], [1.0])):
        with pytest.raises(ValueError):
            pair(flashes, tones)
