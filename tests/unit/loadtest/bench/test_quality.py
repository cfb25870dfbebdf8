"""SSIM and PSNR: more noise is less, equal pictures are infinite, a repeated frame shifts nothing."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

import pytest

from headwater.loadtest.bench.processes import FFMPEG
from headwater.loadtest.bench.quality import Quality, compare, decibels

pytestmark = pytest.mark.peer

SIZE = (160, 90)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four files of the same picture: as it is, at three quantizers."""
    folder = tmp_path_factory.mktemp("quality")
    for quantizer in (0, 20, 35):
        _encode(folder / f"q{quantizer}.mp4", "-qp", str(quantizer))
    # A frame is missing in the middle: the one before it is shown twice as long.
    _encode(folder / "dropped.mp4", "-qp", "20", "-vf", "select='not(eq(n,20))'", "-fps_mode", "vfr")
    return folder


def _encode(path: Path, *more: str) -> None:
    command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size={SIZE[0]}x{SIZE[1]}:rate=30:duration=2"]
    subprocess.run(
        [*command, *more, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", str(path)],
        check=True,
        timeout=60,
    )


def measured(folder: Path, name: str, *, skip_s: float = 0.0, seconds: float = 1.9) -> Quality:
    return compare(folder / name, folder / "q0.mp4", size=SIZE, fps=30, seconds=seconds, skip_s=skip_s)


def test_equal_pictures_are_infinitely_good(folder: Path) -> None:
    found = measured(folder, "q0.mp4")
    assert found.ssim_db == found.psnr_db == math.inf


def test_coarser_is_worse(folder: Path) -> None:
    fine, coarse = measured(folder, "q20.mp4"), measured(folder, "q35.mp4")
    assert 60 > fine.psnr_db > coarse.psnr_db + 5 > 20
    assert 60 > fine.ssim_db > coarse.ssim_db > 5
    assert fine.bitrate > coarse.bitrate > 0


def test_a_missing_frame_costs_that_frame_only(folder: Path) -> None:
    assert measured(folder, "dropped.mp4", seconds=0.6).psnr_db == pytest.approx(
        measured(folder, "q20.mp4", seconds=0.6).psnr_db, abs=0.5
    )
    assert measured(folder, "dropped.mp4", skip_s=0.8, seconds=1).psnr_db == pytest.approx(
        measured(folder, "q20.mp4", skip_s=0.8, seconds=1).psnr_db, abs=0.5
    )


def test_what_cannot_be_read_is_an_error(folder: Path) -> None:
    with pytest.raises(RuntimeError, match="no figures"):
        measured(folder, "nothing.mp4")


def test_decibels() -> None:
    assert decibels(0.9) == pytest.approx(10)
    assert decibels(0.99) == pytest.approx(20)
    assert decibels(1.0) == math.inf
