"""The publishing side of RTMP (rtmp_specification_1.0): bytes in, bytes and events out. Sans-IO.

Plain handshake, one stream, chunk size raised at once, every message with a full header: the simplest traffic
that is right. The server's own chunks are read in all their formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from .amf import BadAmf, Value, decode_all, encode_all
from .chunks import BadChunk, ChunkReader, Message, write_message
from .flv import TagKind
from .options import Target

HANDSHAKE_BYTES = 1536
CHUNK_BYTES = 65_536
"""Of what we send. Why 64 KiB: nearly every frame in one chunk; the default of 128 costs a header every 128 bytes."""
STARTUP_S = 10.0
"""From the first byte to an accepted publish. Why: longer than a slow link, shorter than a person's patience."""
FLASH_VERSION = "FMLE/3.0 (compatible; Headwater)"

CONNECT, CREATE_STREAM, PUBLISH = 1.0, 4.0, 5.0
"""Transaction ids, in the order that librtmp and libavformat use (2 and 3 are releaseStream and FCPublish)."""


class State(Enum):
    """Where the conversation is."""

    HANDSHAKE = "waiting for S0 and S1"
    HANDSHAKE_END = "waiting for S2"
    CONNECTING = "waiting for the answer to connect"
    CREATING = "waiting for the answer to createStream"
    STARTING = "waiting for the answer to publish"
    PUBLISHING = "publishing"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Ready:
    """The server takes media now."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The server said no; `code` as on the wire (`NetStream.Publish.BadName`)."""

    code: str
    description: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The conversation is over for another reason; `detail` is for people."""

    detail: str


Event: TypeAlias = Ready | Refused | Lost


class PublishClient:
    """One connection. `Refused` or `Lost` is the last event."""

    def __init__(self, target: Target, now: float, entropy: bytes) -> None:
        """`entropy`: at least 1528 random bytes for C1."""
        self.state = State.HANDSHAKE
        self._target = target
        self._events: list[Event] = []
        self._in = bytearray()
        self._chunks = ChunkReader()
        self._deadline: float | None = now + STARTUP_S
        self._stream_id = 0
        self._received = 0
        self._acknowledged = 0
        self._ack_window = 2_500_000
        # 5.2.2, 5.2.3: C0 is version 3, C1 is time, four zero bytes, random bytes.
        self._out: list[bytes] = [b"\x03" + bytes(8) + entropy[: HANDSHAKE_BYTES - 8]]

    def events_received(self) -> list[Event]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> list[bytes]:
        """Pieces for the socket since the last call, in order."""
        pieces, self._out = self._out, []
        return pieces

    def next_timeout(self) -> float | None:
        """When `handle_timeout` wants to be called; None: never."""
        return self._deadline

    def handle_timeout(self, now: float) -> None:
        """Ends a conversation that does not get to publishing."""
        if self._deadline is not None and now >= self._deadline:
            self.lose(f"no answer for {STARTUP_S:.0f} s, {self.state.value}")

    def receive_eof(self, now: float) -> None:
        """The server closed the connection."""
        if self.state is State.PUBLISHING:
            self.lose("the server closed the connection")
        else:
            self.lose(f"the server closed the connection while {self.state.value}")

    def receive_data(self, data: bytes, now: float) -> None:
        """Bytes of the server, in any pieces."""
        if self.state is State.CLOSED:
            return
        self._received += len(data)
        self._in += data
        try:
            self._handshake()
            if self.state not in (State.HANDSHAKE, State.HANDSHAKE_END):
                pending, self._in = bytes(self._in), bytearray()
                for message in self._chunks.feed(pending):
                    if not self._closed():
                        self._message(message)
        except (BadChunk, BadAmf) as error:
            self.lose(f"the server's answer is no RTMP: {error}")
        if not self._closed() and self._received - self._acknowledged >= self._ack_window:
            self._acknowledged = self._received
            self._send(2, 3, (self._received & 0xFFFFFFFF).to_bytes(4, "big"))  # 5.4.3

    def send_media(self, kind: TagKind, timestamp: int, payload: bytes) -> None:
        """One FLV tag; `timestamp` in ms, wrapped to 32 bit here. Only while publishing."""
        csid = 4 if kind is TagKind.AUDIO else 6
        self._send(csid, kind, payload, timestamp=timestamp, stream_id=self._stream_id)

    def send_metadata(self, values: Mapping[str, Value]) -> None:
        """`@setDataFrame` `onMetaData`."""
        body = encode_all("@setDataFrame", "onMetaData", values)
        self._send(4, TagKind.SCRIPT, body, stream_id=self._stream_id)

    def finish(self) -> None:
        """Says goodbye as FMLE does; the connection may be closed once this is sent."""
        if self.state is State.PUBLISHING:
            self._command("FCUnpublish", 6.0, None, self._target.key)
            self._command("deleteStream", 7.0, None, float(self._stream_id))
        self.state = State.CLOSED
        self._deadline = None

    def lose(self, detail: str) -> None:
        """Ends the conversation with `Lost`, unless it has ended."""
        if self.state is not State.CLOSED:
            self.state = State.CLOSED
            self._deadline = None
            self._events.append(Lost(detail))

    def _closed(self) -> bool:
        return self.state is State.CLOSED

    def _refuse(self, code: str, description: str) -> None:
        self.state = State.CLOSED
        self._deadline = None
        self._events.append(Refused(code, description))

    def _send(self, csid: int, kind: int, body: bytes, *, timestamp: int = 0, stream_id: int = 0) -> None:
        self._out.extend(write_message(Message(kind, timestamp & 0xFFFFFFFF, stream_id, body), csid, CHUNK_BYTES))

    def _command(self, name: str, transaction: float, *values: Value, stream_id: int = 0) -> None:
        self._send(3, 20, encode_all(name, transaction, *values), stream_id=stream_id)

    def _handshake(self) -> None:
        if self.state is State.HANDSHAKE and len(self._in) >= 1 + HANDSHAKE_BYTES:
            if self._in[0] != 3:  # 5.2.2
                raise BadChunk("not an RTMP handshake")
            # 5.2.4: C2 echoes S1.
            self._out.append(bytes(self._in[1 : 1 + HANDSHAKE_BYTES]))
            del self._in[: 1 + HANDSHAKE_BYTES]
            self.state = State.HANDSHAKE_END
        # S2 should echo C1; servers that answer a digest handshake do not, and nothing depends on it.
        if self.state is State.HANDSHAKE_END and len(self._in) >= HANDSHAKE_BYTES:
            del self._in[:HANDSHAKE_BYTES]
            self._connect()

    def _connect(self) -> None:
        self.state = State.CONNECTING
        # 5.4.1 before connect, as OBS does: the chunk size holds from the next message on.
        self._out.extend(write_message(Message(1, 0, 0, CHUNK_BYTES.to_bytes(4, "big")), 2, CHUNK_BYTES))
        self._command(
            "connect",
            CONNECT,
            {
                "app": self._target.app,
                "type": "nonprivate",
                "flashVer": FLASH_VERSION,
                "tcUrl": self._target.tc_url,
                "fourCcList": ["av01", "hvc1", "Opus"],  # Enhanced RTMP: what a file or `codec` may bring
            },
        )

    def _message(self, message: Message) -> None:
        match message.kind:
            case 5 if len(message.body) >= 4:  # 5.4.4 Window Acknowledgement Size
                self._ack_window = max(1, int.from_bytes(message.body[:4], "big"))
            case 4 if message.body[:2] == b"\x00\x06":  # 7.1.7 PingRequest
                self._send(2, 4, b"\x00\x07" + message.body[2:6])
            case 20:
                self._answer(decode_all(message.body))
            case 17:  # AMF3 command: one format byte, then AMF0
                self._answer(decode_all(message.body[1:]))

    def _answer(self, values: list[Value]) -> None:
        name = values[0] if values else None
        transaction = values[1] if len(values) > 1 else None
        info = values[3] if len(values) > 3 else None
        if name == "onStatus":
            self._status(info if isinstance(info, Mapping) else {})
        elif name == "_error" and transaction in (CONNECT, CREATE_STREAM, PUBLISH):
            details = info if isinstance(info, Mapping) else {}
            self._refuse(str(details.get("code", "")), str(details.get("description", "")))
        elif name == "close":
            self.lose("the server closed the connection")
        elif name == "_result" and transaction == CONNECT and self.state is State.CONNECTING:
            self.state = State.CREATING
            self._command("releaseStream", 2.0, None, self._target.key)
            self._command("FCPublish", 3.0, None, self._target.key)
            self._command("createStream", CREATE_STREAM, None)
        elif name == "_result" and transaction == CREATE_STREAM and self.state is State.CREATING:
            self.state = State.STARTING
            self._stream_id = int(info) if isinstance(info, float) and 0 <= info < 2**32 else 1
            self._command("publish", PUBLISH, None, self._target.key, "live", stream_id=self._stream_id)

    def _status(self, info: Mapping[str, Value]) -> None:
        code = str(info.get("code", ""))
        if info.get("level") == "error":
            self._refuse(code, str(info.get("description", "")))
        elif code == "NetStream.Publish.Start" and self.state is State.STARTING:
            self.state = State.PUBLISHING
            self._deadline = None
            self._events.append(Ready())
        elif code == "NetStream.Unpublish.Success":
            self.lose("the server ended the publication")
