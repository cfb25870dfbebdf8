"""What the viewers of a process share: timers, the ring, leaving without a trace."""

from __future__ import annotations

import gc
import weakref

import pytest
from tests.viewers_kit import MULTIVARIANT, UNIX, Stream

from headwater.loadtest.generator import hub
from headwater.loadtest.generator.hub import SLOTS
from headwater.loadtest.players import player
from headwater.loadtest.players.address import address
from headwater.loadtest.players.player import Player
from headwater.loadtest.players.track import Track
from headwater.loadtest.records import Cmcd, Mode, ViewerClass

from .test_connection import Bench

URL = address("http://h/live/720p/index.m3u8")


def answer(bench: Bench) -> None:
    """Everything that was asked for and is not held."""
    for connection, wire in list(bench.dials.made):
        while wire.written and connection.lane is not None:
            target = wire.written.pop().split(b" ")[1]
            wire.written.clear()
            if b"_HLS_msn" in target:
                continue
            body = b"x"
            if b"index.m3u8" in target:
                body = Stream().playlist(100, ended=False, skip=False).encode()
            data = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            bench.hub.room[: len(data)] = data
            connection.buffer_updated(len(data))


def test_timers_come_in_order_and_not_early() -> None:
    bench = Bench()
    for at in (103.0, 101.0, 102.0):
        bench.hub.wake(at, bench.asker)
    for now in (100.9, 101.5, 104.0):
        bench.hub.turn(now)
        bench.asker.heard.append("turn")
    assert bench.asker.heard == ["turn", 101.5, "turn", 104.0, 104.0, "turn"]


def test_every_viewer_is_looked_after_once_a_second() -> None:
    bench = Bench()
    bench.now = UNIX + 100.25
    bench.hub.turn(bench.now)
    for _ in range(SLOTS // 2):
        bench.hub.arrive(ViewerClass(), URL, (1, 0), None)
    answer(bench)
    assert bench.hub.viewers == bench.hub.playing() == SLOTS // 2
    for _ in range(100):
        bench.now += 0.01
        bench.hub.turn(bench.now)
    assert len(bench.hub.ledger.latency_us) == SLOTS // 2


def test_after_a_long_turn_nobody_is_looked_after_twice() -> None:
    bench = Bench()
    bench.now = UNIX + 100.25
    bench.hub.turn(bench.now)
    bench.hub.arrive(ViewerClass(), URL, (1, 0), None)
    answer(bench)
    bench.now += 30.0
    bench.hub.turn(bench.now)
    assert len(bench.hub.ledger.latency_us) <= 1


class WatchedPlayer(Player):
    """Can be seen to be freed."""

    __slots__ = ("__weakref__",)


class WatchedTrack(Track):
    """Can be seen to be freed."""

    __slots__ = ("__weakref__",)


@pytest.mark.parametrize("mode", list(Mode))
def test_a_leaver_leaves_nothing_behind(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "Player", WatchedPlayer)
    monkeypatch.setattr(player, "Track", WatchedTrack)
    bench = Bench()
    bench.now = UNIX + 100.25
    gc.disable()
    try:
        bench.hub.arrive(ViewerClass(mode=mode, cmcd=Cmcd.QUERY), URL, (1, 0), 5.0)
        answer(bench)
        watched = [weakref.ref(found) for found in bench.hub._places]
        tracks = [weakref.ref(track) for found in bench.hub._places for track in found.tracks]
        bench.now += 5.0
        bench.hub.turn(bench.now)
        assert bench.hub.viewers == 0
        assert bench.hub.ledger.left == 1
        assert all(wire.aborted for _, wire in bench.dials.made)
        bench.dials.made.clear()
        bench.hub.turn(bench.now)
        bench.hub._times.clear()
        assert [found() for found in watched] == [None], "without the collector"
        assert [found() for found in tracks] == [None], "without the collector"
    finally:
        gc.enable()


def test_an_overdue_answer() -> None:
    bench = Bench()
    bench.hub.turn(bench.now)
    bench.hub.arrive(ViewerClass(), URL, (1, 0), None)
    for _ in range(120):
        bench.now += 0.1
        bench.hub.turn(bench.now)
    assert bench.hub.ledger.errors == {"timeout multivariant": 1}
    assert bench.hub.ledger.retries == 1


def test_a_server_that_falls_silent_is_one_fatal_error() -> None:
    bench = Bench()
    bench.hub.turn(bench.now)
    bench.hub.arrive(ViewerClass(), address("http://h/live/index.m3u8"), (1, 0), None)
    bench.receive(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(MULTIVARIANT), MULTIVARIANT.encode()))
    lanes = [lane for found in bench.hub._places for lane in found.lanes()]
    assert [lane.busy for lane in lanes] == [True, True], "video and audio"
    for _ in range(400):
        bench.now += 0.1
        bench.hub.turn(bench.now)
    ledger = bench.hub.ledger
    assert bench.hub.viewers == 0
    assert ledger.errors == {"timeout playlist": 5}, "the third of the video ends both"
    assert (ledger.retries, ledger.fatal, ledger.left) == (4, 1, 0)
    assert all(wire.aborted for _, wire in bench.dials.made)
    assert [lane.busy for lane in lanes] == [False, False]


def test_the_end_of_the_run() -> None:
    bench = Bench()
    bench.hub.arrive(ViewerClass(), URL, (1, 0), None)
    bench.hub.finish(bench.now)
    assert bench.hub.viewers == bench.hub.ledger.left == bench.hub.ledger.fatal == 0
