"""A small shell around the SRT listener: takes every caller with the right passphrase and keeps what it sends.

The server's own shell demultiplexes at once; tests that compare payload bytes look one layer below.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from headwater.ingest.srt.errors import CloseReason, RejectCode
from headwater.ingest.srt.events import (
    ConnectionRequested,
    DataReceived,
    Event,
    KeyRefreshRequested,
    PacketsLost,
    SessionClosed,
    SessionId,
)
from headwater.ingest.srt.keys import KeyAnswer, KeyRequest, derive_kek
from headwater.ingest.srt.limits import Limits
from headwater.ingest.srt.listener import Acceptance, Listener
from headwater.ingest.srt.stats import Stats

SOCKET_BYTES = 4 << 20
TURN_DATAGRAMS = 128


@dataclass
class Received:
    """What one caller has sent."""

    data: bytearray = field(default_factory=bytearray)
    lost: int = 0
    """Packets that were given up."""
    session: SessionId = 0
    closed: CloseReason | None = None


class Receiver:
    """One UDP port. `secrets_of`: the passphrase by stream id; "" takes plain callers only, and is the default."""

    def __init__(self, limits: Limits, secrets_of: Mapping[str, str]) -> None:
        self.streams: dict[str, Received] = {}
        """By stream id, as soon as the caller is taken."""
        self._secrets = secrets_of
        self._limits = limits
        self._names: dict[SessionId, str] = {}
        self._timer: asyncio.Handle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen on loopback; the port."""
        self._loop = asyncio.get_running_loop()
        self.listener = Listener(self._limits, self._loop.time(), secrets.token_bytes(32))
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)
        self._socket.bind(("127.0.0.1", 0))
        self._loop.add_reader(self._socket.fileno(), self._read)
        return int(self._socket.getsockname()[1])

    async def close(self) -> None:
        """Stop listening."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def data(self, name: str) -> bytearray:
        """Payload of a stream so far."""
        found = self.streams.get(name)
        return bytearray() if found is None else found.data

    def stats(self, name: str) -> Stats | None:
        """What the listener says of a stream; None when it is over, or was never there."""
        found = self.streams.get(name)
        return None if found is None else self.listener.stats(found.session, self._loop.time())

    def _read(self) -> None:
        for _ in range(TURN_DATAGRAMS):
            try:
                datagram, address = self._socket.recvfrom(2_048)
            except BlockingIOError:
                break
            except OSError:
                continue
            self.listener.receive_datagram(datagram, address, self._loop.time())
        self._turn()

    def _tick(self) -> None:
        self._timer = None
        self.listener.handle_timeout(self._loop.time())
        self._turn()

    def _turn(self) -> None:
        """Handle events, send, and set the timer."""
        for event in self.listener.events_received():
            self._handle(event)
        for datagram, address in self.listener.datagrams_to_send():
            try:
                self._socket.sendto(datagram, address)
            except OSError:
                continue  # as if the network had lost it
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.listener.next_timeout()
        if due is not None:
            self._timer = self._loop.call_at(due, self._tick)

    def _handle(self, event: Event) -> None:
        match event:
            case DataReceived():
                self.streams[self._names[event.session]].data += event.data
            case PacketsLost():
                self.streams[self._names[event.session]].lost += event.count
            case ConnectionRequested():
                self._requested(event)
            case KeyRefreshRequested():
                self._in_background(self._refresh(event))
            case SessionClosed() if event.session in self._names:
                self.streams[self._names[event.session]].closed = event.reason

    def _requested(self, event: ConnectionRequested) -> None:
        secret = self._secrets.get(event.stream_id.name)
        if secret is None:
            self.listener.reject(event.session, RejectCode.NOTFOUND, self._loop.time())
        elif event.encrypted is None and secret:
            self.listener.reject(event.session, RejectCode.UNSECURE, self._loop.time())
        elif event.encrypted is None or not secret:
            self._accept(event, None)
        else:
            self._in_background(self._derive(event, secret, event.encrypted))

    async def _derive(self, event: ConnectionRequested, secret: str, request: KeyRequest) -> None:
        self._accept(event, await self._key(secret, request))
        self._turn()

    async def _refresh(self, event: KeyRefreshRequested) -> None:
        secret = self._secrets[self._names[event.session]]
        self.listener.answer_key(event.session, await self._key(secret, event.request), self._loop.time())
        self._turn()

    async def _key(self, secret: str, request: KeyRequest) -> KeyAnswer:
        derive = partial(derive_kek, secret, request.salt, request.length)
        return KeyAnswer(await self._loop.run_in_executor(None, derive))

    def _accept(self, event: ConnectionRequested, keys: KeyAnswer | None) -> None:
        if self.listener.accept(event.session, keys, self._loop.time()) is Acceptance.OPEN:
            name = event.stream_id.name
            self._names[event.session] = name
            self.streams[name] = Received(session=event.session)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
