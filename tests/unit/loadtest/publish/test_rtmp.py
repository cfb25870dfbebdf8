"""The publishing conversation on a stepped clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.publish_server import CONNECTED, CREATED, HANDSHAKE, PUBLISHED, command, control, status

from headwater.loadtest.publish.amf import decode_all
from headwater.loadtest.publish.chunks import ChunkReader, Message
from headwater.loadtest.publish.flv import TagKind
from headwater.loadtest.publish.options import parse_target
from headwater.loadtest.publish.rtmp import STARTUP_S, Event, Lost, PublishClient, Ready, Refused, State

ENTROPY = bytes(range(256)) * 6
WELCOME = HANDSHAKE + CONNECTED + CREATED + PUBLISHED


class Talk:
    """A client and what it said."""

    def __init__(self, url: str = "rtmp://host/live/cam?key=secret") -> None:
        self.client = PublishClient(parse_target(url), 0.0, ENTROPY)
        self.raw = bytearray()

    def hear(self, data: bytes, piece: int = 0) -> list[Event]:
        events: list[Event] = []
        for at in range(0, len(data), piece or len(data)):
            self.client.receive_data(data[at : at + (piece or len(data))], 0.0)
            self.raw += b"".join(self.client.data_to_send())
            events += self.client.events_received()
        return events

    def said(self) -> list[Message]:
        self.raw += b"".join(self.client.data_to_send())
        return ChunkReader().feed(bytes(self.raw[1 + 2 * 1536 :]))


def test_handshake_echoes_s1() -> None:
    talk = Talk()
    first = b"".join(talk.client.data_to_send())
    assert first == b"\x03" + bytes(8) + ENTROPY[:1528]
    s1 = bytes(range(255, -1, -1)) * 6
    talk.client.receive_data(b"\x03" + s1, 0.0)
    assert b"".join(talk.client.data_to_send()) == s1


@pytest.mark.parametrize("piece", [0, 1, 7, 1000])
def test_from_handshake_to_media(piece: int) -> None:
    talk = Talk()
    assert talk.hear(WELCOME, piece) == [Ready()]
    assert talk.client.state is State.PUBLISHING
    assert talk.client.next_timeout() is None
    talk.client.send_metadata({"width": 1280.0})
    talk.client.send_media(TagKind.VIDEO, 2**32 + 5, b"\x17\x00")
    talk.client.finish()
    said = talk.said()
    commands = [decode_all(message.body) for message in said if message.kind == 20]
    assert [values[0] for values in commands] == [
        "connect",
        "releaseStream",
        "FCPublish",
        "createStream",
        "publish",
        "FCUnpublish",
        "deleteStream",
    ]
    opening = commands[0][2]
    assert isinstance(opening, dict)
    assert (opening["app"], opening["tcUrl"]) == ("live", "rtmp://host/live")
    assert commands[4] == ["publish", 5.0, None, "cam?key=secret", "live"]
    assert [(one.timestamp, one.stream_id, one.body) for one in said if one.kind == 9] == [(5, 1, b"\x17\x00")]
    assert decode_all(next(one.body for one in said if one.kind == 18)) == [
        "@setDataFrame",
        "onMetaData",
        {"width": 1280.0},
    ]


@pytest.mark.parametrize(
    ("answer", "event"),
    [
        (
            HANDSHAKE + CONNECTED + CREATED + status("error", "NetStream.Publish.BadName", "busy"),
            Refused("NetStream.Publish.BadName", "busy"),
        ),
        (
            HANDSHAKE + command("_error", 1.0, None, {"code": "NetConnection.Connect.Rejected", "description": "no"}),
            Refused("NetConnection.Connect.Rejected", "no"),
        ),
        (HANDSHAKE + command("_error", 1.0), Refused("", "")),
        (b"HTTP/1.1 400 Bad Request" + bytes(1600), Lost("the server's answer is no RTMP: not an RTMP handshake")),
        (HANDSHAKE + b"\xc5" + bytes(9), Lost("the server's answer is no RTMP: a chunk continues what never began")),
        (WELCOME + command("onStatus", 0.0, None, {"code": "NetStream.Unpublish.Success"}),
         Lost("the server ended the publication")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("piece", [0, 1])
def test_the_server_says_no(answer: bytes, event: Event, piece: int) -> None:
    talk = Talk()
    assert talk.hear(answer, piece)[-1] == event
    assert talk.client.state is State.CLOSED
    assert talk.hear(PUBLISHED) == []


def test_a_refused_releasestream_is_no_refusal() -> None:
    talk = Talk()
    talk.hear(HANDSHAKE + CONNECTED)
    assert talk.hear(command("_error", 2.0) + CREATED + PUBLISHED) == [Ready()]


def test_silence_ends_it() -> None:
    talk = Talk()
    assert talk.client.next_timeout() == STARTUP_S
    talk.client.handle_timeout(STARTUP_S - 1)
    assert talk.client.events_received() == []
    talk.client.handle_timeout(STARTUP_S)
    assert talk.client.events_received() == [Lost("no answer for 10 s, waiting for S0 and S1")]


@pytest.mark.parametrize(
    ("heard", "text"),
    [
        (b"", "the server closed the connection while waiting for S0 and S1"),
        (HANDSHAKE + CONNECTED + CREATED, "the server closed the connection while waiting for the answer to publish"),
        (WELCOME, "the server closed the connection"),
    ],
)
def test_the_server_goes(heard: bytes, text: str) -> None:
    talk = Talk()
    if heard:
        talk.hear(heard)
    talk.client.receive_eof(0.0)
    assert talk.client.events_received() == [Lost(text)]


def test_ping_and_acknowledgement() -> None:
    talk = Talk()
    talk.hear(WELCOME + control(4, b"\x00\x06\x00\x00\x01\x02"))
    said = talk.said()
    assert Message(4, 0, 0, b"\x00\x07\x00\x00\x01\x02") in said
    counts = [int.from_bytes(one.body, "big") for one in said if one.kind == 3]
    assert counts and counts[0] >= 1000  # the window that the server asked for


@given(st.binary(max_size=300), st.integers(0, 3))
def test_any_answer_is_survived(noise: bytes, after: int) -> None:
    talk = Talk()
    talk.hear([HANDSHAKE, HANDSHAKE + CONNECTED, HANDSHAKE + CONNECTED + CREATED, WELCOME][after])
    if noise:
        talk.hear(noise)
    talk.client.receive_eof(0.0)
    events = talk.client.events_received()
    assert talk.client.state is State.CLOSED
    assert len(events) <= 1
