"""One connection, packet by packet."""

from __future__ import annotations

import struct

import pytest

from headwater.ingest.srt.errors import CloseReason
from headwater.ingest.srt.events import DataReceived, PacketsLost, SessionClosed
from headwater.ingest.srt.limits import TICK_S, Limits
from headwater.ingest.srt.session import Session

HOME = ("192.0.2.1", 4000)


def session(now: float = 0.0) -> Session:
    made = Session(7, 9, HOME, Limits(), sequence=10, stamp=0, latency_s=0.3, now=now)
    made.opened(now)
    return made


def feed(target: Session, *sequences: int, now: float = 0.0, flags: int = 0) -> None:
    for sequence in sequences:
        payload = f"{sequence},".encode()
        stamp = int(now * 1e6) & 0xFFFFFFFF
        header = struct.pack(">IIII", sequence, flags, stamp, 7)
        target.data(sequence, flags, stamp, header + payload, now)


def test_data_of_one_drain_is_joined() -> None:
    target = session()
    feed(target, 10, 11, 12, now=0.5)
    assert target.take_events() == [DataReceived(7, b"10,11,12,", 0.5)]
    assert target.take_events() == []


def test_losses_stand_between_the_data() -> None:
    target = session()
    feed(target, 10, 12, 13, 15, now=0.1)
    target.tick(1.0)
    assert target.take_events() == [
        DataReceived(7, b"10,", 0.1), PacketsLost(7, 1), DataReceived(7, b"12,13,", 0.1), PacketsLost(7, 1),
        DataReceived(7, b"15,", 0.1),
    ]  # fmt: skip
    assert target.counters.lost == 2
    assert target.counters.dropped == 2


def test_the_fast_way_stirs_once_per_drain() -> None:
    target = session()
    feed(target, 10)
    target.stirred = False
    target.take_events()
    feed(target, 11)
    assert target.stirred
    target.stirred = False
    feed(target, 12, 13, 14)
    assert not target.stirred


@pytest.mark.parametrize("now", [0.0, 0.001, 0.0099, 1.0, 1.234567, 86_400.0, 86_400.3])
def test_due_times_are_on_the_grid_after_now(now: float) -> None:
    target = session(now)
    target.tick(now + 2)
    feed(target, 10, now=now + 2)
    assert now + 2 < target.due <= now + 2 + TICK_S + 1e-6
    assert target.due / TICK_S == pytest.approx(round(target.due / TICK_S), abs=1e-4)


def test_counting() -> None:
    target = session()
    feed(target, 10, 11, 11, 9)
    feed(target, 13, 13)
    feed(target, 12, flags=1 << 26)
    feed(target, 9_000_000)
    counters = target.counters
    assert (counters.packets, counters.belated, counters.duplicate, counters.retransmitted) == (8, 2, 1, 1)
    assert counters.out_of_window == 1
    stats = target.stats(0.0)
    assert (stats.packets, stats.lost, stats.latency_s, stats.buffer_packets) == (8, 1, 0.3, 0)


def test_the_age_of_what_waits() -> None:
    target = session()
    feed(target, 11, now=1.0)
    assert target.stats(1.2).buffer_s == pytest.approx(0.2)


def test_nothing_happens_after_the_end() -> None:
    target = session()
    target.close(CloseReason.SERVER, "enough", 1.0)
    target.close(CloseReason.PEER, "again", 1.0)
    target.tick(9.0)
    assert len(target.take_datagrams()) == 1
    assert target.take_events() == [SessionClosed(7, CloseReason.SERVER, "enough")]


def test_a_packet_without_payload_is_a_packet() -> None:
    target = session()
    header = struct.pack(">IIII", 10, 0, 0, 7)
    target.data(10, 0, 0, header, 0.0)
    feed(target, 11)
    assert target.take_events() == [DataReceived(7, b"11,", 0.0)]
