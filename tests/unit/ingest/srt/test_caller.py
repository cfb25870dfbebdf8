"""The caller's face; its conversations are in tests/talk/test_srt_caller.py."""

from __future__ import annotations

from headwater.ingest.srt.caller import Caller, Phase
from headwater.ingest.srt.errors import CloseReason
from headwater.ingest.srt.events import SessionClosed
from headwater.ingest.srt.limits import Limits

AWAY = ("198.51.100.7", 9000)


def test_before_connect() -> None:
    caller = Caller(Limits(), 0.0, bytes(32))
    assert caller.next_timeout() is None
    caller.handle_timeout(9.0)
    caller.receive_datagram(bytes(64), AWAY, 0.0)
    assert (caller.events_received(), caller.datagrams_to_send()) == ([], [])
    assert not caller.answer_key(caller.session, None, 0.0)
    assert caller.stats(caller.session, 0.0) is None


def test_phases() -> None:
    caller = Caller(Limits(connect_s=1), 0.0, bytes(32))
    caller.connect(AWAY, "demo", None, 0.0)
    assert caller.phase.name == "INDUCTION"
    ((induction, address),) = caller.datagrams_to_send()
    assert address == AWAY
    assert len(induction) == 64
    assert induction[16:24].hex(" ", 4) == "00000004 00000002"
    assert caller.next_timeout() == 0.25
    caller.handle_timeout(0.25)
    assert len(caller.datagrams_to_send()) == 1
    caller.close(caller.session + 1, "of another", 0.5)
    assert caller.phase.name == "INDUCTION"
    caller.handle_timeout(1.0)
    assert caller.phase is Phase.CLOSED
    (event,) = caller.events_received()
    assert isinstance(event, SessionClosed)
    assert event.reason is CloseReason.UNANSWERED
    caller.close(caller.session, "twice", 2.0)
    assert caller.events_received() == []
