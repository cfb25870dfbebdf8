"""Metrics of SRT: of each stream that comes over it, read when Prometheus asks, and of the port.

A stream's counters go on over its publishers: what ended sessions counted is added to what the present one counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from .mpegts import Counters as TsCounters
from .series import LiveSeries
from .srt.stats import PortCounters, Stats
from .srtpublisher import SrtPublisher

if TYPE_CHECKING:
    from .stream import LiveStream

_COUNTERS: tuple[tuple[str, str, Callable[[Stats], int]], ...] = (
    ("packets", "Data packets received, copies included.", lambda stats: stats.packets),
    ("bytes", "Bytes of data packets, headers included.", lambda stats: stats.octets),
    ("lost_packets", "Packets that were missing when a later one came.", lambda stats: stats.lost),
    ("retransmitted_packets", "Packets that came marked as sent again.", lambda stats: stats.retransmitted),
    ("belated_packets", "Packets that came when they had been given up.", lambda stats: stats.belated),
    ("duplicate_packets", "Packets that were there already.", lambda stats: stats.duplicate),
    ("dropped_packets", "Packets given up: holes in the stream.", lambda stats: stats.dropped),
    ("undecryptable_packets", "Packets without a usable key.", lambda stats: stats.undecryptable),
    ("loss_reports", "NAKs sent.", lambda stats: stats.naks),
)
_GAUGES: tuple[tuple[str, str, Callable[[Stats], float]], ...] = (
    ("rtt_seconds", "Round trip time.", lambda stats: stats.rtt_s),
    ("rtt_variance_seconds", "Its variance.", lambda stats: stats.rtt_var_s),
    ("receive_rate_bits_per_second", "Received over the last half second.", lambda stats: stats.bits_per_s),
    ("buffer_seconds", "Age of the oldest packet that waits for a lost one.", lambda stats: stats.buffer_s),
    ("buffer_packets", "Packets that wait for a lost one.", lambda stats: stats.buffer_packets),
    ("latency_seconds", "Latency as negotiated.", lambda stats: stats.latency_s),
    ("encrypted", "1 on an encrypted connection.", lambda stats: stats.encrypted),
)
_TS_COUNTERS: tuple[tuple[str, str, Callable[[TsCounters], int]], ...] = (
    ("discontinuities", "Times that packets of a stream were missing.", lambda ts: ts.discontinuities),
    ("damaged_pes", "PES packets left out because bytes of them are missing.", lambda ts: ts.damaged),
    ("malformed", "PES packets, sections and frames that cannot be read.", lambda ts: ts.malformed),
    ("scrambled_packets", "Packets that the sender encrypted itself.", lambda ts: ts.scrambled),
    ("skipped_bytes", "Bytes between transport packets.", lambda ts: ts.skipped_bytes),
)
_DROPS: tuple[tuple[str, Callable[[PortCounters], int]], ...] = (
    ("malformed", lambda port: port.malformed),
    ("unknown_session", lambda port: port.unknown),
    ("wrong_address", lambda port: port.wrong_address),
    ("induction_rate", lambda port: port.inductions_throttled),
    ("bad_cookie", lambda port: port.bad_cookies),
    ("allowance", lambda port: port.throttled),
    ("outgoing", lambda port: port.outgoing_dropped),
)
_HANDSHAKES: tuple[tuple[str, Callable[[PortCounters], int]], ...] = (
    ("induction", lambda port: port.inductions),
    ("asked", lambda port: port.requests),
    ("refused", lambda port: port.refused),
    ("rejected", lambda port: port.rejected),
    ("repeated", lambda port: port.repeated),
)


_COUNTER_NAMES = (
    *((f"headwater_srt_{name}", text) for name, text, _ in _COUNTERS),
    *((f"headwater_mpegts_{name}", text) for name, text, _ in _TS_COUNTERS),
)


class Demuxed(Protocol):
    """A demultiplexer, as far as it counts."""

    @property
    def counters(self) -> TsCounters:
        """Of its transport stream."""


class Counted(Protocol):
    """A publisher, as far as it counts."""

    @property
    def last_stats(self) -> Stats | None:
        """Of its session; None before the first look."""

    @property
    def demuxer(self) -> Demuxed:
        """Of its transport stream."""


class Port:
    """What the metrics read of a listener."""

    def __init__(
        self,
        counters: Callable[[], PortCounters],
        kernel_drops: Callable[[], int],
        unsent: Callable[[], int],
        derived_keys: Callable[[], int],
    ) -> None:
        self.counters, self.kernel_drops, self.unsent, self.derived_keys = counters, kernel_drops, unsent, derived_keys


class Pulled(Protocol):
    """What the metrics read of a pull."""

    name: str
    attempts: int
    failures: int

    @property
    def connected(self) -> bool:
        """Media may come."""


class SrtMetrics(LiveSeries):
    """All metrics of SRT.

    Args:
        registry: where they are registered.
        streams: the streams there are now.
        pulls: the configured pulls.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        streams: Callable[[], Iterable[LiveStream]],
        pulls: Callable[[], Iterable[Pulled]],
    ) -> None:
        self.port: Port | None = None
        self._streams = streams
        self._pulls = pulls
        self._ended: dict[str, list[int]] = {}
        """By stream: what its ended sessions counted, in the order of both tables."""
        super().__init__(registry)

    def ended(self, stream: str, publisher: Counted) -> None:
        """A session of a stream is over."""
        self._forget()
        before = self._ended.get(stream)
        self._ended[stream] = _sums(before, _figures(publisher))

    def _forget(self) -> None:
        """The sums of a stream go with it."""
        known = {live.name for live in self._streams()}
        for name in [name for name in self._ended if name not in known]:
            del self._ended[name]

    def collect(self) -> Iterator[Metric]:
        """The series of every stream that came over SRT, and of the port."""
        self._forget()
        sums: dict[str, list[int]] = {}
        present: dict[str, Stats] = {}
        for stream in self._streams():
            publisher = stream.publisher if isinstance(stream.publisher, SrtPublisher) else None
            if publisher is not None and (stats := publisher.stats()) is not None:
                present[stream.name] = stats
            if publisher is not None:
                sums[stream.name] = _sums(self._ended.get(stream.name), _figures(publisher))
            elif stream.name in self._ended:
                sums[stream.name] = self._ended[stream.name]
        for index, (name, text) in enumerate(_COUNTER_NAMES):
            counter = CounterMetricFamily(name, text, labels=["stream"])
            for stream_name, figures in sums.items():
                counter.add_metric([stream_name], figures[index])
            yield counter
        for name, text, value in _GAUGES:
            gauge = GaugeMetricFamily(f"headwater_srt_{name}", text, labels=["stream"])
            for stream_name, stats in present.items():
                gauge.add_metric([stream_name], float(value(stats)))
            yield gauge
        if self.port is not None:
            yield from self._port(self.port)
        yield from self._pulled()

    def _pulled(self) -> Iterator[Metric]:
        connected = GaugeMetricFamily("headwater_srt_pull_connected", "1 while the source sends.", labels=["stream"])
        attempts = CounterMetricFamily("headwater_srt_pull_attempts", "Calls of the source.", labels=["stream"])
        failures = CounterMetricFamily(
            "headwater_srt_pull_failures", "Calls and connections that ended.", labels=["stream"]
        )
        for pull in self._pulls():
            connected.add_metric([pull.name], float(pull.connected))
            attempts.add_metric([pull.name], pull.attempts)
            failures.add_metric([pull.name], pull.failures)
        yield from (connected, attempts, failures)

    def _port(self, port: Port) -> Iterator[Metric]:
        counters = port.counters()
        handshakes = CounterMetricFamily("headwater_srt_handshakes", "Handshakes by outcome.", labels=["outcome"])
        for outcome, read in _HANDSHAKES:
            handshakes.add_metric([outcome], read(counters))
        yield handshakes
        drops = CounterMetricFamily(
            "headwater_srt_datagrams_dropped", "Datagrams dropped, by reason.", labels=["reason"]
        )
        for reason, read in _DROPS:
            drops.add_metric([reason], read(counters))
        drops.add_metric(["socket_buffer"], port.kernel_drops())
        drops.add_metric(["unsent"], port.unsent())
        yield drops
        keys = CounterMetricFamily("headwater_srt_keys_derived", "Passphrases checked by computing (PBKDF2).")
        keys.add_metric([], port.derived_keys())
        yield keys


def _figures(publisher: Counted) -> list[int]:
    stats, ts = publisher.last_stats, publisher.demuxer.counters
    figures = [read(stats) if stats is not None else 0 for _, _, read in _COUNTERS]
    return figures + [read(ts) for _, _, read in _TS_COUNTERS]


def _sums(before: list[int] | None, figures: list[int]) -> list[int]:
    return figures if before is None else [one + other for one, other in zip(before, figures, strict=True)]
