"""Round trips and what acknowledgements say."""

from __future__ import annotations

import pytest

from headwater.ingest.srt.acks import MAX_REPEATS, REMEMBERED, Acks


def test_the_round_trip_time() -> None:
    acks = Acks(100, 0.0)
    assert (acks.rtt, acks.rtt_var) == (0.1, 0.05)
    assert acks.nak_interval == pytest.approx(0.15)
    assert acks.take(101, 1.0) == 1
    assert acks.confirmed(1, 1.04) == pytest.approx(0.04)
    assert acks.rtt == pytest.approx(0.04)
    assert acks.rtt_var == pytest.approx(0.02)
    acks.take(102, 2.0)
    acks.confirmed(2, 2.12)
    assert acks.rtt == pytest.approx(0.04 * 7 / 8 + 0.12 / 8)
    assert acks.rtt_var == pytest.approx(0.02 * 3 / 4 + 0.08 / 4)
    assert acks.nak_interval == pytest.approx((acks.rtt + 4 * acks.rtt_var) / 2)


def test_answers_to_nothing_measure_nothing() -> None:
    acks = Acks(100, 0.0)
    number = acks.take(101, 1.0)
    assert acks.confirmed(0, 1.1) is None
    assert acks.confirmed(number + 1, 1.1) is None
    assert acks.confirmed(number, 0.5) is None, "a clock that went back"
    assert acks.confirmed(number, 1.1) is None, "twice"
    assert not acks.measured
    assert acks.confirmed(acks.take(102, 2.0), 99.0) is None, "an answer after a minute is to something else"


def test_the_nak_interval_has_a_floor() -> None:
    acks = Acks(100, 0.0)
    for number in range(50):
        acks.confirmed(acks.take(101 + number, float(number)), number + 0.001)
    assert acks.nak_interval == 0.02


def test_an_ack_is_repeated_until_it_is_confirmed_or_often_enough() -> None:
    acks = Acks(100, 0.0)
    assert acks.repeat_at is None
    number = acks.take(105, 1.0)
    assert acks.repeat_at == pytest.approx(1.3)
    acks.confirmed(number, 1.1)
    assert acks.repeat_at is None
    acks.take(106, 2.0)
    for _ in range(MAX_REPEATS):
        assert acks.repeat_at is not None
        acks.take(106, acks.repeat_at)
    assert acks.repeat_at is None
    acks.take(107, 99.0)
    assert acks.repeat_at is not None


def test_what_is_remembered_is_bounded() -> None:
    acks = Acks(0, 0.0)
    for number in range(3 * REMEMBERED):
        acks.take(number, number * 0.01)
    assert len(acks._sent) == REMEMBERED
    assert acks.confirmed(1, 31.0) is None
    assert acks.confirmed(3 * REMEMBERED, 31.0) is not None


def test_rates() -> None:
    acks = Acks(0, 0.0)
    for step in range(1, 101):
        fields = acks.fields(1000, step * 8, step * 8 * 1332, step * 0.01)
        acks.take(step * 8, step * 0.01)
    rtt, variance, free, packets, capacity, octets = fields
    assert (rtt, variance, free) == (100_000, 50_000, 1000)
    assert packets == pytest.approx(800, rel=0.02)
    assert octets == pytest.approx(800 * 1332, rel=0.02)
    assert 800 <= capacity <= 810
    assert acks.fields(-5, 800, 1, 1.0)[2] == 0
    acks.measure(800, 800 * 1332, 1.2)
    assert acks.bytes_per_s > 0, "too early"
    acks.measure(800, 800 * 1332, 9.0)
    assert (acks.packets_per_s, acks.bytes_per_s) == (0, 0), "a stream that stopped"


def test_numbers_wrap_past_zero() -> None:
    acks = Acks(0, 0.0)
    acks._number = 0xFFFF_FFFF
    assert acks.take(1, 0.0) == 1
