"""When a publisher's faults are there, and what they do to pictures."""

from __future__ import annotations

import pytest

from headwater.loadtest.publish.flv import TagKind
from headwater.loadtest.scenario.faults import MAX_FILLER, Faults, filled, spell, what
from headwater.loadtest.scenario.publishing import Disconnect, Fault, Jump, Loss, Spike, Stall

AVC = b"\x27\x01\x00\x00\x00" + (20).to_bytes(4, "big") + b"\x41" + bytes(19)


def test_once() -> None:
    faults = Faults([Disconnect(kind="disconnect", at_s=10, for_s=5)])
    assert [faults.until(Disconnect, now) for now in (-float("inf"), 9.9, 10, 14.9, 15, 25)] == [
        None, None, 15, 15, None, None,
    ]  # fmt: skip
    assert faults.until(Stall, 12) is None


def test_again_and_again() -> None:
    fault = Stall(kind="stall", at_s=10, for_s=2, every_s=60)
    faults = Faults([fault])
    assert [faults.until(Stall, now) for now in (11, 13, 71, 73, 612)] == [12, None, 72, None, None]
    found = spell(fault, 611)
    assert found is not None
    assert (found.number, found.begin, found.end) == (10, 610, 612)


def test_each_begin_is_told_once() -> None:
    faults = Faults([Stall(kind="stall", at_s=10, for_s=2, every_s=60), Jump(kind="jump", at_s=11, by_s=-1)])
    told = [[what(one.fault) for one in faults.begun(now)] for now in (0, 10, 10.1, 11, 69, 70, 71)]
    assert told == [[], ["stall for 2 s"], [], ["timestamps jump by -1 s"], [], ["stall for 2 s"], []]


def test_jumps_add_up() -> None:
    faults = Faults([Jump(kind="jump", at_s=10, by_s=5, every_s=10), Jump(kind="jump", at_s=15, by_s=-100)])
    assert [faults.shift_s(now) for now in (9, 10, 16, 20)] == [0, 5, -95, -90]


def test_the_strongest_counts() -> None:
    faults = Faults(
        [
            Spike(kind="spike", at_s=0, for_s=10, factor=2),
            Spike(kind="spike", at_s=5, for_s=10, factor=8),
            Loss(kind="loss", at_s=0, for_s=10, percent=5),
        ]
    )
    assert [faults.factor(now) for now in (1, 6, 12, 16)] == [2, 8, 8, 1]
    assert [faults.loss(now) for now in (1, 11)] == [0.05, 0]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Disconnect(kind="disconnect", at_s=0, for_s=2.5), "disconnect for 2.5 s"),
        (Spike(kind="spike", at_s=0, for_s=3, factor=4), "4 times the bit rate for 3 s"),
        (Loss(kind="loss", at_s=0, for_s=3, percent=0.5), "0.5 % loss for 3 s"),
    ],
)
def test_the_report_says_what(fault: Fault, text: str) -> None:
    assert what(fault) == text


def test_filler_is_a_nal_unit_of_its_own() -> None:
    found = filled(TagKind.VIDEO, AVC, 8)
    assert found.startswith(AVC)
    assert len(found) == len(AVC) * 8
    filler = found[len(AVC) :]
    assert int.from_bytes(filler[:4], "big") == len(filler) - 4
    assert filler[4] & 0x1F == 12  # H.264, table 7-1
    assert set(filler[5:-1]) == {0xFF}
    assert filler[-1] == 0x80


@pytest.mark.parametrize(
    ("kind", "payload", "factor"),
    [
        (TagKind.VIDEO, AVC, 1.0),
        (TagKind.VIDEO, AVC, 1.1),  # too little for a unit
        (TagKind.AUDIO, AVC, 8),
        (TagKind.VIDEO, b"\x17\x00" + AVC[2:], 8),  # the decoder's configuration
        (TagKind.VIDEO, b"\x93hvc1" + AVC, 8),  # Enhanced RTMP
        (TagKind.VIDEO, b"\x27", 8),
    ],
)
def test_what_stays_as_it_is(kind: TagKind, payload: bytes, factor: float) -> None:
    assert filled(kind, payload, factor) == payload


def test_filler_is_bounded() -> None:
    assert len(filled(TagKind.VIDEO, AVC + bytes(1 << 20), 100)) <= (1 << 20) + len(AVC) + MAX_FILLER
