"""A small real HTTP server with a live stream of 0.2 s parts, in the loop of the test."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from tests.viewers_kit import MULTIVARIANT, PARTS, UNIX, Stream

PART_S = 0.2
FRAME = 16_384


@dataclass
class LiveServer:
    """Answers from `Stream`, whose second 0 was 20 s before the server's start."""

    stream: Stream = field(default_factory=lambda: Stream(part_s=PART_S))
    part: bytes = b"x" * 5_000
    close_each: bool = False
    """`Connection: close` after each answer."""
    fault: Callable[[str], bytes | None] = lambda target: None
    """What is sent in place of an answer; empty: the connection is closed."""
    silent: Callable[[str], bool] = lambda target: False
    """Nothing is answered, and the connection stays."""
    port: int = 0
    requests: list[str] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    peers: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._zero = time.monotonic() - 20.0

    @property
    def clock_offset(self) -> float:
        """The stream's dates minus our clock."""
        return UNIX - (time.time() - time.monotonic() + self._zero)  # noqa: TID251  (of a run's plan)

    def seen(self, what: str) -> int:
        """Requests for media whose name begins with `what`: `/p` parts, `/s` segments."""
        return sum(what in target and target.partition("?")[0].endswith(".m4s") for target in self.requests)

    @asynccontextmanager
    async def serve(self, tls: ssl.SSLContext | None = None, *, http2: bool = False) -> AsyncIterator[str]:
        """Runs; its address. `http2`: speaks that and nothing else, to whoever offers it by ALPN."""
        if http2:
            assert tls is not None
            tls.set_alpn_protocols(["h2"])
        server = await asyncio.start_server(self._http2 if http2 else self._connection, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        self._tasks: set[asyncio.Task[None]] = set()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.peers.add(writer.get_extra_info("peername")[0])
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.heads.append(head)
                target = head.split(b" ")[1].decode()
                self.requests.append(target)
                if self.silent(target):
                    continue
                answer = self.fault(target)
                if answer is None:
                    body = await self._body(target)
                    closing = b"Connection: close\r\n" if self.close_each else b""
                    answer = b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (closing, len(body), body)
                writer.write(answer)
                await writer.drain()
                if self.close_each or not answer:
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # streams of Python 3.11 cannot bear a cancelled handler
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _http2(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.peers.add(writer.get_extra_info("peername")[0])
        talk = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        talk.initiate_connection()
        writer.write(talk.data_to_send())
        try:
            while data := await reader.read(1 << 16):
                for event in talk.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        target = next(str(value) for name, value in event.headers or () if str(name) == ":path")
                        self.requests.append(target)
                        answer = asyncio.ensure_future(self._stream(talk, writer, event.stream_id, target))
                        self._tasks.add(answer)
                        answer.add_done_callback(self._tasks.discard)
                writer.write(talk.data_to_send())
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _stream(
        self, talk: h2.connection.H2Connection, writer: asyncio.StreamWriter, stream: int, target: str
    ) -> None:
        body = await self._body(target)
        with contextlib.suppress(h2.exceptions.ProtocolError):  # who asked is gone
            talk.send_headers(stream, [(":status", "200"), ("content-length", str(len(body)))])
            for at in range(0, len(body), FRAME):
                talk.send_data(stream, body[at : at + FRAME])
            talk.end_stream(stream)
            writer.write(talk.data_to_send())

    async def _body(self, target: str) -> bytes:
        path, _, query = target.partition("?")
        if path.endswith("/live/index.m3u8"):
            return MULTIVARIANT.encode()
        if not path.endswith("index.m3u8"):
            return self.part
        pairs = dict(pair.split("=", 1) for pair in query.split("&") if "=" in pair)
        if "_HLS_msn" in pairs:
            n = int(pairs["_HLS_msn"]) * PARTS + int(pairs.get("_HLS_part", "3"))
            await asyncio.sleep(max(0.0, self.stream.due(n) - (time.monotonic() - self._zero)))
        count = self.stream.count(time.monotonic() - self._zero + 1e-3)
        return self.stream.playlist(count, ended=False, skip="_HLS_skip" in pairs).encode()
