"""For the edge's tests: a viewer that speaks HTTP/2, by the h2 library, and raw frames for what that would not send."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from tests.edge_house import Answer

FIELDS_OF_A_CONNECTION = {"connection", "host", "transfer-encoding"}


def client_context(*protocols: str) -> ssl.SSLContext:
    """Takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


@dataclass
class Open:
    """A request that waits for its answer."""

    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    reset: int | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Http2Peer:
    """Asks and reads as `edge_house.Peer` does; answers are taken in the order of the requests."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.open: dict[int, Open] = {}
        self.order: deque[int] = deque()
        self.goaway: h2.events.ConnectionTerminated | None = None
        self.gone = asyncio.Event()
        self.bodies: dict[int, int] = {}
        """Bytes of request bodies that are not sent."""
        self.window = True
        """Content is acknowledged as it comes."""
        self.h2.initiate_connection()
        self.flush()
        self.task = asyncio.get_running_loop().create_task(self._read())

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    def get(self, path: str, *fields: str, method: str = "GET", body: bytes = b"") -> int:
        """Ask; the stream."""
        number = self.h2.get_next_available_stream_id()
        pairs = [one.split(": ", 1) for one in fields]
        more = [(name.lower(), value) for name, value in pairs if name.lower() not in FIELDS_OF_A_CONNECTION]
        pseudo = [(":method", method), (":scheme", "https"), (":authority", "edge"), (":path", path)]
        self.open[number] = Open()
        self.order.append(number)
        self.h2.send_headers(number, pseudo + more, end_stream=not body)
        if body:
            self.h2.send_data(number, body, end_stream=True)
        self.flush()
        return number

    def post(self, path: str, size: int) -> int:
        """Send a body of `size` bytes, as fast as the windows allow; the stream."""
        number = self.h2.get_next_available_stream_id()
        self.open[number] = Open()
        pseudo = [(":method", "POST"), (":scheme", "https"), (":authority", "edge"), (":path", path)]
        self.h2.send_headers(number, pseudo, end_stream=False)
        self.bodies[number] = size
        self._send_bodies()
        return number

    def _send_bodies(self) -> None:
        for number, left in list(self.bodies.items()):
            while left and (room := min(self.h2.local_flow_control_window(number), 16_384, left)) > 0:
                left -= room
                self.h2.send_data(number, b"x" * room, end_stream=not left)
            self.bodies[number] = left
            if not left:
                del self.bodies[number]
        self.flush()

    async def answer(self, *, bodiless: bool = False) -> Answer:
        """To the oldest request."""
        return await self.answer_to(self.order.popleft())

    async def answer_to(self, number: int) -> Answer:
        waiting = self.open[number]
        await waiting.done.wait()
        del self.open[number]
        if waiting.reset is not None:
            raise ConnectionResetError(f"stream {number}: {waiting.reset}")
        headers = dict(waiting.headers)
        assert len(headers) == len(waiting.headers), f"a field is there twice: {waiting.headers}"
        return Answer(int(headers.pop(":status")), headers, bytes(waiting.body))

    async def ask(self, path: str, *fields: str, method: str = "GET") -> Answer:
        number = self.get(path, *fields, method=method)
        self.order.remove(number)
        return await self.answer_to(number)

    def reset(self, number: int) -> None:
        """Give a request up."""
        self.h2.reset_stream(number, error_code=8)
        self.open.pop(number, None)
        if number in self.order:
            self.order.remove(number)
        self.flush()

    async def ended(self) -> bool:
        """The edge ended the connection, and no request is left without an answer."""
        await self.gone.wait()
        return not any(not one.done.is_set() for one in self.open.values())

    def close(self) -> None:
        self.task.cancel()
        self.writer.close()

    async def _read(self) -> None:
        try:
            while head := await self.reader.readexactly(9):
                rest = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
                for event in self.h2.receive_data(head + rest):
                    self._take(event)
                if self.goaway is not None:
                    # The library takes GOAWAY for the end, but what is open goes on (RFC 9113, 6.8).
                    self.h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
                self._send_bodies()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, h2.exceptions.ProtocolError):
            pass
        finally:
            for one in self.open.values():
                if not one.done.is_set():
                    one.reset = -1
                    one.done.set()
            self.gone.set()
            self.writer.close()

    def _take(self, event: object) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = event
            return
        one = self.open.get(getattr(event, "stream_id", 0) or 0)
        if isinstance(event, h2.events.DataReceived) and self.window:
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if one is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            one.headers = [(str(name), str(value)) for name, value in event.headers or ()]
        elif isinstance(event, h2.events.DataReceived):
            one.body += event.data
        elif isinstance(event, h2.events.StreamReset):
            self.bodies.pop(event.stream_id, None)
            if not one.done.is_set():
                one.reset = int(event.error_code)
                one.done.set()
        elif isinstance(event, h2.events.StreamEnded):
            one.done.set()


async def connect(port: int, *, protocol: str = "h2", address: str | None = None) -> Http2Peer:
    """An HTTP/2 connection."""
    local = (address, 0) if address is not None else None
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, limit=1 << 20, ssl=client_context(protocol), local_addr=local
    )
    return Http2Peer(reader, writer)
