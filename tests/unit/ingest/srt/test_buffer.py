"""Order, gaps, and how long they are waited for."""

from __future__ import annotations

import random

import pytest

from headwater.ingest.srt.buffer import Arrival, ReceiveBuffer, Window
from headwater.ingest.srt.clock import Clock
from headwater.ingest.srt.sequence import SEQUENCE_MASK, position_of

LATENCY = 0.3


def buffer(first: int = 5, *, packets: int = 1000, octets: int = 1 << 20, early: bool = True) -> ReceiveBuffer:
    return ReceiveBuffer(first, Window(packets, octets, LATENCY, early), Clock(0, 0.0))


def feed(target: ReceiveBuffer, *numbers: int, now: float = 0.0) -> list[Arrival]:
    """Packets whose content is their number."""
    return [target.insert(number, f"{number},".encode(), int(now * 1e6), now) for number in numbers]


def drain(target: ReceiveBuffer) -> list[bytes | int]:
    ready, target.ready = target.ready, []
    return ready


def test_in_order() -> None:
    target = buffer()
    assert target.simple
    assert feed(target, 5, 6) == [Arrival.READY, Arrival.READY]
    target.ready.append(b"7,")
    target.step()
    assert target.expected == 8
    assert drain(target) == [b"5,", b"6,", b"7,"]
    assert target.simple
    assert target.next_due() is None


def test_a_gap_after_steps_is_exactly_what_is_missing() -> None:
    target = buffer()
    target.step()
    target.step()
    assert feed(target, 9) == [Arrival.GAP]
    assert target.new_gap == (position_of(7), position_of(8))
    assert target.losses.words() == [7 | 1 << 31, 8]
    assert not target.simple


def test_gaps_fill_in_any_order() -> None:
    target = buffer()
    assert feed(target, 7, 9, 10) == [Arrival.GAP, Arrival.GAP, Arrival.HELD]
    assert target.losses.words() == [5 | 1 << 31, 6, 8]
    assert feed(target, 6, 8, 8, 9) == [Arrival.READY, Arrival.READY, Arrival.DUPLICATE, Arrival.DUPLICATE]
    assert drain(target) == []
    assert target.held_packets == 5
    assert feed(target, 5) == [Arrival.READY]
    assert drain(target) == [b"5,", b"6,", b"7,", b"8,", b"9,", b"10,"]
    assert target.simple
    assert feed(target, 5, 10) == [Arrival.BELATED, Arrival.BELATED]
    assert (target.held_bytes, target.held_packets, target.free) == (0, 0, 1000)


def test_a_gap_is_given_up_when_the_packet_behind_it_is_due() -> None:
    target = buffer()
    feed(target, 7, now=1.0)
    feed(target, 9, now=1.1)
    assert target.next_due() == pytest.approx(1.3)
    target.release(1.29)
    assert drain(target) == []
    target.release(1.31)
    assert drain(target) == [2, b"7,"]
    assert target.next_due() == pytest.approx(1.4)
    target.release(2.0)
    assert drain(target) == [1, b"9,"]
    assert target.simple
    assert feed(target, 8) == [Arrival.BELATED]


def test_a_packet_without_content_counts_as_given_up() -> None:
    target = buffer()
    target.insert(5, None, 0, 0.0)
    target.insert(6, None, 0, 0.0)
    feed(target, 7)
    assert drain(target) == [2, b"7,"]


def test_paced_release() -> None:
    target = buffer(early=False)
    feed(target, 5, now=1.0)
    feed(target, 7, now=1.1)
    feed(target, 6, now=1.2)
    assert not target.simple
    assert drain(target) == []
    assert target.next_due() == pytest.approx(1.3)
    target.release(1.3)
    assert drain(target) == [b"5,"]
    assert target.held_packets == 2
    target.release(1.5)
    assert drain(target) == [b"6,", b"7,"]
    feed(target, 9, now=2.0)
    target.release(2.31)
    assert drain(target) == [1, b"9,"]


def test_drop_requests() -> None:
    target = buffer()
    feed(target, 10, now=1.0)
    assert target.drop(6, 7, 1.0) == 2
    assert target.losses.words() == [5, 8 | 1 << 31, 9]
    assert target.next_due() == pytest.approx(1.3), "what is missing before them is still waited for"
    assert target.drop(0, 5, 1.0) == 1
    assert drain(target) == [3]
    assert target.drop(8, 12, 1.0) == 4
    assert drain(target) == [2, b"10,", 2]
    assert target.expected == 13
    assert target.simple
    feed(target, 13)
    assert drain(target) == [b"13,"]
    for first, last in ((20, 19), (13, 13), (0, 5), (100, 99), (14, 5000), (500, 501)):
        assert target.drop(first, last, 1.0) == 0
    assert target.expected == 14


def test_a_far_packet_is_dropped_and_a_second_one_moves_the_window() -> None:
    target = buffer(packets=10)
    feed(target, 5, 7)
    assert feed(target, 500_000) == [Arrival.FAR]
    assert feed(target, 900_000) == [Arrival.FAR], "far from the first stray one"
    assert feed(target, 900_003) == [Arrival.READY]
    assert drain(target) == [b"5,", 1, b"7,", 900_003 - 8, b"900003,"]
    assert feed(target, 900_004) == [Arrival.READY]
    assert target.simple


def test_a_full_window_gives_the_oldest_gap_up() -> None:
    target = buffer(packets=10)
    feed(target, 6, 8, 9, 10, 11, 12, 13, 14)
    assert feed(target, 15) == [Arrival.HELD], "8 to 15 wait for 7"
    assert drain(target) == [1, b"6,"]
    assert feed(target, 20) == [Arrival.GAP]
    assert drain(target)[:2] == [1, b"8,"]
    assert feed(target, 29) == [Arrival.GAP]
    assert feed(target, 39) == [Arrival.FAR]
    assert target.expected == 20 + 1
    assert drain(target)[-1] == b"20,"


def test_bytes_are_bounded_by_giving_up_the_oldest_gap() -> None:
    target = buffer(octets=100)
    for number in (6, 8, 9, 10):
        target.insert(number, bytes(30), 0, 0.0)
    assert target.held_bytes <= 100
    assert drain(target) == [1, bytes(30)]
    paced = buffer(octets=100, early=False)
    for number in (5, 6, 7, 8, 9):
        paced.insert(number, bytes(30), 0, 0.0)
    assert len(drain(paced)) == 2
    assert paced.held_bytes <= 100


def test_paced_packets_are_bounded() -> None:
    target = buffer(packets=10, early=False)
    feed(target, *range(5, 30))
    assert target.held_packets == 10
    assert len(drain(target)) == 15


def test_flush() -> None:
    for early in (True, False):
        target = buffer(early=early)
        feed(target, 5, 7, 9)
        target.flush()
        assert drain(target) == [b"5,", 1, b"7,", 1, b"9,"]
        assert target.next_due() is None


def test_a_sender_with_a_wrong_clock_is_not_waited_for_long() -> None:
    target = buffer(early=False)
    target.insert(5, b"x", int(1000e6), 1.0)
    assert target.next_due() == pytest.approx(1.0 + LATENCY + 1.0)


@pytest.mark.parametrize("first", [5, SEQUENCE_MASK - 20])
@pytest.mark.parametrize("early", [True, False])
def test_any_order_comes_out_in_order(first: int, early: bool) -> None:
    for seed in range(150):
        dice = random.Random(seed)
        count = dice.randrange(1, 60)
        order = list(range(count))
        window = dice.choice((2, 5, 60))
        order.sort(key=lambda number: number + dice.random() * window)
        lost = {number for number in order if dice.random() < dice.choice((0, 0.2))}
        order = [number for number in order if number not in lost]
        order += dice.sample(order, len(order) // 3)
        target = buffer(first, early=early)
        out: list[bytes | int] = []
        for number in order:
            sequence = (first + number) & SEQUENCE_MASK
            if target.simple and sequence == target.expected:
                target.ready.append(bytes((number,)))
                target.step()
            else:
                target.insert(sequence, bytes((number,)), 0, 0.0)
            missing = set(target.losses.missing(0, 1 << 33))
            held = set(target._held)
            assert missing | held == set(range(target.position, target._highest + 1))
            assert not missing & held
            out += drain(target)
        target.flush()
        out += drain(target)
        seen = [item[0] for item in out if isinstance(item, bytes)]
        assert seen == sorted(set(order))
        given_up = sum(item for item in out if isinstance(item, int))
        assert given_up == max(order, default=-1) + 1 - len(set(order))
        assert (target.held_bytes, target.held_packets) == (0, 0)
