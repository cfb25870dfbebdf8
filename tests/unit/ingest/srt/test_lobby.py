"""Handshakes up to the shell's answer."""

from __future__ import annotations

import pytest
from tests.srt_sender import CONCLUSION, INDUCTION, Profile, Sender, control, handshake

from headwater.ingest.srt.errors import RejectCode
from headwater.ingest.srt.events import CallerRefused, ConnectionRequested
from headwater.ingest.srt.handshake import WAVEAHAND
from headwater.ingest.srt.limits import Limits
from headwater.ingest.srt.lobby import Lobby
from headwater.ingest.srt.stats import PortCounters

HOME = ("192.0.2.1", 4000)


def lobby(limits: Limits | None = None) -> Lobby:
    return Lobby(limits or Limits(), 0.0, bytes(32), PortCounters())


def ask(target: Lobby, profile: Profile | None = None, now: float = 1.0) -> ConnectionRequested:
    sender = Sender(profile)
    target.receive(sender.conclusion(target._jar.cookie(HOME, now), now), HOME, now)
    (event,) = target.take_events()
    assert isinstance(event, ConnectionRequested)
    return event


def test_an_induction_is_answered_with_a_cookie_and_the_same_length() -> None:
    target = lobby()
    asked = Sender().induction(1.0)
    target.receive(asked, HOME, 1.0)
    ((answer, address),) = target.outgoing
    assert (len(answer), address) == (len(asked), HOME)
    assert int.from_bytes(answer[44:48]) == target._jar.cookie(HOME, 1.0)
    assert answer[20:24].hex() == "00004a17"
    assert not target._by_caller


def test_a_request_goes_to_the_shell_once() -> None:
    target = lobby()
    event = ask(target)
    assert target.asked == [(event.session, 1.0 + Limits().answer_s)]
    sender = Sender()
    target.receive(sender.conclusion(target._jar.cookie(HOME, 1.0), 1.1), HOME, 1.1)
    assert not target.take_events()
    assert not target.outgoing
    request = target.take(event.session)
    assert request is not None
    assert target.take(event.session) is None
    target.open(event.session, request, 1.2)
    target.closed(event.session, 1.3)
    assert not target._by_caller
    assert target._admission._open_total == 0


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("kind", [INDUCTION, WAVEAHAND])
def test_a_caller_that_is_known_is_not_asked_to_begin_anew(kind: int, opened: bool) -> None:
    """libsrt callers end their connection when such an answer comes late."""
    target = lobby()
    event = ask(target)
    if opened:
        request = target.take(event.session)
        assert request is not None
        target.open(event.session, request, 1.2)
        target.outgoing.clear()
    version = 4 if kind == INDUCTION else 5
    known, other = (
        handshake(kind, version=version, flags=2, sequence=1000, socket_id=number, stamp=0)
        for number in (Profile().socket_id, 78)
    )
    target.receive(known, HOME, 1.3)
    assert not target.outgoing
    target.receive(other, HOME, 1.3)
    assert len(target.outgoing) == 1


def test_a_refusal_says_so_in_an_event() -> None:
    target = lobby()
    sender = Sender(Profile(version=1))
    target.receive(sender.conclusion(target._jar.cookie(HOME, 1.0), 1.0), HOME, 1.0)
    (event,) = target.take_events()
    assert isinstance(event, CallerRefused)
    assert event.code is RejectCode.VERSION
    assert len(target.outgoing) == 1


def test_what_is_no_handshake_is_counted() -> None:
    target = lobby()
    counters = target._counters
    target.receive(control(0, 0, 55, body=bytes(48)), HOME, 1.0)
    assert counters.unknown == 1
    for datagram in (
        control(1, 0, 0),
        control(0, 0, 0, body=bytes(47)),
        bytes(64),
        handshake(0xFFFFFFFE),
        handshake(2),
        handshake(1010),
    ):
        target.receive(datagram, HOME, 1.0)
    assert counters.malformed == 6
    assert not target.outgoing
    assert (INDUCTION, CONCLUSION) == (1, 0xFFFFFFFF)
