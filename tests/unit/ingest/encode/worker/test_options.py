"""What encoders are told: presets that step down, threads by work."""

from __future__ import annotations

import pytest
from tests.worker_kit import rung

from headwater.ingest.encode.worker.options import X26X_PRESETS, reduced, threads_for, video_options
from headwater.ingest.media import Codec


@pytest.mark.parametrize(
    ("preset", "steps"),
    [
        ("ultrafast", ["ultrafast", "ultrafast", "ultrafast"]),
        ("veryfast", ["veryfast", "superfast", "ultrafast"]),
        ("medium", ["medium", "veryfast", "ultrafast"]),
        ("p4", ["p4", "p4", "p4"]),
    ],
)
def test_effort_steps(preset: str, steps: list[str]) -> None:
    assert [reduced(preset, effort) for effort in range(3)] == steps


@pytest.mark.parametrize("preset", X26X_PRESETS)
@pytest.mark.parametrize("effort", [0, 1, 2])
def test_keyframes_are_only_where_they_are_asked_for(preset: str, effort: int) -> None:
    options = video_options(rung(preset=preset), effort, 1, "3.1")
    assert options["tune"] == "zerolatency" and options["forced-idr"] == "1"
    given = dict(pair.split("=") for pair in options["x264-params"].split(":"))
    fixed = {"keyint": "infinite", "scenecut": "0", "open-gop": "0", "bframes": "0", "nal-hrd": "none", "level": "3.1"}
    assert fixed.items() <= given.items()


def test_hardware_has_no_effort() -> None:
    for encoder in ("h264_nvenc", "h264_qsv"):
        made = rung(encoder=encoder, preset="p4" if encoder.endswith("nvenc") else "veryfast")
        assert video_options(made, 0, 1, None) == video_options(made, 2, 1, None)


@pytest.mark.parametrize(
    ("width", "height", "preset", "fps", "cores", "threads"),
    [
        (640, 360, "veryfast", 30, 8, 1),
        (1280, 720, "veryfast", 30, 8, 1),
        (1920, 1080, "veryfast", 30, 8, 2),
        (1920, 1080, "veryfast", 60, 8, 4),
        (1920, 1080, "slow", 60, 2, 2),
        (1920, 1080, "slow", 60, 64, 4),
    ],
)
def test_threads(width: int, height: int, preset: str, fps: float, cores: int, threads: int) -> None:
    assert threads_for(rung(height, width, preset=preset), fps, cores) == threads


def test_other_encoders_are_slower() -> None:
    made = rung(720, 1280, codec=Codec.HEVC, encoder="libx265", preset="ultrafast")
    assert threads_for(made, 30, 8) == 3
