"""Conversations of publishers with one session, on a stepped clock, as real encoders hold them."""

from __future__ import annotations

import hashlib
import hmac
import struct

import pytest
from tests.rtmp_client import (
    COMMAND,
    USER_CONTROL,
    Publisher,
    amf0,
    chunk_header,
    message,
    pieces,
    user_control,
)

from headwater.ingest.media import Packet
from headwater.ingest.rtmp.errors import CloseReason
from headwater.ingest.rtmp.events import Closed, PublishEnded, PublishRequested, RejectCode, SessionEvent
from headwater.ingest.rtmp.limits import Limits
from headwater.ingest.rtmp.session import PublishSession
from headwater.ingest.tracks import TrackConfigured

AAC = b"\xaf\x00\x11\x90"


def frame(number: int, size: int = 40) -> bytes:
    """An AAC tag body that can be told from others."""
    return b"\xaf\x01" + number.to_bytes(4) + bytes(size)


class Line:
    """A session and a publisher with a wire between them; `step` is the read size of the server."""

    def __init__(self, publisher: Publisher | None = None, step: int = 1 << 20) -> None:
        self.publisher = publisher or Publisher()
        self.session = PublishSession(Limits(), 0.0, bytes(32))
        self.events: list[SessionEvent] = []
        self.step = step
        self.now = 0.0

    def send(self, data: bytes) -> None:
        """Publisher to server, then what the server answers."""
        for at in range(0, len(data), self.step):
            self.session.receive_data(data[at : at + self.step], self.now)
            self.settle()

    def settle(self) -> None:
        """Act as the shell: collect events, accept, carry the answers."""
        while events := self.session.events_received():
            self.events += events
            if any(isinstance(event, PublishRequested) for event in events):
                self.session.accept(self.now)
        self.publisher.receive(self.session.data_to_send())

    def packets(self) -> list[Packet]:
        return [event for event in self.events if isinstance(event, Packet)]


@pytest.mark.parametrize("step", [1, 5, 1 << 20])
@pytest.mark.parametrize("base", [None, 772, 8])
def test_the_usual_conversation(step: int, base: int | None) -> None:
    line = Line(Publisher(digest_base=base), step)
    publisher = line.publisher
    line.send(publisher.hello())
    assert len(publisher.handshake) == 3073
    line.send(publisher.c2())
    line.send(publisher.connect("live"))
    assert [reply.type for reply in publisher.replies] == [5, 6, 1, COMMAND]
    line.send(publisher.publish("demo?key=secret"))
    assert publisher.codes()[-1] == "NetStream.Publish.Start"
    assert [r.payload for r in publisher.replies if r.type == USER_CONTROL] == [b"\x00\x00\x00\x00\x00\x01"]
    line.send(publisher.metadata({"width": 1280.0}))
    line.send(publisher.audio(AAC, 0))
    for number in range(20):
        line.send(publisher.audio(frame(number), number * 23))
    line.send(publisher.unpublish("demo?key=secret"))
    line.session.receive_eof(line.now)
    line.settle()
    request = line.events[0]
    assert request == PublishRequested("live", "demo", {"key": "secret"}, "FMLE/3.0 (test)")
    assert [packet.dts for packet in line.packets()] == [number * 23 for number in range(20)]
    assert [packet.payload[:4] for packet in line.packets()] == [number.to_bytes(4) for number in range(20)]
    assert line.events[-2:] == [PublishEnded(), Closed(CloseReason.PEER, "the peer closed the connection")]


def test_a_sender_that_never_waits() -> None:
    line = Line()
    publisher = line.publisher
    data = publisher.opening("demo") + publisher.audio(AAC, 0)
    data += b"".join(publisher.audio(frame(number), number) for number in range(100))
    line.send(data + publisher.unpublish())
    assert len(line.packets()) == 100


def test_chunks_of_128_bytes_interleaved_with_video_and_control() -> None:
    line = Line(Publisher(chunk_size=128), 97)
    publisher = line.publisher
    line.send(publisher.opening() + publisher.audio(AAC, 0))
    video = pieces(9, b"\x17\x05" + bytes(600), timestamp=0, csid=6, stream_id=1)
    audio = [message(8, frame(number), timestamp=number, csid=4, stream_id=1) for number in range(len(video))]
    mixed = b"".join(one + two + user_control(3, 1, 1000) for one, two in zip(video, audio, strict=True))
    line.send(mixed)
    assert [packet.dts for packet in line.packets()] == list(range(len(video)))


@pytest.mark.parametrize("repeat", [True, False])
def test_past_the_24_bit_timestamps_in_both_dialects(repeat: bool) -> None:
    line = Line(Publisher(chunk_size=128), 11)
    line.send(line.publisher.opening() + line.publisher.audio(AAC, 0))
    start = 0xFFFFFF - 100
    for number in range(10):
        stamp = start + number * 23
        line.send(message(8, frame(number, 300), timestamp=stamp, csid=4, stream_id=1, fmt=0, repeat_extended=repeat))
    assert [packet.dts for packet in line.packets()] == [start + number * 23 for number in range(10)]
    assert all(len(packet.payload) == 304 for packet in line.packets())


def test_format_3_headers_carry_messages_and_deltas() -> None:
    line = Line()
    line.send(line.publisher.opening() + line.publisher.audio(AAC, 0))
    body = frame(0)
    data = message(8, body, timestamp=1000, csid=4, stream_id=1)  # fmt 0
    data += chunk_header(4, 3, 0, 0, 0, 0) + body  # delta 0 after fmt 0
    data += message(8, body, timestamp=23, csid=4, fmt=2)
    data += (chunk_header(4, 3, 0, 0, 0, 0) + body) * 2
    line.send(data)
    assert [packet.dts for packet in line.packets()] == [1000, 1000, 1023, 1046, 1069]


def test_amf3_publisher() -> None:
    line = Line()
    publisher = line.publisher
    line.send(publisher.hello() + publisher.c2())
    connect = b"\x00" + amf0("connect", 1) + b"\x11\x0a\x0b\x01\x07app\x06\x09live\x1dobjectEncoding\x04\x03\x01"
    line.send(message(17, connect))
    assert publisher.commands()[0][3]["objectEncoding"] == 3.0  # type: ignore[index]
    line.send(message(17, b"\x00" + amf0("createStream", 2) + b"\x05"))
    line.send(message(17, b"\x00" + amf0("publish", 3, None) + b"\x11\x06\x09demo" + amf0("live"), stream_id=1))
    assert isinstance(line.events[0], PublishRequested)
    assert line.events[0].name == "demo"


def test_swapped_message_stream_id() -> None:
    line = Line(Publisher(stream_id=0x01000000))
    publisher = line.publisher
    line.send(publisher.opening() + publisher.audio(AAC, 0) + publisher.audio(frame(0), 0))
    assert len(line.packets()) == 1
    line.send(publisher.command("deleteStream", None, 1))
    assert isinstance(line.events[-1], PublishEnded)


def test_publish_twice_on_one_connection() -> None:
    line = Line()
    publisher = line.publisher
    line.send(publisher.opening("one") + publisher.audio(AAC, 0) + publisher.unpublish("one"))
    line.send(publisher.publish("two") + publisher.audio(AAC, 0) + publisher.audio(frame(0), 5))
    kinds = [type(event) for event in line.events]
    assert kinds == [PublishRequested, TrackConfigured, PublishEnded, PublishRequested, TrackConfigured, Packet]


def test_refused_in_the_words_of_the_field() -> None:
    line = Line()
    line.session.receive_data(line.publisher.opening("busy"), 0.0)
    assert isinstance(line.session.events_received()[0], PublishRequested)
    line.session.reject(RejectCode.BAD_NAME, "Somebody publishes this name already.", 0.0)
    line.settle()
    assert line.publisher.codes()[-1] == "NetStream.Publish.BadName"
    assert line.events == [Closed(CloseReason.REJECTED, "publish rejected: NetStream.Publish.BadName")]


def test_acknowledgements_on_a_long_stream() -> None:
    line = Line()
    publisher = line.publisher
    line.send(publisher.opening() + message(5, (100_000).to_bytes(4), csid=2) + publisher.audio(AAC, 0))
    before = line.session.counters.bytes_received
    for number in range(100):
        line.send(publisher.audio(frame(number, 10_000), number))
    counts = [int.from_bytes(reply.payload) for reply in publisher.replies if reply.type == 3]
    assert 8 <= len(counts) <= 10
    assert counts == sorted(counts)
    assert abs(counts[-1] - (line.session.counters.bytes_received - 3073)) < 100_000
    assert before < counts[0]


def test_pings_go_both_ways_and_find_the_dead() -> None:
    line = Line()
    publisher = line.publisher
    line.send(publisher.opening())
    for _ in range(5):
        due = line.session.next_timeout()
        assert due is not None
        line.now = due
        line.session.handle_timeout(line.now)
        line.settle()
        ping = publisher.replies[-1]
        assert (ping.type, ping.payload[:2]) == (USER_CONTROL, b"\x00\x06")
        line.now += 0.05
        line.send(user_control(7, *struct.unpack(">I", ping.payload[2:])))
        assert line.session.round_trip_s == pytest.approx(0.05)
    for _ in range(2):
        due = line.session.next_timeout()
        assert due is not None
        line.session.handle_timeout(due)
    line.settle()
    assert isinstance(line.events[-1], Closed)
    assert line.events[-1].reason is CloseReason.PING


def test_a_player_can_verify_the_digest_handshake() -> None:
    publisher = Publisher(digest_base=772)
    line = Line(publisher)
    line.send(publisher.hello())
    s1, s2 = publisher.handshake[1:1537], publisher.handshake[1537:]
    at = sum(s1[772:776]) % 728 + 776
    server_key = b"Genuine Adobe Flash Media Server 001"
    assert s1[at : at + 32] == hmac.digest(server_key, s1[:at] + s1[at + 32 :], hashlib.sha256)
    assert s2 != publisher.hello()[1:]
