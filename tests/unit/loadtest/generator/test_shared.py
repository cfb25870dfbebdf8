"""Lanes that share an HTTP/2 connection, against the server's side of the library h2: no socket, no TLS."""

from __future__ import annotations

import asyncio
import gc
import struct
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import pytest
from hpack import HeaderTuple, NeverIndexedHeaderTuple

from headwater.loadtest.generator import hub as hub_module
from headwater.loadtest.generator import shared
from headwater.loadtest.generator.carrier import Carrier
from headwater.loadtest.generator.hub import Hub
from headwater.loadtest.generator.shared import SharedConnection, SharedConnections
from headwater.loadtest.players.address import Origin, address
from headwater.loadtest.players.lane import Kind, Lane
from headwater.loadtest.players.player import Player
from headwater.loadtest.records import Mode, ViewerClass

from .test_connection import Asker, Wire

PLACE = address("https://h:8443/t/TOKEN/live/a/index.m3u8?x=1")
CANCEL = h2.errors.ErrorCodes.CANCEL
SLOW_BPS = 80_000


class Tls(Wire):
    """A transport that says what was chosen by ALPN."""

    chosen: str | None = "h2"
    unsent = 0

    def get_extra_info(self, name: str, default: object = None) -> Any:
        assert name == "ssl_object"
        return self

    def selected_alpn_protocol(self) -> str | None:
        return self.chosen

    def get_write_buffer_size(self) -> int:
        return self.unsent


@dataclass
class Server:
    """One connection, as the server has it. Each step takes what the client wrote before it."""

    connection: SharedConnection
    wire: Tls
    settings: dict[h2.settings.SettingCodes, int] = field(default_factory=dict)
    events: list[h2.events.Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values=self.settings)
        self.h2.initiate_connection()

    def hear(self) -> list[h2.events.Event]:
        """What the client sent since the last time."""
        data = b"".join(self.wire.written)
        self.wire.written.clear()
        found = self.h2.receive_data(data)
        self.events += found
        return found

    def requests(self) -> list[dict[str, str]]:
        """The fields of all requests so far, in their order."""
        self.hear()
        asked = [event for event in self.events if isinstance(event, h2.events.RequestReceived)]
        return [
            {"stream": str(event.stream_id)} | {str(name): str(value) for name, value in event.headers or ()}
            for event in asked
        ]

    def streams(self) -> list[int]:
        return [int(request["stream"]) for request in self.requests()]

    def resets(self) -> dict[int, object]:
        """Streams that the client cancelled."""
        self.hear()
        return {event.stream_id: event.error_code for event in self.events if isinstance(event, h2.events.StreamReset)}

    def updates(self) -> list[tuple[int, int]]:
        """Streams (0: the connection), and by how much their windows were opened."""
        self.hear()
        found = [event for event in self.events if isinstance(event, h2.events.WindowUpdated)]
        return [(event.stream_id or 0, event.delta or 0) for event in found]

    def say(self, *, pieces: int = 1 << 20) -> None:
        """What stands in the buffer goes to the client."""
        data = self.h2.data_to_send()
        for at in range(0, len(data), pieces):
            piece = data[at : at + pieces]
            room = self.connection.get_buffer(-1)
            room[: len(piece)] = piece
            self.connection.buffer_updated(len(piece))
            if self.wire.aborted:
                break

    def head(self, stream: int, *fields: tuple[str, str], end: bool = False) -> None:
        self.hear()
        self.h2.send_headers(stream, [(":status", "200"), *fields], end_stream=end)

    def answer(self, stream: int, body: bytes = b"hello", **more: int) -> None:
        """A whole answer, said."""
        self.head(stream, ("age", "3"), ("content-length", str(len(body))))
        for at in range(0, len(body), 16_384):
            self.h2.send_data(stream, body[at : at + 16_384])
        self.h2.end_stream(stream)
        self.say(**more)


class Dials:
    """In place of the dialer: connects at once, or when it is told to."""

    def __init__(self) -> None:
        self.made: list[Server] = []
        self.refused: Callable[[str], None] | None = None
        self.settings: dict[h2.settings.SettingCodes, int] = {}
        self.wait = False

    def dial(self, origin: Origin, made: Callable[[], SharedConnection], refused: Callable[[str], None]) -> None:
        self.refused = refused
        self.made.append(Server(made(), Tls(), self.settings))
        if not self.wait:
            self.connect()

    def connect(self) -> None:
        self.made[-1].connection.connection_made(self.made[-1].wire)


class Bench:
    """A hub, its dialer, two lanes of one viewer."""

    def __init__(self, viewer: ViewerClass | None = None) -> None:
        self.now = 100.0
        self.dials = Dials()
        self.hub = Hub(self.dials, lambda: self.now, 10.0, SharedConnections)  # type: ignore[arg-type]
        self.asker = Asker()
        if viewer is not None:
            self.asker.viewer = viewer
        self.lists, self.media = Lane(self.asker), Lane(self.asker)

    def ask(self, lane: Lane, kind: Kind = Kind.PLAYLIST, url: str = PLACE.url, extra: bytes = b"") -> None:
        lane.ask(self.hub, kind, address(url), self.now, extra=extra)

    def overdue(self, lane: Lane) -> None:
        """The hub finds that the answer took too long."""
        cast(Carrier, lane.connection).overdue(self.now)

    @property
    def server(self) -> Server:
        return self.dials.made[-1]

    @property
    def heard(self) -> list[object]:
        return self.asker.heard

    def pass_by(self, seconds: float) -> None:
        """In steps of a turn."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.01
            self.hub.turn(self.now)


def warm() -> Bench:
    """A connection that has answered once."""
    bench = Bench()
    bench.ask(bench.lists)
    bench.server.answer(1)
    bench.heard.clear()
    return bench


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


def goaway(server: Server, last: int) -> None:
    """By hand: the library's server would not go on with what is open."""
    server.say()
    frame = b"\0\0\x08\x07\0\0\0\0\0" + struct.pack(">II", last, 0)
    server.connection.get_buffer(-1)[: len(frame)] = frame
    server.connection.buffer_updated(len(frame))


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


# -- slow readers


def test_a_slow_reader_opens_its_windows_slowly() -> None:
    """80,000 bit/s are 10,000 bytes a second; 16 KiB may be ahead."""
    bench = Bench(ViewerClass(read_bps=SLOW_BPS))
    bench.ask(bench.media, Kind.PART)
    server, sent = bench.server, 0
    server.head(1)
    for _ in range(100):
        server.hear()
        if size := min(server.h2.local_flow_control_window(1), 16_384, 60_000 - sent):
            server.h2.send_data(1, b"x" * size, end_stream=sent + size == 60_000)
            sent += size
            server.say()
        assert sent <= 16_384 + 10_000 * (bench.now - 100.0)
        bench.pass_by(0.1)
    assert sent == 60_000
    assert len(bench.heard) == 1
    (answer,) = bench.heard
    assert isinstance(answer, tuple)
    assert answer[5] == pytest.approx(106.0, abs=0.15), "when all of it is read"


def test_a_slow_reader_that_gives_up_hears_nothing_more() -> None:
    bench = Bench(ViewerClass(read_bps=SLOW_BPS))
    bench.ask(bench.media, Kind.PART)
    bench.server.answer(1, b"x" * 10_000)
    bench.pass_by(0.5)
    bench.hub.abandon(bench.media)
    bench.pass_by(2.0)
    assert bench.heard == []
    bench.ask(bench.media, Kind.PART)
    bench.server.answer(3, b"x" * 1_000)
    bench.pass_by(0.2)
    assert len(bench.heard) == 1


def test_what_a_slow_reader_has_got_survives_the_connection() -> None:
    bench = Bench(ViewerClass(read_bps=SLOW_BPS))
    bench.ask(bench.media, Kind.PART)
    bench.server.answer(1, b"x" * 10_000)
    bench.server.connection.connection_lost(None)
    bench.pass_by(1.1)
    assert len(bench.heard) == 1


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
