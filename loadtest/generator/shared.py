"""HTTP/2: one connection that the lanes of a viewer share, each with one stream at a time.

Where a viewer over HTTP/1.1 closes a connection, a stream is cancelled. A connection that takes no new request (GOAWAY,
or a server that fell silent) goes on with what is open, and the next request makes another one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)

from headwater.loadtest.players.address import Origin
from headwater.loadtest.players.lane import Lane
from headwater.loadtest.players.retry import TIMEOUT
from headwater.loadtest.records import NO_HTTP2, ViewerClass

from .carrier import USER_AGENT
from .exchange import Exchange
from .http2 import ALPN, STREAM_WINDOW, Fields, Http2Error, Session, fields_of, read_head
from .pace import Pace

if TYPE_CHECKING:
    from .hub import Hub

MAX_SERVERS = 8
"""Connections of a viewer to different servers. Why: above its requests at a time, so that one of them can go."""
MAX_UNSENT = 1 << 20
"""Bytes that wait to be written. Why: far more than requests are; a server that makes us answer and reads nothing."""


class SharedConnections:
    """Makes and keeps them; `carrier.Carriers`."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._kept: dict[object, dict[Origin, SharedConnection]] = {}
        """By player, those that take requests; the one made last is the last."""
        self._fields: dict[ViewerClass, Fields] = {}

    def carry(self, lane: Lane, origin: Origin) -> None:
        """A place for the lane on its player's connection."""
        kept = self._kept.setdefault(lane.owner.player, {})
        found = kept.get(origin)
        if found is not None:
            Exchange(found, lane).send(lane)
            return
        if len(kept) >= MAX_SERVERS:
            oldest = list(kept.values())
            next((one for one in oldest if one.idle), oldest[0]).refused("reset")
        viewer = lane.owner.viewer
        made = kept[origin] = SharedConnection(self._hub, self, lane.owner.player, origin, self._more(viewer), viewer)
        Exchange(made, lane).send(lane)
        self._hub.dialer.dial(origin, lambda: made, made.refused)

    def gone(self, player: object) -> None:
        """Close all that the player has; its lanes have left them."""
        for connection in list(self._kept.get(player, {}).values()):
            connection.close()

    def forget(self, player: object, connection: SharedConnection) -> None:
        """It takes no more requests."""
        kept = self._kept.get(player, {})
        if kept.get(connection.origin) is connection:
            del kept[connection.origin]
            if not kept:
                del self._kept[player]

    def _more(self, viewer: ViewerClass) -> Fields:
        """The fields of all requests of a class, behind those that HTTP/2 itself has."""
        found = self._fields.get(viewer)
        if found is None:
            fields = [("User-Agent", USER_AGENT), ("Accept", "*/*"), *viewer.headers]
            found = tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields)
            self._fields[viewer] = found
        return found


class SharedConnection(asyncio.BufferedProtocol):
    """One connection to one server."""

    __slots__ = (
        "_fresh", "_heard", "_hub", "_keeper", "_open", "_pace", "_player", "_reading", "_session", "_taking",
        "_transport", "_waiting", "origin",
    )  # fmt: skip

    def __init__(
        self, hub: Hub, keeper: SharedConnections, player: object, origin: Origin, more: Fields, viewer: ViewerClass
    ) -> None:
        """`more`: fields of each request."""
        self._hub = hub
        self._keeper = keeper
        self._player = player
        self.origin = origin
        self._pace = None if viewer.read_bps is None else Pace(hub, self, viewer.read_bps)
        window = STREAM_WINDOW if self._pace is None else self._pace.window
        self._session = Session(origin.authority, more, window)
        self._transport: asyncio.Transport | None = None
        self._open: dict[int, Exchange] = {}
        """By stream."""
        self._waiting: deque[Exchange] = deque()
        """For the connection, or for room."""
        self._taking = True
        """New requests."""
        self._fresh = True
        """No answer came on it yet."""
        self._heard = 0.0
        """When something came last."""
        self._reading = False
        """What is to be sent goes out in one write, after all that was read."""

    # -- asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send what is waiting."""
        self._transport = cast(asyncio.Transport, transport)
        self._hub.ledger.connections += 1
        if not self._waiting and not self._taking:
            self._shut()
        elif transport.get_extra_info("ssl_object").selected_alpn_protocol() != ALPN:
            self.refused(NO_HTTP2)
        else:
            self._start()
            self._flush()

    def get_buffer(self, sizehint: int) -> memoryview:
        """The buffer of all connections."""
        return self._hub.room

    def buffer_updated(self, nbytes: int) -> None:
        """Frames, or pieces of them."""
        hub = self._hub
        now = self._heard = hub.clock()
        try:
            events = self._session.receive(hub.room[:nbytes])
        except Http2Error:
            self._break("malformed", now)
            return
        self._reading = True
        try:
            for event in events:
                self._take(event, now)
        finally:
            self._reading = False
        self._start()
        self._flush()
        if self._transport is not None and self._transport.get_write_buffer_size() > MAX_UNSENT:
            self._break("malformed", now)

    def connection_lost(self, exc: Exception | None) -> None:
        """The server closed."""
        now = self._hub.clock()
        self._transport = None
        self._retire()
        for exchange in self._drop_all():
            if exchange.first:
                self._fail(exchange, "reset", now)
            else:
                self._again(exchange, now)

    # -- what exchanges ask

    def takes(self, origin: Origin) -> bool:
        """Whether it goes there, and takes requests."""
        return self._taking and (self.origin is origin or self.origin == origin)

    def ask(self, exchange: Exchange) -> None:
        """Open a stream for it, when there is room."""
        self._waiting.append(exchange)
        self._start()
        if not self._reading:
            self._flush()

    def leave(self, exchange: Exchange) -> None:
        """Cancel its stream."""
        if exchange in self._waiting:
            self._waiting.remove(exchange)
        elif self._open.pop(exchange.number, None) is not None:
            self._session.cancel(exchange.number)
            self._start()
            if not self._reading:
                self._flush()
        exchange.number = 0
        self._end_if_done()

    def overdue(self, exchange: Exchange, now: float) -> None:
        """Its answer took too long. What said nothing at all in that time may be dead, and is asked no more."""
        if exchange.lane is not None and self._heard < exchange.lane.asked:
            self._retire()
        self.leave(exchange)
        self._fail(exchange, TIMEOUT, now)

    @property
    def idle(self) -> bool:
        """Nobody waits for anything of it."""
        return not self._open and not self._waiting and (self._pace is None or self._pace.idle)

    def refused(self, why: str) -> None:
        """There will be no connection, or none that is good."""
        self._break(why, self._hub.clock())

    def close(self) -> None:
        """Forget everybody, and close at once."""
        self._retire()
        for exchange in self._drop_all():
            exchange.detach()
        self._shut()

    # -- what came

    def _take(self, event: Event, now: float) -> None:
        if isinstance(event, DataReceived):
            self._take_data(event, now)
        elif isinstance(event, ResponseReceived):
            self._take_head(event, now)
        elif isinstance(event, StreamEnded):
            if (exchange := self._open.pop(event.stream_id, None)) is not None:
                if self._pace is None:
                    self.finish(exchange, now)
                else:
                    self._pace.ended(exchange, now)
        elif isinstance(event, StreamReset):
            if (exchange := self._open.pop(event.stream_id, None)) is not None:
                self._fail(exchange, "reset" if event.remote_reset else "malformed", now)
        elif isinstance(event, InformationalResponseReceived):
            if (exchange := self._open.get(event.stream_id)) is not None and not exchange.first:
                exchange.first = now
        elif isinstance(event, ConnectionTerminated):
            self._go_away(event.last_stream_id or 0, now)

    def _take_head(self, event: ResponseReceived, now: float) -> None:
        exchange = self._open.get(event.stream_id)
        if exchange is None:
            return
        exchange.first = exchange.first or now
        try:
            exchange.status, exchange.age = read_head(tuple(event.headers))
        except Http2Error:
            self._refuse(exchange, now)

    def _take_data(self, event: DataReceived, now: float) -> None:
        size, number = event.flow_controlled_length, event.stream_id
        if self._pace is None:
            self.read(size, number)
        else:
            self._pace.came(size, number, now)
        if (exchange := self._open.get(number)) is not None:
            try:
                exchange.take(event.data)
            except Http2Error:
                self._refuse(exchange, now)

    def _go_away(self, last: int, now: float) -> None:
        """What is open up to stream `last` goes on; the server has not looked at anything else (RFC 9113, 6.8)."""
        self._retire()
        again = [self._open.pop(number) for number in list(self._open) if number > last]
        again += self._waiting
        self._waiting.clear()
        for exchange in again:
            self._again(exchange, now)
        self._end_if_done()

    def read(self, size: int, number: int) -> None:
        """The viewer has read so much of a stream: the server may send as much again."""
        self._session.read(size, number)

    def finish(self, exchange: Exchange, now: float) -> None:
        """Its answer is whole, and read."""
        lane, exchange.number = exchange.lane, 0
        self._fresh = False
        if lane is not None and exchange.status:
            self._hub.answered(lane, exchange.status, exchange.age, exchange.body(), exchange.size, exchange.first, now)
        else:
            self._fail(exchange, "malformed", now)
        self._end_if_done()

    # -- what is sent

    def _start(self) -> None:
        """Open streams for those who wait, as many as there is room for."""
        while self._waiting and self._transport is not None and self._session.room():
            exchange = self._waiting.popleft()
            if exchange.lane is not None:
                exchange.number = self._session.request(exchange.lane.target, fields_of(exchange.lane.extra))
                self._open[exchange.number] = exchange

    def _flush(self) -> None:
        if self._transport is not None and (data := self._session.output()):
            self._transport.write(data)

    def told(self) -> None:
        """What a slow reader has read goes out."""
        self._flush()
        self._end_if_done()

    # -- the end

    def _refuse(self, exchange: Exchange, now: float) -> None:
        """Of an answer that is not taken, no more is wanted."""
        self.leave(exchange)
        self._fail(exchange, "malformed", now)

    def _fail(self, exchange: Exchange, why: str, now: float) -> None:
        lane, exchange.number = exchange.detach(), 0
        if lane is not None:
            self._hub.failed(lane, why, now)
        self._end_if_done()

    def _again(self, exchange: Exchange, now: float) -> None:
        """Of a connection that has answered before, it is sent again on another one, as browsers do."""
        if self._fresh:
            self._fail(exchange, "reset", now)
        elif (lane := exchange.detach()) is not None:
            self._hub.send(lane)

    def _break(self, why: str, now: float) -> None:
        """Nothing comes of anything on it."""
        self._retire()
        exchanges = self._drop_all()
        self._shut()
        for exchange in exchanges:
            self._fail(exchange, why, now)

    def _drop_all(self) -> Sequence[Exchange]:
        """Who waits for something of it; nobody does any more."""
        found = [*self._open.values(), *self._waiting]
        self._open.clear()
        self._waiting.clear()
        return found

    def _retire(self) -> None:
        if self._taking:
            self._taking = False
            self._keeper.forget(self._player, self)
            self._player = None

    def _end_if_done(self) -> None:
        if not self._taking and self.idle:
            self._shut()

    def _shut(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
