"""One connection: deadlines, bounds, held bytes, decisions, endings."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.rtmp_client import COMMAND, DATA, VIDEO, Publisher, amf0, control, message, user_control

from headwater.ingest.media import Packet
from headwater.ingest.rtmp.errors import CloseReason, WrongState
from headwater.ingest.rtmp.events import (
    Closed,
    MetadataReceived,
    PublishEnded,
    PublishRequested,
    RejectCode,
    SessionEvent,
)
from headwater.ingest.rtmp.limits import BAD_TAGS_IN_A_ROW, UNPUBLISHED_MESSAGES, Limits
from headwater.ingest.rtmp.session import PublishSession
from headwater.ingest.tracks import TrackConfigured

ENTROPY = bytes(32)
AAC = b"\xaf\x00\x11\x90"
FRAME = b"\xaf\x01" + bytes(50)


def start(**limits: float) -> tuple[PublishSession, Publisher]:
    return PublishSession(replace(Limits(), **limits), 0.0, ENTROPY), Publisher()  # type: ignore[arg-type]


def publishing(**limits: float) -> tuple[PublishSession, Publisher]:
    session, publisher = start(**limits)
    session.receive_data(publisher.opening(), 0.0)
    session.accept(0.0)
    session.events_received()
    publisher.receive(session.data_to_send())
    return session, publisher


def last(session: PublishSession) -> Closed:
    """The closing event, after which nothing comes."""
    events = session.events_received()
    assert isinstance(events[-1], Closed)
    assert sum(isinstance(event, Closed) for event in events) == 1
    assert session.closed
    assert session.next_timeout() is None
    return events[-1]


def kinds(events: list[SessionEvent]) -> list[type]:
    return [type(event) for event in events]


def test_handshake_deadline() -> None:
    session, publisher = start(handshake_s=10)
    assert session.next_timeout() == 10.0
    session.receive_data(publisher.hello(), 9.0)
    session.handle_timeout(9.9)
    assert not session.closed
    session.handle_timeout(10.0)
    assert last(session) == Closed(CloseReason.TIMEOUT, "no handshake in time")


def test_publish_deadline_lasts_until_accept() -> None:
    session, publisher = start(handshake_s=10, publish_s=7)
    session.receive_data(publisher.hello() + publisher.c2(), 5.0)
    assert session.next_timeout() == 12.0
    session.receive_data(publisher.connect() + publisher.publish(), 11.0)
    assert session.next_timeout() == 12.0
    session.handle_timeout(12.0)
    assert last(session).detail == "no publish in time"
    session.accept(12.0)
    assert session.events_received() == []


def test_no_deadline_while_publishing_but_pings() -> None:
    session, publisher = publishing(publish_s=7, ping_s=20)
    assert session.next_timeout() == 20.0
    session.handle_timeout(20.0)
    assert [r.type for r in publisher.receive(session.data_to_send())] == [4]
    session.receive_data(publisher.audio(AAC, 0), 21.0)
    session.handle_timeout(40.0)
    session.handle_timeout(60.0)
    assert last(session).reason is CloseReason.PING


def test_pings_before_the_publish() -> None:
    session, publisher = start(publish_s=100, ping_s=20)
    session.receive_data(publisher.hello() + publisher.c2(), 0.0)
    assert session.next_timeout() == 20.0


def test_deadline_again_after_the_end() -> None:
    session, publisher = publishing(publish_s=7)
    session.receive_data(publisher.unpublish(), 100.0)
    assert PublishEnded() in session.events_received()
    assert not session.publishing
    assert session.next_timeout() is not None
    session.handle_timeout(107.0)
    assert last(session).reason is CloseReason.TIMEOUT


def test_media_behind_publish_is_held_until_accept() -> None:
    session, publisher = start()
    session.receive_data(publisher.opening() + publisher.audio(AAC, 0) + publisher.audio(FRAME, 23), 1.0)
    session.receive_data(publisher.audio(FRAME, 46), 2.0)
    assert kinds(session.events_received()) == [PublishRequested]
    session.accept(3.0)
    assert kinds(session.events_received()) == [TrackConfigured, Packet, Packet]
    assert session.last_media_at == 3.0
    assert session.publishing


def test_held_bytes_are_bounded() -> None:
    session, publisher = start(pre_publish_bytes=10_000)
    session.receive_data(publisher.opening(), 1.0)
    for _ in range(4):
        session.receive_data(bytes(4_000), 1.0)
    assert last(session).reason is CloseReason.LIMIT


def test_bytes_before_publish_are_bounded() -> None:
    session, publisher = start(pre_publish_bytes=10_000)
    session.receive_data(publisher.hello() + publisher.c2(), 1.0)
    session.receive_data(message(VIDEO, bytes(6_000)), 1.0)
    assert not session.closed
    session.receive_data(message(VIDEO, bytes(2_000)), 1.0)
    assert last(session).reason is CloseReason.LIMIT


def test_bytes_before_the_next_publish_are_counted_anew() -> None:
    session, publisher = publishing(pre_publish_bytes=10_000)
    session.receive_data(publisher.audio(bytes(50_000), 0), 1.0)
    session.receive_data(publisher.unpublish(), 1.0)
    session.receive_data(publisher.command("publish", None, "again", stream_id=1), 1.0)
    session.accept(1.0)
    assert session.publishing
    session.receive_data(publisher.unpublish(), 1.0)
    session.receive_data(publisher.video(bytes(20_000), 0), 1.0)
    assert last(session).reason is CloseReason.LIMIT


@pytest.mark.parametrize("code", list(RejectCode))
def test_reject_says_why_then_closes(code: RejectCode) -> None:
    session, publisher = start()
    session.receive_data(publisher.opening(), 0.0)
    session.events_received()
    session.reject(code, "Not today.", 0.0)
    publisher.receive(session.data_to_send())
    status = publisher.commands()[-1]
    assert status == ["onStatus", 0.0, None, {"level": "error", "code": str(code), "description": "Not today."}]
    assert last(session).reason is CloseReason.REJECTED


def test_decisions_without_a_request_are_the_shells_mistake() -> None:
    session, _ = start()
    with pytest.raises(WrongState):
        session.accept(0.0)
    with pytest.raises(WrongState):
        session.reject(RejectCode.DENIED, "", 0.0)


def test_decisions_after_the_peer_left() -> None:
    session, publisher = start()
    session.receive_data(publisher.opening(), 0.0)
    session.receive_eof(0.0)
    assert last(session).reason is CloseReason.PEER
    session.accept(0.0)
    session.reject(RejectCode.DENIED, "", 0.0)
    assert session.events_received() == []


def test_eof_while_publishing() -> None:
    session, _ = publishing()
    session.receive_eof(5.0)
    assert kinds(session.events_received()) == [PublishEnded, Closed]
    session.receive_eof(5.0)
    session.receive_data(b"more", 5.0)
    session.handle_timeout(500.0)
    session.close("again")
    assert session.events_received() == []


def test_close_by_the_server() -> None:
    session, _ = publishing()
    session.close("taken over by another publisher")
    assert session.events_received() == [
        PublishEnded(),
        Closed(CloseReason.SERVER, "taken over by another publisher"),
    ]


@pytest.mark.parametrize("first", [b"\x06", b"GET / HTTP/1.1", b"\x16\x03\x01"])
def test_other_protocols(first: bytes) -> None:
    session, _ = start()
    session.receive_data(first, 0.0)
    assert last(session).reason is CloseReason.HANDSHAKE
    assert session.data_to_send() == b""


def test_lost_sync() -> None:
    session, _ = publishing()
    session.receive_data(b"\xff" * 100, 0.0)
    assert last(session).reason is CloseReason.PROTOCOL


def test_a_peer_that_never_reads() -> None:
    session, publisher = publishing(outgoing_bytes=10_000)
    for _ in range(1_000):
        session.receive_data(publisher.command("createStream", None), 0.0)
    assert last(session).reason is CloseReason.LIMIT
    assert len(session.data_to_send()) <= 10_000


def test_play_closes() -> None:
    session, publisher = start()
    session.receive_data(publisher.hello() + publisher.c2() + publisher.connect(), 0.0)
    session.receive_data(publisher.command("play", None, "demo", stream_id=1), 0.0)
    assert last(session).reason is CloseReason.PLAY
    publisher.receive(session.data_to_send())
    assert publisher.codes()[-1] == "NetStream.Play.StreamNotFound"


def test_one_bad_tag_is_a_count_many_are_the_end() -> None:
    session, publisher = publishing()
    bad = b"\x17"
    session.receive_data(publisher.video(bad, 0), 0.0)
    assert session.counters.bad_tags == 1
    session.receive_data(publisher.audio(AAC, 0), 0.0)
    for number in range(BAD_TAGS_IN_A_ROW - 1):
        session.receive_data(publisher.video(bad, number), 0.0)
    assert not session.closed
    session.receive_data(publisher.video(bad, 999), 0.0)
    assert last(session).reason is CloseReason.MEDIA


def test_metadata() -> None:
    session, publisher = publishing()
    session.receive_data(publisher.metadata({"width": 1280, "encoder": "x"}), 0.0)
    assert session.events_received() == [MetadataReceived({"width": 1280.0, "encoder": "x"})]
    session.receive_data(message(DATA, amf0("onCuePoint", {}), chunk_size=4096), 0.0)
    session.receive_data(message(DATA, amf0("onMetaData", "x" * 70_000), chunk_size=4096), 0.0)
    assert session.events_received() == []
    assert (session.counters.ignored, session.counters.unreadable) == (1, 1)


def test_unreadable_commands_and_unknown_types_are_counted() -> None:
    session, _ = publishing()
    session.receive_data(message(COMMAND, b"\xff\xff") + message(77, b"x") + message(19, b"x"), 0.0)
    assert session.counters.unreadable == 1
    assert session.counters.ignored == 2
    assert not session.closed


def test_media_outside_a_publish_and_empty_media_are_ignored() -> None:
    session, publisher = start()
    session.receive_data(publisher.hello() + publisher.c2() + publisher.connect(), 0.0)
    session.receive_data(publisher.video(b"\x17\x01", 0) + publisher.metadata({}), 0.0)
    assert session.counters.ignored == 2
    session, publisher = publishing()
    session.receive_data(publisher.video(b"", 0), 0.0)
    assert session.counters.ignored == 1


def test_aggregates_are_taken_apart() -> None:
    session, _ = publishing()
    tags = b""
    for stamp, body in ((500, AAC), (523, FRAME), (546, FRAME)):
        tags += b"\x08" + len(body).to_bytes(3) + stamp.to_bytes(3) + bytes(4) + body + bytes(4)
    session.receive_data(message(22, tags, timestamp=1000, csid=6, chunk_size=4096), 7.0)
    packets = [event for event in session.events_received() if isinstance(event, Packet)]
    assert [(packet.dts, packet.arrived) for packet in packets] == [(1023, 7.0), (1046, 7.0)]


def test_control_messages_anywhere() -> None:
    session, publisher = publishing()
    session.receive_data(control(5, 100) + message(4, b"\x00\x06\x00\x00\x00\x09", csid=9, stream_id=7), 0.0)
    session.receive_data(bytes(0), 0.0)
    replies = publisher.receive(session.data_to_send())
    assert b"\x00\x07\x00\x00\x00\x09" in [r.payload for r in replies]
    assert not session.closed


def test_description_never_holds_the_key() -> None:
    session, publisher = start()
    assert session.describe() == "(unnamed)/(unnamed)"
    session.receive_data(publisher.opening("demo?key=s3cret", "live?token=s3cret"), 0.0)
    assert session.describe() == "live/demo FMLE/3.0 (test)"
    request = session.events_received()[0]
    assert isinstance(request, PublishRequested)
    assert request.query == {"token": "s3cret", "key": "s3cret"}
    assert "s3cret" not in repr(request)


@pytest.mark.parametrize("key", ["demo&key=s3cret", "demo;s3cret", "demo key=s3cret", "s3cret/\x1b", "x" * 65])
def test_description_of_a_mistyped_key(key: str) -> None:
    session, publisher = start()
    session.receive_data(publisher.opening(key), 0.0)
    assert session.describe() in ("live/(unnamed) FMLE/3.0 (test)", "(unnamed)/(unnamed) FMLE/3.0 (test)")


def test_counters() -> None:
    session, publisher = publishing()
    before = session.counters.bytes_received
    data = publisher.audio(AAC, 0) + publisher.audio(FRAME, 23)
    session.receive_data(data, 9.0)
    assert session.counters.bytes_received - before == len(data)
    assert session.counters.media_messages == 2
    assert session.last_media_at == 9.0


def test_what_gives_no_media_is_silence() -> None:
    session, publisher = publishing()
    since = session.last_media_at
    # Frames without their configuration (an empty one came), and of a codec that is refused.
    for payload in (b"\xaf\x00", FRAME, b"\x2f" + FRAME):
        session.receive_data(publisher.audio(payload, 0), 50.0)
    assert session.last_media_at == since
    session.receive_data(publisher.audio(AAC, 0) + publisher.audio(FRAME, 23), 51.0)
    assert session.last_media_at == 51.0


def test_bytes_that_wait_for_a_decision_are_acknowledged() -> None:
    session, publisher = start()
    session.receive_data(publisher.opening(), 0.0)
    session.receive_data(publisher.audio(FRAME, 0), 0.0)
    session.accept(0.0)
    session.receive_data(control(5, 16), 0.0)
    session.receive_data(publisher.audio(FRAME, 23), 0.0)
    acknowledged = [r.payload for r in publisher.receive(session.data_to_send()) if r.type == 3]
    assert int.from_bytes(acknowledged[-1]) == session.counters.bytes_received - 1 - 2 * 1536


def test_messages_before_a_publish_are_bounded() -> None:
    session, publisher = start()
    session.receive_data(publisher.hello() + publisher.c2() + message(VIDEO, b"", csid=6), 0.0)
    session.receive_data(b"\xc6" * UNPUBLISHED_MESSAGES, 0.0)
    assert last(session).reason is CloseReason.LIMIT


@pytest.mark.parametrize("action", ["accept", "reject", "ping"])
def test_no_room_for_our_own_words(action: str) -> None:
    session, publisher = start(outgoing_bytes=4_000, ping_s=1)
    session.receive_data(publisher.hello() + publisher.c2() + publisher.connect(), 0.0)
    session.data_to_send()
    for _ in range(4_000 // 18):
        session.receive_data(user_control(6, 0), 0.0)
    if action == "ping":
        session.handle_timeout(1.0)
    else:
        session.receive_data(publisher.command("publish", None, "demo", transaction=0), 0.0)
        session.accept(0.0) if action == "accept" else session.reject(RejectCode.DENIED, "x" * 100, 0.0)
    assert last(session).reason is CloseReason.LIMIT


def test_a_session_that_closes_inside_an_aggregate_stops_there() -> None:
    session, _ = publishing()
    bad = b"\x09\x00\x00\x01" + bytes(7) + b"\x17" + bytes(4)
    session.receive_data(message(22, bad * 1_000, csid=6, chunk_size=4096), 0.0)
    assert last(session).reason is CloseReason.MEDIA
    assert session.counters.bad_tags == BAD_TAGS_IN_A_ROW
