"""Metrics of ladders without a ladder; with one: `test_ladders`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from headwater.ingest.encode.metrics import EncodeMetrics


def test_names_are_there_without_a_stream() -> None:
    registry = CollectorRegistry()
    metrics = EncodeMetrics(registry, lambda: ())
    text = generate_latest(registry).decode()
    for name in (
        "speed", "lag_seconds", "level", "level_changes_total", "restarts_total", "resident_bytes", "cpu_seconds_total",
        "frames_total", "frames_duplicated_total", "frames_dropped_total", "decode_errors_total", "holes_total",
        "skips_total", "queue_bytes", "refused_total",
    ):  # fmt: skip
        assert f"# TYPE headwater_encode_{name} " in text
    assert "stream=" not in text
    metrics.close()
    metrics.close()
    assert "headwater_encode_level" not in generate_latest(registry).decode()
