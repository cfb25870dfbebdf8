"""Reading with a budget: the first fault stays, and everything after it is empty."""

from __future__ import annotations

from headwater.ingest.rtmp.amf_source import Source
from headwater.ingest.rtmp.limits import AMF_DEPTH, AMF_NODES


def test_reads() -> None:
    source = Source(b"\x01\x02\x03abc\x40\x04\x00\x00\x00\x00\x00\x00")
    assert source.uint(1) == 1
    assert source.uint(2) == 0x0203
    assert source.text(3) == "abc"
    assert source.double() == 2.5
    assert not source.more()
    assert not source.failed()


def test_the_first_fault_stays() -> None:
    source = Source(b"\x01\x02")
    assert source.take(3) == b""
    first = source.fault
    assert source.failed()
    assert (source.uint(1), source.double(), source.text(1), source.take(1)) == (0, 0.0, "", b"")
    source.fail("another")
    assert source.fault == first
    assert not source.more()


def test_budget() -> None:
    assert not Source(b"").spend(AMF_DEPTH + 1)
    source = Source(b"")
    assert source.spend(AMF_DEPTH, AMF_NODES)
    assert not source.spend(0)


def test_what_a_fault_leaves() -> None:
    source = Source(b"")
    assert source.whole(None)
    source.fail("x")
    assert source.whole({})
    assert source.whole([])
    assert not source.whole("cut")
