"""A small RTMP publisher for tests: it builds every byte, and reads what a server answers. Sans-IO.

Nothing of it is shared with `headwater.ingest.rtmp`, so that a mistake there is not made twice.

    publisher = Publisher()
    session.receive_data(publisher.hello(), now)          # C0 C1
    publisher.receive(session.data_to_send())             # S0 S1 S2
    session.receive_data(publisher.c2(), now)
    session.receive_data(publisher.connect("live"), now)
    session.receive_data(publisher.publish("demo?key=secret"), now)
    session.receive_data(publisher.video(b"\\x17\\x01...", 40), now)

Or the whole way: `opening(...)` is C0 to `publish` in one piece, for a server that nobody waits for.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

CLIENT_KEY = b"Genuine Adobe Flash Player 001"

AUDIO, VIDEO, DATA, COMMAND = 8, 9, 18, 20
SET_CHUNK_SIZE, ABORT, ACKNOWLEDGEMENT, USER_CONTROL, WINDOW, BANDWIDTH = 1, 2, 3, 4, 5, 6


class Ecma(dict[str, object]):
    """A dict that goes out as an ECMA array, with `count` in its header (right or wrong)."""

    count: int | None = None


def amf0(*values: object) -> bytes:
    """Encode values as AMF0: numbers, bool, str, None, dict, Ecma, list."""
    return b"".join(map(_amf0, values))


def _amf0(value: object) -> bytes:
    match value:
        case bool():
            return bytes([1, value])
        case int() | float():
            return struct.pack(">Bd", 0, value)
        case str():
            raw = value.encode()
            return struct.pack(">BH", 2, len(raw)) + raw if len(raw) < 65536 else struct.pack(">BI", 12, len(raw)) + raw
        case None:
            return b"\x05"
        case Ecma():
            count = len(value) if value.count is None else value.count
            return struct.pack(">BI", 8, count) + _members(value)
        case Mapping():
            return b"\x03" + _members(value)
        case Sequence():
            return struct.pack(">BI", 10, len(value)) + b"".join(map(_amf0, value))
    raise TypeError(f"no AMF0 for {value!r}")


def _members(value: Mapping[str, object]) -> bytes:
    return b"".join(struct.pack(">H", len(k.encode())) + k.encode() + _amf0(v) for k, v in value.items()) + b"\0\0\x09"


def read_amf0(data: bytes) -> list[object]:
    """Decode well-formed AMF0, as a server sends it."""
    values, at = [], 0
    while at < len(data):
        value, at = _read(data, at)
        values.append(value)
    return values


def _read(data: bytes, at: int) -> tuple[object, int]:
    marker, at = data[at], at + 1
    if marker == 0:
        return struct.unpack_from(">d", data, at)[0], at + 8
    if marker == 1:
        return bool(data[at]), at + 1
    if marker == 2:
        size = int.from_bytes(data[at : at + 2])
        return data[at + 2 : at + 2 + size].decode(), at + 2 + size
    if marker == 12:
        size = int.from_bytes(data[at : at + 4])
        return data[at + 4 : at + 4 + size].decode(), at + 4 + size
    if marker in (5, 6):
        return None, at
    if marker == 10:
        items, count, at = [], int.from_bytes(data[at : at + 4]), at + 4
        for _ in range(count):
            item, at = _read(data, at)
            items.append(item)
        return items, at
    if marker in (3, 8):
        at += 4 if marker == 8 else 0
        members: dict[str, object] = {}
        while data[at : at + 3] != b"\0\0\x09":
            size = int.from_bytes(data[at : at + 2])
            key = data[at + 2 : at + 2 + size].decode()
            members[key], at = _read(data, at + 2 + size)
        return members, at + 3
    raise ValueError(f"marker {marker} at {at - 1}")


@dataclass
class Reply:
    """One message of the server."""

    type: int
    stream_id: int
    payload: bytes

    @property
    def values(self) -> list[object]:
        """The AMF0 values of a command."""
        return read_amf0(self.payload)


def chunk_header(
    csid: int, fmt: int, timestamp: int, length: int, kind: int, stream_id: int, extended: bool | None = None
) -> bytes:
    """Basic and message header of one chunk; `timestamp` is the absolute time or the delta, as `fmt` wants it.

    `extended`: force the extended timestamp field; None: when 24 bits are not enough.
    """
    if csid < 64:
        basic = bytes([fmt << 6 | csid])
    elif csid < 320:
        basic = bytes([fmt << 6, csid - 64])
    else:
        basic = bytes([fmt << 6 | 1, (csid - 64) & 255, (csid - 64) >> 8])
    if fmt == 3:
        return basic
    if extended is None:
        extended = timestamp >= 0xFFFFFF
    stamp = 0xFFFFFF if extended else timestamp
    header = stamp.to_bytes(3)
    if fmt < 2:
        header += length.to_bytes(3) + bytes([kind])
    if fmt == 0:
        header += stream_id.to_bytes(4, "little")
    return basic + header + (timestamp.to_bytes(4) if extended else b"")


def message(
    kind: int,
    payload: bytes,
    *,
    timestamp: int = 0,
    csid: int = 3,
    stream_id: int = 0,
    chunk_size: int = 128,
    fmt: int = 0,
    repeat_extended: bool = True,
    extended: bool | None = None,
) -> bytes:
    """One message as chunks. `repeat_extended`: the dialect of fmt 3 continuations."""
    return b"".join(
        pieces(
            kind,
            payload,
            timestamp=timestamp,
            csid=csid,
            stream_id=stream_id,
            chunk_size=chunk_size,
            fmt=fmt,
            repeat_extended=repeat_extended,
            extended=extended,
        )
    )


def pieces(
    kind: int,
    payload: bytes,
    *,
    timestamp: int = 0,
    csid: int = 3,
    stream_id: int = 0,
    chunk_size: int = 128,
    fmt: int = 0,
    repeat_extended: bool = True,
    extended: bool | None = None,
) -> list[bytes]:
    """As `message`, one element per chunk, for tests that interleave."""
    head = chunk_header(csid, fmt, timestamp, len(payload), kind, stream_id, extended)
    again = chunk_header(csid, 3, 0, 0, 0, 0)
    if repeat_extended and (extended or (extended is None and timestamp >= 0xFFFFFF and fmt != 3)):
        again += timestamp.to_bytes(4)
    out = []
    for at in range(0, max(len(payload), 1), chunk_size):
        out.append((again if at else head) + payload[at : at + chunk_size])
    return out


def control(kind: int, value: int, extra: bytes = b"") -> bytes:
    """A protocol control message with one 32-bit value."""
    return message(kind, value.to_bytes(4) + extra, csid=2)


def user_control(event: int, *values: int) -> bytes:
    """A user control message: 3 SetBufferLength, 6 PingRequest, 7 PingResponse, ..."""
    return message(USER_CONTROL, struct.pack(f">H{len(values)}I", event, *values), csid=2)


def c1_digest(c1: bytes, base: int) -> bytes:
    """C1 with the digest of Flash Player 9+ written at `base` (772 or 8)."""
    at = sum(c1[base : base + 4]) % 728 + base + 4
    return c1[:at] + hmac.digest(CLIENT_KEY, c1[:at] + c1[at + 32 :], hashlib.sha256) + c1[at + 32 :]


@dataclass
class Publisher:
    """Builds the client side of one connection in order, and parses the server's side.

    Args:
        digest_base: None for the plain handshake, 772 or 8 for the digest one.
        chunk_size: of what we send; anything but 128 is announced before `connect`.
    """

    digest_base: int | None = None
    chunk_size: int = 4096
    stream_id: int = 1
    replies: list[Reply] = field(default_factory=list)
    handshake: bytes = b""
    """S0 S1 S2, once received."""
    transaction: int = 0
    _buffer: bytes = b""
    _peer_chunk_size: int = 128
    _partial: dict[int, tuple[int, int, int, bytes]] = field(default_factory=dict)
    _times: dict[int, int] = field(default_factory=dict)

    # -- handshake ---------------------------------------------------------------------------------

    def hello(self) -> bytes:
        """C0 and C1."""
        noise = hashlib.shake_256(b"client").digest(1528)
        if self.digest_base is None:
            return b"\x03" + bytes(8) + noise
        return b"\x03" + c1_digest(bytes(4) + b"\x09\x00\x7c\x02" + noise, self.digest_base)

    def c2(self) -> bytes:
        """C2: S1 when it has come, else noise (a server must not look at it)."""
        return self.handshake[1:1537] if self.handshake else bytes(1536)

    # -- commands ----------------------------------------------------------------------------------

    def command(self, name: str, *values: object, stream_id: int = 0, csid: int = 3, transaction: int = -1) -> bytes:
        """Any AMF0 command; its transaction id counts up by itself."""
        if transaction < 0:
            self.transaction += 1
            transaction = self.transaction
        body = amf0(name, transaction, *values)
        return message(COMMAND, body, csid=csid, stream_id=stream_id, chunk_size=self.chunk_size)

    def connect(self, app: str = "live", tc_url: str | None = None, **more: object) -> bytes:
        """SetChunkSize and `connect`."""
        size = control(SET_CHUNK_SIZE, self.chunk_size) if self.chunk_size != 128 else b""
        url = f"rtmp://localhost/{app}" if tc_url is None else tc_url
        return size + self.command("connect", {"app": app, "flashVer": "FMLE/3.0 (test)", "tcUrl": url, **more})

    def publish(self, key: str = "demo", kind: str = "live") -> bytes:
        """releaseStream, FCPublish, createStream and `publish`."""
        return (
            self.command("releaseStream", None, key)
            + self.command("FCPublish", None, key)
            + self.command("createStream", None)
            + self.command("publish", None, key, kind, stream_id=self.stream_id, csid=4)
        )

    def opening(self, key: str = "demo", app: str = "live", **more: object) -> bytes:
        """Everything up to `publish` in one piece."""
        return self.hello() + self.c2() + self.connect(app, None, **more) + self.publish(key)

    def unpublish(self, key: str = "demo") -> bytes:
        """FCUnpublish and deleteStream."""
        return self.command("FCUnpublish", None, key) + self.command("deleteStream", None, self.stream_id)

    # -- media -------------------------------------------------------------------------------------

    def media(self, kind: int, payload: bytes, timestamp: int) -> bytes:
        """An audio (8) or video (9) message: fmt 0 first, then fmt 1 with deltas, as encoders do."""
        csid = 4 if kind == AUDIO else 6
        before = self._times.get(csid)
        self._times[csid] = timestamp
        fresh = before is None or timestamp < before
        return message(
            kind,
            payload,
            timestamp=timestamp if before is None or fresh else timestamp - before,
            csid=csid,
            stream_id=self.stream_id,
            chunk_size=self.chunk_size,
            fmt=0 if fresh else 1,
        )

    def video(self, payload: bytes, timestamp: int) -> bytes:
        """One FLV video tag body."""
        return self.media(VIDEO, payload, timestamp)

    def audio(self, payload: bytes, timestamp: int) -> bytes:
        """One FLV audio tag body."""
        return self.media(AUDIO, payload, timestamp)

    def metadata(self, values: Mapping[str, object]) -> bytes:
        """`@setDataFrame` `onMetaData`."""
        body = amf0("@setDataFrame", "onMetaData", Ecma(values))
        return message(DATA, body, csid=4, stream_id=self.stream_id, chunk_size=self.chunk_size)

    # -- the server's side -------------------------------------------------------------------------

    def receive(self, data: bytes) -> list[Reply]:
        """Take bytes of the server; return (and keep in `replies`) the messages they complete."""
        self._buffer += data
        if not self.handshake:
            if len(self._buffer) < 3073:
                return []
            self.handshake, self._buffer = self._buffer[:3073], self._buffer[3073:]
        fresh = []
        while (reply := self._chunk()) is not None:
            fresh.extend(reply)
        self.replies += fresh
        return fresh

    def _chunk(self) -> list[Reply] | None:
        """Take one whole chunk off the buffer (servers answer with fmt 0 and 3 and small chunk stream ids)."""
        buffer = self._buffer
        if not buffer:
            return None
        fmt, csid = buffer[0] >> 6, buffer[0] & 63
        at = 12 if fmt == 0 else 1
        if len(buffer) < at:
            return None
        if fmt == 0:
            stream_id = int.from_bytes(buffer[8:12], "little")
            self._partial[csid] = (buffer[7], stream_id, int.from_bytes(buffer[4:7]), b"")
        elif fmt != 3:
            raise ValueError(f"a server's chunk of format {fmt}")
        kind, stream_id, length, so_far = self._partial[csid]
        take = min(length - len(so_far), self._peer_chunk_size)
        if len(buffer) < at + take:
            return None
        so_far += buffer[at : at + take]
        self._buffer = buffer[at + take :]
        self._partial[csid] = (kind, stream_id, length, so_far)
        if len(so_far) < length:
            return []
        self._partial[csid] = (kind, stream_id, length, b"")
        if kind == SET_CHUNK_SIZE:
            self._peer_chunk_size = int.from_bytes(so_far)
        return [Reply(kind, stream_id, so_far)]

    def commands(self) -> list[list[object]]:
        """All commands received so far, as lists of AMF0 values."""
        return [reply.values for reply in self.replies if reply.type == COMMAND]

    def codes(self) -> list[str]:
        """The `code` of every onStatus, _result and _error that has one."""
        infos = [value for values in self.commands() for value in values if isinstance(value, dict)]
        return [str(info["code"]) for info in infos if "code" in info]
