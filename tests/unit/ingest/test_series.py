"""Series that are read when somebody asks, and go when their collector is closed."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric

from headwater.ingest.series import LiveSeries


class Streams(LiveSeries):
    def collect(self) -> Iterator[Metric]:
        gauge = GaugeMetricFamily("streams", "There are.", labels=["stream"])
        gauge.add_metric(["demo"], 1.0)
        yield gauge


def test_series_are_there_until_the_collector_is_closed() -> None:
    registry = CollectorRegistry(auto_describe=True)
    series = Streams(registry)
    assert registry.get_sample_value("streams", {"stream": "demo"}) == 1.0
    series.close()
    assert registry.get_sample_value("streams", {"stream": "demo"}) is None
    series.close()


def test_no_name_is_taken_before_there_is_a_stream() -> None:
    assert Streams(CollectorRegistry(auto_describe=True)).describe() == []
