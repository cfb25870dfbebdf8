"""SRT metrics: counters of a stream go on over its sessions, and go with the stream."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, cast

from prometheus_client import CollectorRegistry, generate_latest
from tests.unit.ingest.test_srtadvice import CALM

from headwater.ingest.mpegts import Counters as TsCounters
from headwater.ingest.srt.stats import PortCounters, Stats
from headwater.ingest.srtmetrics import Port, SrtMetrics


@dataclass
class Stream:
    name: str
    publisher: None = None


@dataclass
class Demuxed:
    counters: TsCounters


class Ended:
    """A publisher that is gone."""

    def __init__(self, stats: Stats | None, damaged: int = 0) -> None:
        self.last_stats = stats
        self.demuxer = Demuxed(TsCounters(damaged=damaged))


@dataclass
class Pull:
    name: str = "cam"
    attempts: int = 3
    failures: int = 2
    connected: bool = True


def test_sums_of_ended_sessions_stay_while_the_stream_does() -> None:
    registry = CollectorRegistry()
    streams: list[Stream] = [Stream("a"), Stream("b")]
    metrics = SrtMetrics(registry, lambda: cast(Any, streams), lambda: ())
    metrics.ended("a", Ended(dataclasses.replace(CALM, packets=10, lost=2), damaged=4))
    metrics.ended("a", Ended(dataclasses.replace(CALM, packets=5, lost=1), damaged=3))
    metrics.ended("b", Ended(None))

    def value(name: str, stream: str, family: str = "srt") -> float | None:
        return registry.get_sample_value(f"headwater_{family}_{name}", {"stream": stream})

    assert value("packets_total", "a") == 15 and value("lost_packets_total", "a") == 3
    assert value("damaged_pes_total", "a", "mpegts") == 7
    assert value("packets_total", "b") == 0 and value("rtt_seconds", "a") is None
    del streams[0]
    assert value("packets_total", "a") is None
    streams.insert(0, Stream("a"))
    assert value("packets_total", "a") is None, "a stream of the same name begins anew"
    metrics.close()
    metrics.close()
    assert "headwater_srt" not in generate_latest(registry).decode()


def test_the_port_and_the_pulls() -> None:
    registry = CollectorRegistry()
    metrics = SrtMetrics(registry, lambda: (), lambda: [Pull()])
    assert registry.get_sample_value("headwater_srt_keys_derived_total") is None
    metrics.port = Port(lambda: PortCounters(malformed=4, requests=7, rejected=1), lambda: 5, lambda: 6, lambda: 8)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"headwater_srt_{name}", labels)

    assert value("datagrams_dropped_total", reason="malformed") == 4
    assert value("datagrams_dropped_total", reason="socket_buffer") == 5
    assert value("datagrams_dropped_total", reason="unsent") == 6
    assert value("handshakes_total", outcome="asked") == 7
    assert value("keys_derived_total") == 8
    assert value("pull_connected", stream="cam") == 1
    assert (value("pull_attempts_total", stream="cam"), value("pull_failures_total", stream="cam")) == (3, 2)
