"""Encoders in hardware that fail."""

from __future__ import annotations

from dataclasses import replace

from tests.ladder_kit import HIGH, HIGH_RUNG, LOW, LOW_RUNG, PLAN

from headwater.ingest.encode.fallback import without_hardware


def test_a_rung_in_hardware_goes_on_in_software() -> None:
    plan = replace(PLAN, video=(replace(HIGH_RUNG, encoder="h264_nvenc", preset="p4"), LOW_RUNG))
    other = without_hardware(plan, HIGH)
    assert other is not None
    assert [(rung.encoder, rung.preset) for rung in other.video] == [("libx264", "veryfast"), ("libx264", "ultrafast")]
    assert other.video[0].bitrate == HIGH_RUNG.bitrate


def test_a_rung_in_software_has_nothing_to_fall_back_to() -> None:
    assert without_hardware(PLAN, HIGH) is None
    assert without_hardware(PLAN, LOW) is None
