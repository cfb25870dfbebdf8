"""Feeds what a publisher sent to a session, in pieces of any size."""

from __future__ import annotations

from headwater.ingest.rtmp.events import PublishRequested, SessionEvent
from headwater.ingest.rtmp.limits import Limits
from headwater.ingest.rtmp.session import PublishSession


def replay(data: bytes, sizes: list[int]) -> list[SessionEvent]:
    """Feed `data` in pieces of the sizes, in turn; every publish is accepted."""
    session = PublishSession(Limits(), 0.0, bytes(32))
    events: list[SessionEvent] = []
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        session.receive_data(data[at : at + size], 0.0)
        at += size
        turn += 1
        while fresh := session.events_received():
            events += fresh
            if isinstance(fresh[-1], PublishRequested):
                session.accept(0.0)
        session.data_to_send()
    assert session.counters.bad_tags == 0
    assert session.counters.unreadable == 0
    session.receive_eof(0.0)
    return events + session.events_received()
