"""One connection on a transport of the test: what is written, and what comes of what is read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from headwater.loadtest.generator.connection import Connection, Connections
from headwater.loadtest.generator.hub import Hub
from headwater.loadtest.players.address import Origin, address
from headwater.loadtest.players.lane import Answer, Kind, Lane
from headwater.loadtest.records import ViewerClass

PLACE = address("http://h/live/a/index.m3u8")
OK = b"HTTP/1.1 200 OK\r\nAge: 3\r\nContent-Length: 5\r\n\r\nhello"


class Wire(asyncio.Transport):
    """A transport that remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted


class Dials:
    """In place of the dialer: connects at once."""

    def __init__(self) -> None:
        self.made: list[tuple[Connection, Wire]] = []

    def dial(self, origin: Origin, made: Callable[[], Connection], refused: Callable[[str], None]) -> None:
        connection, wire = made(), Wire()
        self.made.append((connection, wire))
        connection.connection_made(wire)


class Asker:
    """Owns a lane, and remembers what it is told."""

    viewer = ViewerClass(headers=(("X-A", "b"),))
    player = "somebody"

    def __init__(self) -> None:
        self.heard: list[object] = []

    def answered(self, lane: Lane, answer: Answer, now: float) -> None:
        self.heard.append((answer.status, answer.body, answer.size, answer.age, answer.first, now))

    def failed(self, lane: Lane, why: str, now: float) -> None:
        self.heard.append(why)

    def woken(self, now: float) -> None:
        self.heard.append(now)


class Bench:
    """A hub, its dialer, a lane."""

    def __init__(self) -> None:
        self.now = 100.0
        self.dials = Dials()
        self.hub = Hub(self.dials, lambda: self.now, 10.0, Connections)  # type: ignore[arg-type]
        self.asker = Asker()
        self.lane = Lane(self.asker)

    def ask(self, kind: Kind = Kind.PLAYLIST) -> None:
        self.lane.ask(self.hub, kind, PLACE, self.now)

    def receive(self, data: bytes) -> None:
        connection = self.dials.made[-1][0]
        room = connection.get_buffer(-1)
        room[: len(data)] = data
        connection.buffer_updated(len(data))

    @property
    def wire(self) -> Wire:
        return self.dials.made[-1][1]


def test_a_request_and_its_answer() -> None:
    bench = Bench()
    bench.ask()
    assert bench.wire.written == [
        b"GET /live/a/index.m3u8 HTTP/1.1\r\nHost: h\r\nUser-Agent: headwater-loadtest/1\r\n"
        b"Accept: */*\r\nX-A: b\r\n\r\n"
    ]
    bench.now = 101.0
    bench.receive(OK[:20])
    bench.now = 102.0
    bench.receive(OK[20:])
    assert bench.asker.heard == [(200, b"hello", 5, 3, 101.0, 102.0)]
    assert not bench.lane.busy
    bench.ask(Kind.PART)
    bench.receive(OK)
    assert bench.asker.heard[1] == (200, b"", 5, 3, 102.0, 102.0)
    assert len(bench.dials.made) == bench.hub.ledger.connections == 1


def test_what_nobody_asked_for_ends_the_connection() -> None:
    bench = Bench()
    bench.ask()
    bench.receive(OK)
    bench.receive(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert bench.wire.aborted
    assert len(bench.asker.heard) == 1
    bench.ask()
    assert len(bench.dials.made) == 2


def test_a_kept_connection_that_ends_at_the_wrong_moment_is_made_again_once() -> None:
    bench = Bench()
    bench.ask()
    bench.receive(OK)
    bench.ask()
    bench.dials.made[0][0].connection_lost(ConnectionResetError())
    assert len(bench.dials.made) == 2
    assert bench.wire.written == bench.dials.made[0][1].written[:1]
    bench.dials.made[1][0].connection_lost(None)
    assert bench.asker.heard[1:] == ["reset"], "a fresh connection that ends is an error"


def test_an_idle_connection_may_end() -> None:
    bench = Bench()
    bench.ask()
    bench.receive(OK)
    bench.dials.made[0][0].connection_lost(None)
    assert len(bench.asker.heard) == 1
    assert bench.lane.connection is None


@pytest.mark.parametrize(
    ("exc", "heard"), [(None, (200, b"hel", 3, 0, 100.0, 100.0)), (ConnectionResetError(), "reset")]
)
def test_a_body_that_lasts_to_the_end(exc: Exception | None, heard: object) -> None:
    bench = Bench()
    bench.ask()
    bench.receive(b"HTTP/1.1 200 OK\r\n\r\nhel")
    bench.dials.made[0][0].connection_lost(exc)
    assert bench.asker.heard == [heard]


def test_another_server_is_another_connection() -> None:
    bench = Bench()
    bench.ask()
    bench.receive(OK)
    bench.lane.ask(bench.hub, Kind.PART, address("http://other/p"), bench.now)
    assert bench.dials.made[0][1].aborted
    assert b"\r\nHost: other\r\n" in bench.wire.written[0]


def test_an_abandoned_request() -> None:
    bench = Bench()
    bench.ask()
    bench.hub.abandon(bench.lane)
    assert bench.wire.aborted
    assert not bench.lane.busy
    bench.dials.made[0][0].connection_lost(None)
    assert bench.asker.heard == []


def test_no_connection() -> None:
    bench = Bench()
    bench.ask()
    bench.dials.made[0][0].refused("refused")
    assert bench.asker.heard == ["refused"]


def test_a_slow_reader_pauses() -> None:
    bench = Bench()
    bench.ask(Kind.PART)
    connection = bench.dials.made[0][0]
    calls: list[str] = []
    bench.wire.pause_reading = lambda: calls.append("pause")  # type: ignore[method-assign]
    bench.wire.resume_reading = lambda: calls.append("resume")  # type: ignore[method-assign]
    connection.read_bps = 80_000
    assert len(connection.get_buffer(-1)) == 1_000, "a tenth of a second"
    bench.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 900)
    assert calls == ["pause"]
    bench.hub.turn(bench.now + 0.05)
    assert calls == ["pause"]
    bench.hub.turn(bench.now + 0.1)
    assert calls == ["pause", "resume"]
