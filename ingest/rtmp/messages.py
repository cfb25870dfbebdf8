"""RTMP messages: types, protocol control, the aggregate (RTMP 1.0 sections 5.4 to 7.1). Sans-IO."""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator


class MessageType(enum.IntEnum):
    """The message types that RTMP defines; unknown ones are ignored."""

    SET_CHUNK_SIZE = 1
    ABORT = 2
    ACKNOWLEDGEMENT = 3
    USER_CONTROL = 4
    WINDOW_ACK_SIZE = 5
    SET_PEER_BANDWIDTH = 6
    AUDIO = 8
    VIDEO = 9
    DATA_AMF3 = 15
    SHARED_OBJECT_AMF3 = 16
    COMMAND_AMF3 = 17
    DATA_AMF0 = 18
    SHARED_OBJECT_AMF0 = 19
    COMMAND_AMF0 = 20
    AGGREGATE = 22


MEDIA_TYPES = frozenset(
    (MessageType.AUDIO, MessageType.VIDEO, MessageType.AGGREGATE, MessageType.DATA_AMF0, MessageType.DATA_AMF3)
)
"""What may be as large as `message_bytes`; everything else is bounded by `command_bytes`."""


class UserControl(enum.IntEnum):
    """Events of the user control message (RTMP 1.0 section 7.1.7); unknown ones are ignored."""

    STREAM_BEGIN = 0
    STREAM_EOF = 1
    STREAM_DRY = 2
    SET_BUFFER_LENGTH = 3
    STREAM_IS_RECORDED = 4
    PING_REQUEST = 6
    PING_RESPONSE = 7


class Limit(enum.IntEnum):
    """Limit type of SetPeerBandwidth (RTMP 1.0 section 5.4.5)."""

    HARD = 0
    SOFT = 1
    DYNAMIC = 2


class Message:
    """One complete message. `type` is the number on the wire, of `MessageType` or not."""

    __slots__ = ("payload", "stream_id", "timestamp", "type")

    def __init__(self, kind: int, timestamp: int, stream_id: int, payload: bytes) -> None:
        self.type = kind
        self.timestamp = timestamp
        """Milliseconds, modulo 2**32."""
        self.stream_id = stream_id
        self.payload = payload

    def __repr__(self) -> str:
        return f"Message(type={self.type}, timestamp={self.timestamp}, bytes={len(self.payload)})"


def number(value: int) -> bytes:
    """Payload of the control messages that carry one 32-bit value."""
    return (value & 0xFFFFFFFF).to_bytes(4)


def read_number(payload: bytes) -> int | None:
    """The 32-bit value at the start of a control message; None when it is too short."""
    return int.from_bytes(payload[:4]) if len(payload) >= 4 else None


def peer_bandwidth(size: int, limit: Limit) -> bytes:
    """Payload of SetPeerBandwidth."""
    return struct.pack(">IB", size, limit)


def user_control(event: UserControl, value: int) -> bytes:
    """Payload of a user control message with one 32-bit value."""
    return struct.pack(">HI", event, value & 0xFFFFFFFF)


def read_user_control(payload: bytes) -> tuple[int, int] | None:
    """(event, first value) of a user control message; None when it is too short to have both."""
    if len(payload) < 6:
        return None
    event, value = struct.unpack_from(">HI", payload)
    return event, value


_TAG_HEADER = 11
_BACK_POINTER = 4


def split_aggregate(message: Message) -> Iterator[Message]:
    """The messages inside an aggregate (RTMP 1.0 section 7.1.6), with their timestamps rebased.

    The difference between the aggregate's timestamp and its first tag's is added to every tag. A tag that
    runs over the end is left out, and so is a missing last back pointer. Aggregates do not nest.
    """
    payload = message.payload
    at = 0
    shift: int | None = None
    while at + _TAG_HEADER <= len(payload):
        kind = payload[at]
        size = int.from_bytes(payload[at + 1 : at + 4])
        # FLV: 24 low bits, then the 8 high ones.
        stamp = int.from_bytes(payload[at + 4 : at + 7]) | payload[at + 7] << 24
        start = at + _TAG_HEADER
        if start + size > len(payload):
            return
        if shift is None:
            shift = message.timestamp - stamp
        if kind != MessageType.AGGREGATE:
            yield Message(kind, (stamp + shift) & 0xFFFFFFFF, message.stream_id, payload[start : start + size])
        at = start + size + _BACK_POINTER
