from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from headwater.loadtest.bench.metrics import samples, total


@pytest.fixture
def text() -> str:
    """A page with names that begin alike."""
    registry = CollectorRegistry()
    refused = Counter("refused", "Refused", ["reason", "stream"], registry=registry)
    for count, (reason, stream) in enumerate([("full", "a"), ("full", 'b"\\,{c} x'), ("late", "a")], 1):
        refused.labels(reason, stream).inc(count)
    Gauge("refused_total_s", "Another", registry=registry).set(0.25)
    Gauge("refused_", "And another", ["reason"], registry=registry).labels("full").set(1e6)
    return generate_latest(registry).decode()


def test_the_series_of_one_name(text: str) -> None:
    found = samples(text, "refused_total")
    assert [(sample.labels["reason"], sample.labels["stream"], sample.value) for sample in found] == [
        ("full", "a", 1), ("full", 'b"\\,{c} x', 2), ("late", "a", 3),
    ]  # fmt: skip
    assert [sample.value for sample in samples(text, "refused_total_s")] == [0.25]
    assert samples(text, "refused") == []


def test_sums_of_series_with_labels(text: str) -> None:
    assert total(text, "refused_total") == 6
    assert total(text, "refused_total", stream="a") == 4
    assert total(text, "refused_total", reason="full", stream="a") == 1
    assert total(text, "refused_total", reason="") == 0
    assert total(text, "refused_total", other="a") == 0
    assert total("", "refused_total") == 0


def test_a_line_that_cannot_be_read() -> None:
    with pytest.raises(ValueError, match="x"):
        samples("a_total x", "a_total")
