"""The place of a lane on a shared connection: what it keeps of an answer, and who hears of it."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import h2.errors
import pytest

from headwater.loadtest.generator import exchange as module
from headwater.loadtest.generator.exchange import Exchange
from headwater.loadtest.generator.http2 import Http2Error
from headwater.loadtest.players.address import address
from headwater.loadtest.players.lane import Kind, Lane

from .http2_kit import PLACE, Bench, goaway, warm

CANCEL = h2.errors.ErrorCodes.CANCEL


def exchange_of(lane: Lane) -> Exchange:
    return cast(Exchange, lane.connection)


def asked(bench: Bench, kind: Kind = Kind.PLAYLIST) -> Exchange:
    """A request that waits for its answer."""
    bench.ask(bench.lists, kind)
    return exchange_of(bench.lists)


def test_a_new_one_is_the_lanes_and_has_no_stream() -> None:
    bench = warm()
    lane = Lane(bench.asker)
    made = Exchange(bench.server.connection, lane)
    assert lane.connection is made and made.lane is lane
    assert (made.number, made.status, made.age, made.size, made.first) == (0, 0, 0, 0, 0.0)
    assert not made.receiving
    assert bench.server.streams() == [1], "nothing is asked before `send`"


# -- the body


@pytest.mark.parametrize(
    ("kind", "most"),
    [(Kind.MULTIVARIANT, 5), (Kind.PLAYLIST, 5), (Kind.INIT, 9), (Kind.PART, 9), (Kind.SEGMENT, 9)],
)
def test_playlists_may_be_long_and_media_longer(kind: Kind, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 5)
    monkeypatch.setattr(module, "MAX_BODY", 9)
    exchange = asked(Bench(), kind)
    exchange.take(b"x" * (most - 1))
    exchange.take(b"y")
    assert exchange.size == most
    with pytest.raises(Http2Error, match="too long"):
        exchange.take(b"z")
    with pytest.raises(Http2Error, match="too long"):
        asked(Bench(), kind).take(b"x" * (most + 1))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Kind.MULTIVARIANT, b"#EXTM3U"),
        (Kind.PLAYLIST, b"#EXTM3U"),
        (Kind.INIT, b""),
        (Kind.PART, b""),
        (Kind.SEGMENT, b""),
    ],
)
def test_playlists_are_kept_and_media_is_counted(kind: Kind, body: bytes) -> None:
    exchange = asked(Bench(), kind)
    for piece in (b"#EXT", b"", b"M3U"):
        exchange.take(piece)
    assert exchange.size == 7
    assert exchange.body() == body
    assert exchange.body() == b"", "it is given once"
    assert exchange.size == 7


def test_a_body_of_one_piece_is_not_copied() -> None:
    exchange = asked(Bench())
    piece = b"#EXTM3U" * 9
    exchange.take(piece)
    assert exchange.body() is piece


# -- one request after the other


def test_the_next_request_has_nothing_of_the_answer_before() -> None:
    bench = Bench()
    exchange = asked(bench)
    bench.server.answer(1)
    assert (exchange.number, exchange.status, exchange.age, exchange.size) == (0, 200, 3, 5)
    bench.ask(bench.lists)
    assert exchange_of(bench.lists) is exchange
    assert (exchange.number, exchange.status, exchange.age, exchange.size, exchange.first) == (3, 0, 0, 0, 0.0)
    assert not exchange.receiving


def test_what_was_kept_of_an_answer_that_was_given_up_is_no_part_of_the_next() -> None:
    bench = Bench()
    exchange = asked(bench)
    exchange.take(b"old")
    exchange.send(bench.lists)
    exchange.take(b"new")
    assert (exchange.body(), exchange.size) == (b"new", 3)


def test_each_request_has_the_limits_of_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 5)
    bench = Bench()
    bench.ask(bench.lists, Kind.PART)
    bench.server.answer(1, b"a long part")
    bench.ask(bench.lists)
    bench.server.answer(3, b"a long list")
    bench.ask(bench.lists, Kind.PART)
    bench.server.answer(5, b"a long part")
    answer = (200, b"", 11, 3, 100.0, 100.0)
    assert bench.heard == [answer, "malformed", answer]


# -- the answer begins


def test_it_receives_from_the_first_byte_on() -> None:
    bench = Bench()
    exchange = asked(bench)
    assert not exchange.receiving
    bench.now = 101.5
    bench.server.head(1)
    bench.server.say()
    assert exchange.receiving and (exchange.first, exchange.status) == (101.5, 200)
    bench.now = 102.0
    bench.server.h2.send_data(1, b"hello")
    bench.server.say()
    assert (exchange.first, exchange.size) == (101.5, 5)


def test_an_interim_answer_is_a_first_byte_and_no_status() -> None:
    bench = Bench()
    exchange = asked(bench)
    bench.server.hear()
    bench.server.h2.send_headers(1, [(":status", "103"), ("link", "</a>")])
    bench.server.say()
    assert exchange.receiving and exchange.status == 0
    bench.now = 103.0
    bench.server.answer(1)
    assert bench.heard == [(200, b"hello", 5, 3, 100.0, 103.0)]


# -- where it goes


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://h:8443/other", True),
        ("https://h:8444/t/TOKEN/live/a/index.m3u8", False),
        ("https://g:8443/t/TOKEN/live/a/index.m3u8", False),
        ("http://h:8443/t/TOKEN/live/a/index.m3u8", False),
    ],
)
def test_it_goes_to_one_server(url: str, taken: bool) -> None:
    assert asked(Bench()).takes(address(url).origin) is taken


def test_it_takes_nothing_that_a_server_would_not_look_at() -> None:
    bench = warm()
    exchange = asked(bench)
    assert exchange.takes(replace(PLACE.origin)), "an equal address is enough"
    goaway(bench.server, 3)
    assert not exchange.takes(replace(PLACE.origin))
    assert exchange.lane is bench.lists, "what was asked before is answered"


# -- nobody is interested any more


def test_it_forgets_its_lane_once() -> None:
    bench = Bench()
    exchange = asked(bench)
    assert exchange.detach() is bench.lists
    assert bench.lists.connection is None and exchange.lane is None
    assert exchange.detach() is None


def test_to_close_it_cancels_its_stream_and_no_other() -> None:
    bench = warm()
    exchange = asked(bench)
    bench.ask(bench.media, Kind.PART)
    exchange.close()
    assert bench.lists.connection is None and exchange.number == 0
    assert bench.server.resets() == {3: CANCEL}
    bench.server.answer(5, b"part")
    assert bench.heard == [(200, b"", 4, 3, 100.0, 100.0)]
    exchange.close()
    assert bench.server.resets() == {3: CANCEL}


def test_to_close_it_after_its_answer_cancels_nothing() -> None:
    bench = Bench()
    exchange = asked(bench)
    bench.server.answer(1)
    exchange.close()
    assert bench.server.resets() == {} and not bench.server.wire.aborted
    assert bench.lists.connection is None


def test_a_time_out_is_told_and_leaves_the_lane_free() -> None:
    bench = warm()
    exchange = asked(bench)
    exchange.overdue(112.0)
    assert bench.heard == ["timeout"]
    assert not bench.lists.busy and bench.lists.connection is None and exchange.lane is None
