"""The counters as a value."""

from __future__ import annotations

from dataclasses import asdict

from headwater.ingest.srt.stats import Counters, Stats


def test_every_measure_is_there() -> None:
    counters = Counters(**{name: number for number, name in enumerate(asdict(Counters()))})
    stats = Stats.of(
        counters, rtt_s=0.1, rtt_var_s=0.05, bits_per_s=1.0, buffer_s=2.0, buffer_packets=3, buffer_bytes=4,
        latency_s=5.0, encrypted=True,
    )  # fmt: skip
    shared = set(asdict(stats)) & set(asdict(counters))
    assert shared >= {"packets", "octets", "retransmitted", "lost", "belated", "dropped", "undecryptable"}
    assert all(getattr(stats, name) == getattr(counters, name) for name in shared)
    counters.packets += 100
    assert stats.packets == 0
