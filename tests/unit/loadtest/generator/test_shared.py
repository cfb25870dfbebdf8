"""Lanes that share an HTTP/2 connection, against the server's side of the library h2: no socket, no TLS."""

from __future__ import annotations

import asyncio
import gc
import weakref

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import pytest
from hpack import HeaderTuple, NeverIndexedHeaderTuple

from headwater.loadtest.generator import hub as hub_module
from headwater.loadtest.generator import shared
from headwater.loadtest.players.lane import Kind, Lane
from headwater.loadtest.players.player import Player
from headwater.loadtest.records import Mode, ViewerClass

from .http2_kit import PLACE, Bench, Tls, goaway, warm
from .test_connection import Asker

CANCEL = h2.errors.ErrorCodes.CANCEL


def test_a_request_and_its_answer() -> None:
    bench = Bench()
    bench.ask(bench.lists, extra=b"Range: bytes=0-4\r\nCMCD-Session: sid=1\r\n")
    assert bench.server.requests() == [
        {
            "stream": "1",
            ":method": "GET",
            ":scheme": "https",
            ":authority": "h:8443",
            ":path": "/t/TOKEN/live/a/index.m3u8?x=1",
            "user-agent": "headwater-loadtest/1",
            "accept": "*/*",
            "x-a": "b",
            "range": "bytes=0-4",
            "cmcd-session": "sid=1",
        }
    ]
    bench.now = 101.0
    bench.server.head(1, ("age", "3"))
    bench.server.say()
    assert bench.heard == []
    bench.now = 102.0
    bench.server.h2.send_data(1, b"hel")
    bench.server.h2.send_data(1, b"lo", pad_length=9, end_stream=True)
    bench.server.say()
    assert bench.heard == [(200, b"hello", 5, 3, 101.0, 102.0)]
    assert not bench.lists.busy
    bench.ask(bench.lists, Kind.PART)
    bench.server.answer(3)
    assert bench.heard[1] == (200, b"", 5, 3, 102.0, 102.0), "counted, not kept"
    assert len(bench.dials.made) == bench.hub.ledger.connections == 1


def test_frames_may_come_in_any_pieces() -> None:
    bench = Bench()
    bench.ask(bench.lists)
    bench.server.answer(1, b"x" * 40_000, pieces=997)
    assert bench.heard == [(200, b"x" * 40_000, 40_000, 3, 100.0, 100.0)]


def test_lanes_share_a_connection_and_are_answered_in_any_order() -> None:
    bench = Bench()
    bench.ask(bench.lists)
    bench.ask(bench.media, Kind.PART, "https://h:8443/p1.m4s")
    assert [request[":path"] for request in bench.server.requests()] == ["/t/TOKEN/live/a/index.m3u8?x=1", "/p1.m4s"]
    bench.server.answer(3, b"part")
    assert bench.heard == [(200, b"", 4, 3, 100.0, 100.0)]
    assert (bench.lists.busy, bench.media.busy) == (True, False)
    bench.server.answer(1)
    assert len(bench.heard) == 2
    assert len(bench.dials.made) == 1


def test_viewers_do_not_share() -> None:
    bench, other = Bench(), Asker()
    other.player = "somebody else"
    bench.ask(bench.lists)
    Lane(other).ask(bench.hub, Kind.PLAYLIST, PLACE, bench.now)
    assert len(bench.dials.made) == 2


def test_lanes_wait_for_the_connection() -> None:
    bench = Bench()
    bench.dials.wait = True
    bench.ask(bench.lists)
    bench.ask(bench.media)
    bench.hub.abandon(bench.lists)
    bench.dials.connect()
    assert bench.server.streams() == [1], "who gave up before is not heard of"
    bench.server.answer(1)
    assert len(bench.heard) == 1


def test_an_abandoned_request_is_a_cancelled_stream() -> None:
    bench = warm()
    bench.ask(bench.lists)
    bench.ask(bench.media)
    bench.hub.abandon(bench.media)
    assert bench.server.resets() == {5: CANCEL}
    assert not bench.media.busy and not bench.server.wire.aborted
    bench.server.answer(3)
    assert len(bench.heard) == 1
    bench.ask(bench.media)
    assert len(bench.dials.made) == 1
    assert bench.server.streams() == [1, 3, 5, 7]


def test_what_comes_for_a_cancelled_stream_is_no_error() -> None:
    bench = warm()
    bench.ask(bench.media)
    server = bench.server
    server.head(3)
    server.h2.send_data(3, b"x" * 9_000)
    bench.hub.abandon(bench.media)
    server.say()
    bench.ask(bench.lists)
    server.hear()
    server.answer(5)
    assert bench.heard == [(200, b"hello", 5, 3, 100.0, 100.0)]


def test_no_more_streams_than_the_server_takes() -> None:
    bench = Bench()
    bench.dials.settings = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1}
    bench.ask(bench.lists)
    bench.server.say()
    bench.ask(bench.media)
    assert bench.server.streams() == [1]
    bench.server.answer(1)
    assert bench.server.streams() == [1, 3]
    bench.ask(bench.lists)
    assert bench.server.streams() == [1, 3]
    bench.hub.abandon(bench.media)
    assert bench.server.streams() == [1, 3, 5], "a cancelled stream makes room"


def test_windows_are_opened_again_as_bodies_come() -> None:
    bench = Bench()
    server_window = 15 << 20
    for number in range(1, 40, 2):
        bench.ask(bench.media, Kind.PART)
        server = bench.server
        server.head(number)
        server.say()
        left = 1 << 20
        while left:
            server.hear()
            size = min(left, server.h2.local_flow_control_window(number), 16_384)
            assert size > 0, "the windows are never closed"
            server.h2.send_data(number, b"x" * size, end_stream=left == size)
            left -= size
            server.say()
    assert len(bench.heard) == 20
    assert sum(delta for stream, delta in bench.server.updates() if not stream) > 20 << 20
    assert bench.server.h2.outbound_flow_control_window <= server_window


def test_a_stream_that_the_server_resets() -> None:
    bench = warm()
    bench.ask(bench.lists)
    bench.ask(bench.media)
    bench.server.hear()
    bench.server.h2.reset_stream(3, h2.errors.ErrorCodes.REFUSED_STREAM)
    bench.server.say()
    assert bench.heard == ["reset"]
    bench.server.answer(5)
    assert len(bench.heard) == 2


@pytest.mark.parametrize(
    "fields",
    [[("content-length", "99999999999")], [("Age", "3")], [("connection", "close")], [("a", "b\rc")], [("a b", "c")]],
)
def test_an_answer_that_is_not_taken(fields: list[tuple[str, str]]) -> None:
    bench = warm()
    bench.ask(bench.lists)
    bench.server.h2.config.validate_outbound_headers = bench.server.h2.config.normalize_outbound_headers = False
    bench.server.head(3, *fields)
    bench.server.say()
    assert bench.heard == ["malformed"]
    assert bench.server.resets() == {3: CANCEL}
    bench.ask(bench.lists)
    bench.server.answer(5)
    assert len(bench.heard) == 2, "of one answer, not of all"


def test_answers_with_and_without_the_table() -> None:
    """What is remembered of header blocks is what means the same on every connection."""
    ages = []
    for indexed in (False, True, False, True):
        bench = Bench()
        for number, age in ((1, "3"), (3, "4"), (5, "3")):
            bench.ask(bench.lists)
            bench.server.hear()
            field = HeaderTuple("age", age) if indexed else NeverIndexedHeaderTuple("age", age)
            bench.server.h2.send_headers(number, [(":status", "200"), field], end_stream=True)
            bench.server.say()
        ages.append([answer[3] for answer in bench.heard if isinstance(answer, tuple)])
    assert ages == [[3, 4, 3]] * 4


def test_a_body_that_is_longer_than_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater.loadtest.generator.exchange.MAX_KEPT", 100)
    bench = warm()
    bench.ask(bench.lists)
    bench.server.head(3)
    bench.server.h2.send_data(3, b"x" * 101)
    bench.server.say()
    assert bench.heard == ["malformed"]
    assert bench.server.resets() == {3: CANCEL}


@pytest.mark.parametrize("nonsense", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\5\0\0\0\0\0\0hello", b"\xff" * 40])
def test_what_is_no_http2_ends_the_connection(nonsense: bytes) -> None:
    bench = warm()
    bench.ask(bench.lists)
    bench.ask(bench.media)
    connection = bench.server.connection
    connection.get_buffer(-1)[: len(nonsense)] = nonsense
    connection.buffer_updated(len(nonsense))
    assert bench.heard == ["malformed", "malformed"]
    assert bench.server.wire.aborted
    bench.ask(bench.lists)
    assert len(bench.dials.made) == 2


def test_a_length_that_is_not_kept_is_malformed() -> None:
    bench = Bench()
    bench.ask(bench.lists)
    bench.server.head(1, ("content-length", "6"))
    bench.server.h2.send_data(1, b"hello", end_stream=True)
    bench.server.say()
    assert bench.heard == ["malformed"]


def test_a_server_that_makes_us_answer_and_reads_nothing() -> None:
    bench = warm()
    bench.ask(bench.lists)
    bench.server.wire.unsent = shared.MAX_UNSENT + 1
    bench.server.h2.ping(b"12345678")
    bench.server.say()
    assert bench.heard == ["malformed"]


def test_pings_and_settings_are_answered() -> None:
    bench = warm()
    bench.server.hear()
    bench.server.h2.ping(b"12345678")
    bench.server.say()
    found = bench.server.hear()
    assert [type(event) for event in found] == [h2.events.PingAckReceived]
    assert any(isinstance(event, h2.events.SettingsAcknowledged) for event in bench.server.events)
    pushes = next(event for event in bench.server.events if isinstance(event, h2.events.RemoteSettingsChanged))
    assert pushes.changed_settings[h2.settings.SettingCodes.ENABLE_PUSH].new_value == 0


# -- the end of a connection


def test_what_is_lost_before_its_answer_began_is_asked_again_once() -> None:
    bench = warm()
    bench.ask(bench.lists)
    bench.ask(bench.media)
    bench.server.head(5)
    bench.server.say()
    bench.dials.made[0].connection.connection_lost(ConnectionResetError())
    assert bench.heard == ["reset"], "the answer that had begun"
    assert len(bench.dials.made) == 2
    assert bench.server.requests()[0][":path"] == PLACE.target.decode()
    bench.server.connection.connection_lost(None)
    assert bench.heard == ["reset", "reset"], "a fresh connection that ends is an error"


def test_an_idle_connection_may_end() -> None:
    bench = warm()
    bench.server.connection.connection_lost(None)
    assert bench.heard == []
    bench.ask(bench.lists)
    assert len(bench.dials.made) == 2


def test_goaway() -> None:
    bench = warm()
    bench.ask(bench.lists)
    bench.ask(bench.media)
    first = bench.server
    goaway(first, 3)
    assert bench.heard == []
    assert len(bench.dials.made) == 2, "what the server has not looked at is asked again"
    assert bench.server.streams() == [1]
    assert not first.wire.aborted
    first.answer(3)
    assert bench.heard == [(200, b"hello", 5, 3, 100.0, 100.0)], "what it has goes on"
    assert first.wire.aborted, "and was the last"
    bench.ask(bench.lists)
    assert bench.server.streams() == [1, 3]


def test_goaway_of_a_fresh_connection_is_an_error() -> None:
    bench = Bench()
    bench.ask(bench.lists)
    goaway(bench.server, 0)
    assert bench.heard == ["reset"]
    assert bench.server.wire.aborted


def test_goaway_to_somebody_idle() -> None:
    bench = warm()
    goaway(bench.server, 1)
    assert bench.server.wire.aborted
    bench.ask(bench.lists)
    assert len(bench.dials.made) == 2


def test_no_connection() -> None:
    bench = Bench()
    bench.dials.wait = True
    bench.ask(bench.lists)
    bench.ask(bench.media)
    assert bench.dials.refused is not None
    bench.dials.refused("refused")
    assert bench.heard == ["refused", "refused"]


@pytest.mark.parametrize("chosen", [None, "http/1.1"])
def test_a_server_that_does_not_choose_http2(chosen: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tls, "chosen", chosen)
    bench = Bench()
    bench.ask(bench.lists)
    assert bench.heard == ["no h2"]
    assert bench.server.wire.aborted and not bench.server.wire.written


def test_a_time_out_cancels_and_keeps_the_connection() -> None:
    bench = warm()
    bench.ask(bench.lists)
    bench.ask(bench.media)
    bench.now += 11.0
    bench.server.answer(3)
    bench.heard.clear()
    bench.overdue(bench.media)
    assert bench.heard == ["timeout"]
    assert bench.server.resets() == {5: CANCEL}
    bench.ask(bench.media)
    assert len(bench.dials.made) == 1


def test_a_connection_that_fell_silent_is_asked_no_more() -> None:
    bench = warm()
    bench.now += 1.0
    bench.ask(bench.lists)
    bench.ask(bench.media)
    bench.now += 11.0
    bench.overdue(bench.media)
    bench.ask(bench.media)
    assert len(bench.dials.made) == 2
    assert not bench.dials.made[0].wire.aborted
    bench.dials.made[0].answer(3)
    assert bench.heard == ["timeout", (200, b"hello", 5, 3, 112.0, 112.0)]
    assert bench.dials.made[0].wire.aborted


def test_another_server_is_another_connection() -> None:
    bench = warm()
    for number in range(shared.MAX_SERVERS + 2):
        bench.ask(bench.media, Kind.PART, f"https://cdn{number}/p")
        bench.server.answer(1)
    bench.ask(bench.media, Kind.PART, f"https://cdn{number}/q")
    assert bench.server.streams() == [1, 3]
    aborted = [server.wire.aborted for server in bench.dials.made]
    assert aborted == [True] * 3 + [False] * shared.MAX_SERVERS, "the oldest of those that are idle"


# -- players


class WatchedPlayer(Player):
    """Can be seen to be freed."""

    __slots__ = ("__weakref__",)


@pytest.mark.parametrize("mode", list(Mode))
def test_a_leaver_leaves_nothing_behind(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "Player", WatchedPlayer)
    bench = Bench()
    gc.disable()
    try:
        bench.hub.arrive(ViewerClass(mode=mode), PLACE, (1, 0), 5.0)
        watched = [weakref.ref(found) for found in bench.hub._places]
        assert bench.server.streams() == [1]
        bench.pass_by(5.1)
        assert bench.hub.viewers == 0
        assert bench.server.wire.aborted
        bench.dials.made.clear()
        bench.dials.refused = None
        bench.hub.turn(bench.now)
        bench.hub._times.clear()
        assert [found() for found in watched] == [None], "without the collector"
    finally:
        gc.enable()


async def test_no_task_is_needed() -> None:
    before = len(asyncio.all_tasks())
    bench = warm()
    bench.ask(bench.lists)
    assert len(asyncio.all_tasks()) == before
