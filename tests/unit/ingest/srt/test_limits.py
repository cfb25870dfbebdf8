"""The bounds fit together."""

from __future__ import annotations

from headwater.ingest.srt.limits import MIN_NAK_INTERVAL_S, TICK_S, Limits


def test_defaults() -> None:
    limits = Limits()
    assert limits.latency_s <= limits.max_latency_s <= 65.535, "what 16 bits of milliseconds can say"
    assert limits.sessions_per_address <= limits.sessions
    assert limits.half_open_per_address <= limits.half_open
    assert limits.half_open <= limits.sessions
    assert limits.buffer_bytes * 8 / 10e6 > limits.max_latency_s, "10 Mbit/s with the longest latency"
    assert limits.flow_window < 1 << 30
    assert MIN_NAK_INTERVAL_S >= TICK_S
    assert limits.idle_s > 1.0, "keep-alives come each second"
