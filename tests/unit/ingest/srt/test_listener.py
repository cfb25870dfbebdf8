"""The listener's face."""

from __future__ import annotations

import pytest
from tests.srt_kit import SECRET, Talk

from headwater.ingest.srt.errors import RejectCode, WrongState
from headwater.ingest.srt.keys import KeyAnswer
from headwater.ingest.srt.limits import Limits
from headwater.ingest.srt.listener import Acceptance, Listener


def test_a_new_listener_has_nothing_to_do() -> None:
    listener = Listener(Limits(), 0.0, SECRET)
    assert listener.next_timeout() is None
    listener.handle_timeout(5.0)
    assert listener.events_received() == []
    assert listener.datagrams_to_send() == []
    assert listener.stats(1, 0.0) is None
    listener.close(1, "nobody", 0.0)
    assert not listener.answer_key(1, None, 0.0)


def test_answers_to_what_was_not_asked() -> None:
    talk = Talk()
    talk.add()
    talk.run(talk.now + 0.1)
    with pytest.raises(WrongState):
        talk.listener.accept(talk.session(), None, talk.now)
    with pytest.raises(WrongState):
        talk.listener.reject(talk.session(), RejectCode.CONFLICT, talk.now)
    assert talk.listener.accept(12345, None, talk.now) is Acceptance.GONE
    talk.listener.reject(12345, RejectCode.CONFLICT, talk.now)


def test_a_key_for_a_caller_that_has_none() -> None:
    talk = Talk()
    talk._decide = lambda event: None  # type: ignore[method-assign]
    sender = talk.add()
    talk.run(talk.now + 0.1)
    outcome = talk.listener.accept(talk.requests[0].session, KeyAnswer(bytes(16)), talk.now)
    talk.settle()
    talk.run(talk.now + 0.1)
    assert outcome is Acceptance.UNSECURE
    assert sender.rejected == RejectCode.UNSECURE
