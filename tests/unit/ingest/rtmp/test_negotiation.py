"""The publish state machine: every command of the field, and its answer."""

from __future__ import annotations

import pytest
from tests.rtmp_client import COMMAND, Publisher, amf0

from headwater.ingest.rtmp.commands import read_command
from headwater.ingest.rtmp.errors import CommandError
from headwater.ingest.rtmp.limits import Limits
from headwater.ingest.rtmp.link import Link
from headwater.ingest.rtmp.negotiation import Negotiation, Outcome, Stage


class Talk:
    """A negotiation with its link, and the client that reads it."""

    def __init__(self, *, connected: bool = True, publishing: bool = False, stream_id: int = 1) -> None:
        self.link = Link(Limits(), 0.0)
        self.negotiation = Negotiation(self.link)
        self.client = Publisher(handshake=b"done")
        if connected or publishing:
            self.say("connect", 1, {"app": "live", "tcUrl": "rtmp://h/live", "flashVer": "OBS"})
        if publishing:
            self.say("createStream", 2, None)
            self.say("publish", 3, None, "demo", "live", stream_id=stream_id)
            self.negotiation.accept()
        self.answers()

    def say(self, name: str, *values: object, stream_id: int = 0) -> Outcome:
        command = read_command(amf0(name, *values))
        assert command is not None
        return self.negotiation.command(command, stream_id)

    def stage(self) -> Stage:
        return self.negotiation.stage

    def answers(self) -> list[list[object]]:
        return [r.values for r in self.client.receive(self.link.take()) if r.type == COMMAND]


def test_the_usual_way() -> None:
    talk = Talk(connected=False)
    assert talk.say("connect", 1, {"app": "live", "tcUrl": "rtmp://h/live", "flashVer": "OBS\n"}) is Outcome.ANSWERED
    assert talk.stage() is Stage.IDLE
    assert talk.negotiation.encoder == "OBS?"
    assert talk.answers()[0][0:2] == ["_result", 1.0]
    assert talk.say("releaseStream", 2, None, "demo") is Outcome.ANSWERED
    assert talk.say("FCPublish", 3, None, "demo") is Outcome.ANSWERED
    assert talk.say("createStream", 4, None) is Outcome.ANSWERED
    assert [a[:2] for a in talk.answers()] == [
        ["_result", 2.0],
        ["_result", 3.0],
        ["onFCPublish", 3.0],
        ["_result", 4.0],
    ]
    assert talk.say("publish", 5, None, "demo?key=s", "live", stream_id=1) is Outcome.ASKED
    assert talk.stage() is Stage.DECIDING
    assert (talk.negotiation.target.app, talk.negotiation.target.name) == ("live", "demo")
    assert talk.negotiation.target.query == {"key": "s"}
    talk.negotiation.accept()
    replies = talk.client.receive(talk.link.take())
    assert [r.payload for r in replies if r.type == 4] == [b"\x00\x00\x00\x00\x00\x01"], "StreamBegin(1)"
    assert replies[-1].stream_id == 1
    assert "NetStream.Publish.Start" in talk.client.codes()
    assert talk.say("FCUnpublish", 6, None, "demo") is Outcome.ENDED
    assert talk.say("deleteStream", 7, None, 1) is Outcome.ANSWERED, "it has ended already"


def test_several_streams_have_their_own_ids() -> None:
    talk = Talk()
    for transaction in (2, 3, 4):
        talk.say("createStream", transaction, None)
    assert [a[3] for a in talk.answers()] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("stream_id", [0, 1, 5, 0x01000000])
def test_publish_on_any_message_stream(stream_id: int) -> None:
    talk = Talk()
    assert talk.say("publish", 0, None, "demo", stream_id=stream_id) is Outcome.ASKED
    talk.negotiation.accept()
    replies = [r for r in talk.client.receive(talk.link.take()) if r.type == COMMAND]
    assert [r.stream_id for r in replies] == [stream_id], "the answer is on the stream of the request"


@pytest.mark.parametrize("kind", ["live", "record", "append", None, 5])
@pytest.mark.parametrize("transaction", [0, 5])
def test_every_kind_of_publish(kind: object, transaction: int) -> None:
    assert Talk().say("publish", transaction, None, "demo", kind, stream_id=1) is Outcome.ASKED


def test_lower_case_properties_and_missing_ones() -> None:
    talk = Talk(connected=False)
    talk.say("connect", 1, {"tcurl": "'rtmp://h/live?key=s"})
    talk.say("publish", 2, None, "demo", stream_id=1)
    assert (talk.negotiation.target.app, talk.negotiation.target.query) == ("live", {"key": "s"})
    talk = Talk(connected=False)
    talk.say("connect", 1)
    assert talk.say("publish", 2, None, None) is Outcome.ASKED
    assert talk.negotiation.target.name == ""


def test_publish_before_connect() -> None:
    with pytest.raises(CommandError):
        Talk(connected=False).say("publish", 1, None, "demo")


def test_second_connect_and_second_publish() -> None:
    talk = Talk(publishing=True)
    assert talk.say("connect", 9, {"app": "other"}) is Outcome.ANSWERED
    assert talk.say("publish", 10, None, "other", stream_id=1) is Outcome.ANSWERED
    assert talk.stage() is Stage.PUBLISHING
    assert talk.negotiation.target.name == "demo"
    assert [a[0] for a in talk.answers()] == ["_error", "onStatus"]


def test_unknown_commands_with_an_id_are_answered() -> None:
    talk = Talk()
    for name in ("_checkbw", "releaseStream", "setPeerInfo", "whatever"):
        assert talk.say(name, 7, None) is Outcome.ANSWERED
        assert talk.answers() == [["_result", 7.0, None]]
        assert talk.say(name, 0, None) is Outcome.ANSWERED
        assert talk.answers() == []
    for name in ("_result", "_error", "onStatus"):
        talk.say(name, 7, None)
        assert talk.answers() == []


def test_stream_length_is_answered() -> None:
    talk = Talk()
    talk.say("getStreamLength", 3, None, "demo")
    assert talk.answers() == [["_result", 3.0, None, 0.0]]


@pytest.mark.parametrize("name", ["play", "play2"])
def test_play_is_refused_politely(name: str) -> None:
    talk = Talk()
    assert talk.say(name, 4, None, "demo", stream_id=1) is Outcome.PLAY
    assert talk.client.codes() == ["NetConnection.Connect.Success"]
    assert talk.answers()[0][0] == "onStatus"
    assert talk.client.codes()[-1] == "NetStream.Play.StreamNotFound"
    talk = Talk(publishing=True)
    assert talk.say(name, 4, None, "demo", stream_id=1) is Outcome.ANSWERED


@pytest.mark.parametrize("stream_id", [0, 1, 0x01000000])
@pytest.mark.parametrize("arguments", [(1,), (), (None,), (16777216,), (float("nan"),)])
def test_delete_stream_ends(stream_id: int, arguments: tuple[object, ...]) -> None:
    talk = Talk(publishing=True, stream_id=stream_id)
    assert talk.say("deleteStream", 0, None, *arguments) is Outcome.ENDED
    assert talk.stage() is Stage.IDLE


def test_deleting_another_stream_does_not_end() -> None:
    talk = Talk(publishing=True)
    talk.say("createStream", 5, None)
    assert talk.say("deleteStream", 0, None, 2) is Outcome.ANSWERED
    assert talk.say("closeStream", 0, None, stream_id=2) is Outcome.ANSWERED
    assert talk.say("closeStream", 0, None, stream_id=1) is Outcome.ENDED


def test_publish_again_after_the_end() -> None:
    talk = Talk(publishing=True)
    assert talk.say("FCUnpublish", 5, None, "demo") is Outcome.ENDED
    assert talk.say("publish", 6, None, "other", stream_id=1) is Outcome.ASKED
    assert talk.negotiation.target.name == "other"


def test_ends_before_a_publish_are_harmless() -> None:
    talk = Talk()
    for name in ("FCUnpublish", "deleteStream", "closeStream"):
        assert talk.say(name, 5, None, 1) is Outcome.ANSWERED


def test_keys_are_not_sent_back() -> None:
    talk = Talk()
    for name in ("releaseStream", "FCPublish", "publish", "FCUnpublish"):
        talk.say(name, 5, None, "demo?key=s3cret", stream_id=1)
    talk.negotiation.reject("NetStream.Publish.Denied", "no")
    assert b"s3cret" not in talk.link.take()
