"""For the tests of viewers over HTTP/2: the server's side by the library h2, without a socket and without TLS."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import h2.config
import h2.connection
import h2.events
import h2.settings

from headwater.loadtest.generator.carrier import Carrier
from headwater.loadtest.generator.hub import Hub
from headwater.loadtest.generator.shared import SharedConnection, SharedConnections
from headwater.loadtest.players.address import Origin, address
from headwater.loadtest.players.lane import Kind, Lane
from headwater.loadtest.records import ViewerClass

from .test_connection import Asker, Wire

PLACE = address("https://h:8443/t/TOKEN/live/a/index.m3u8?x=1")


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


def goaway(server: Server, last: int) -> None:
    """By hand: the library's server would not go on with what is open."""
    server.say()
    frame = b"\0\0\x08\x07\0\0\0\0\0" + struct.pack(">II", last, 0)
    server.connection.get_buffer(-1)[: len(frame)] = frame
    server.connection.buffer_updated(len(frame))


def warm() -> Bench:
    """A connection that has answered once."""
    bench = Bench()
    bench.ask(bench.lists)
    bench.server.answer(1)
    bench.heard.clear()
    return bench
