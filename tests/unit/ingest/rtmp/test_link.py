"""Acknowledgements, windows, pings, and the outgoing bound."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.rtmp_client import ACKNOWLEDGEMENT, SET_CHUNK_SIZE, USER_CONTROL, WINDOW, Publisher, Reply

from headwater.ingest.rtmp.errors import LimitExceeded
from headwater.ingest.rtmp.limits import Limits
from headwater.ingest.rtmp.link import Link
from headwater.ingest.rtmp.messages import Message, MessageType, UserControl, number, user_control


def make(**limits: int) -> Link:
    return Link(replace(Limits(), ping_s=20, **limits), 0.0)


def sent(link: Link) -> list[Reply]:
    return Publisher(handshake=b"done").receive(link.take())


def receive(link: Link, kind: MessageType, payload: bytes, now: float = 0.0) -> None:
    link.message(Message(kind, 0, 0, payload), now)


def test_acknowledgement_every_window() -> None:
    link = make()
    receive(link, MessageType.WINDOW_ACK_SIZE, number(1000))
    link.received(999, 0)
    assert sent(link) == []
    link.received(1, 0)
    link.received(5000, 0)
    assert [(r.type, int.from_bytes(r.payload)) for r in sent(link)] == [
        (ACKNOWLEDGEMENT, 1000),
        (ACKNOWLEDGEMENT, 6000),
    ]


def test_acknowledgement_wraps_at_32_bits() -> None:
    link = make()
    link.received((1 << 32) + 5, 0)
    assert int.from_bytes(sent(link)[0].payload) == 5


def test_a_window_that_never_fills_is_not_waited_for() -> None:
    link = make()
    receive(link, MessageType.WINDOW_ACK_SIZE, number(0xFFFFFFFF))
    link.received(2_500_000, 0)
    assert [r.type for r in sent(link)] == [ACKNOWLEDGEMENT]


def test_peer_bandwidth_is_answered_with_a_window() -> None:
    link = make()
    receive(link, MessageType.SET_PEER_BANDWIDTH, number(5_000_000) + b"\x02")
    receive(link, MessageType.SET_PEER_BANDWIDTH, number(5_000_000) + b"\x02")
    assert [(r.type, int.from_bytes(r.payload)) for r in sent(link)] == [(WINDOW, 5_000_000)]


def test_ping_request_is_answered() -> None:
    link = make()
    receive(link, MessageType.USER_CONTROL, user_control(UserControl.PING_REQUEST, 0xDEADBEEF))
    assert [(r.type, r.payload) for r in sent(link)] == [(USER_CONTROL, b"\x00\x07\xde\xad\xbe\xef")]


@pytest.mark.parametrize("kind", range(3, 7))
@pytest.mark.parametrize("payload", [b"", b"\x00", bytes(4), b"\x00\x1f\x00\x00\x00\x00", b"\x00\x03" + bytes(8)])
def test_unknown_and_malformed_control_is_ignored(kind: int, payload: bytes) -> None:
    link = make()
    receive(link, MessageType(kind), payload[:3] if kind == MessageType.SET_PEER_BANDWIDTH else payload)
    assert sent(link) == []


def test_pings() -> None:
    link = make()
    link.begin(5.0)
    assert link.next_timeout() == 25.0
    assert link.handle_timeout(24.9)
    assert sent(link) == []
    assert link.handle_timeout(25.0)
    assert [r.payload for r in sent(link)] == [b"\x00\x06" + (25_000).to_bytes(4)]
    receive(link, MessageType.USER_CONTROL, user_control(UserControl.PING_RESPONSE, 25_000), 25.25)
    assert link.round_trip_s == 0.25
    link.received(1, 26.0)
    assert link.next_timeout() == 45.0
    assert link.handle_timeout(45.0), "anything that was heard counts"
    assert not link.handle_timeout(65.0)


def test_foreign_ping_response_is_no_measurement() -> None:
    link = make()
    receive(link, MessageType.USER_CONTROL, user_control(UserControl.PING_RESPONSE, 0))
    assert link.round_trip_s is None


def test_greeting() -> None:
    link = make()
    link.greet()
    assert [r.type for r in sent(link)] == [5, 6, SET_CHUNK_SIZE]


def test_outgoing_is_bounded() -> None:
    link = make(outgoing_bytes=100)
    link.write(bytes(100))
    with pytest.raises(LimitExceeded):
        link.write(b"x")
    assert len(link.take()) == 100
    link.write(b"x")
