"""Who enters, of how many, and what is said of who does not."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from headwater.ingest.auth import Refusal
from headwater.ingest.gate import Gate
from headwater.ingest.metrics import IngestMetrics


@dataclass(eq=False)
class Guest:
    address: str
    protocol: str = "rtmp"


async def test_bounds_and_counts() -> None:
    registry = CollectorRegistry()
    gate = Gate(3, 2, IngestMetrics(registry, lambda: ()))
    assert gate.empty.is_set()
    guests = [Guest("192.0.2.1"), Guest("192.0.2.1"), Guest("192.0.2.2")]
    assert [gate.enter(guest) for guest in guests[:2]] == [None, None]
    assert gate.enter(Guest("192.0.2.1")) is Refusal.ADDRESS
    assert gate.enter(guests[2]) is None
    assert gate.enter(Guest("192.0.2.3")) is Refusal.CONNECTIONS
    assert registry.get_sample_value("headwater_ingest_connections", {"protocol": "rtmp"}) == 3
    assert registry.get_sample_value("headwater_ingest_refused_total", {"reason": "address"}) == 1
    assert not gate.empty.is_set()
    gate.closed = True
    assert gate.enter(Guest("192.0.2.4")) is Refusal.DRAIN
    for guest in [*guests, guests[0]]:
        gate.leave(guest)
    assert gate.empty.is_set()
    assert registry.get_sample_value("headwater_ingest_connections", {"protocol": "rtmp"}) == 0


async def test_a_place_that_is_free_again_is_given_again() -> None:
    gate = Gate(10, 1, IngestMetrics(CollectorRegistry(), lambda: ()))
    first, second = Guest("192.0.2.1"), Guest("192.0.2.1")
    assert gate.enter(first) is None
    assert gate.enter(second) is Refusal.ADDRESS
    gate.leave(second)
    assert gate.enter(second) is Refusal.ADDRESS
    gate.leave(first)
    assert gate.enter(second) is None
