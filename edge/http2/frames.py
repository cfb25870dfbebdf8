"""Frames of HTTP/2 (RFC 9113 sections 4 to 7), and what may be wrong with them. Sans-IO."""

from __future__ import annotations

import enum
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_BYTES = 9
BEFORE_STREAM = 5
"""Of those: length, type and flags."""
FRAME_BYTES = 16_384
"""Largest payload: SETTINGS_MAX_FRAME_SIZE as it is by default, ours always."""
WINDOW_BYTES = 65_535
"""Section 6.9.2: of a new connection and of its streams."""
MAX_WINDOW = (1 << 31) - 1

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION, PRIORITY_UPDATE = 5, 6, 7, 8, 9, 16
END_STREAM = ACK = 1
END_HEADERS, PADDED, WITH_PRIORITY = 4, 8, 0x20

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 1, 2, 3, 4
MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, NO_RFC7540_PRIORITIES = 5, 6, 9

FRAME = struct.Struct(">HBBBL")
"""Length (high 16, low 8), type, flags, stream."""
_LONG = struct.Struct(">L")
_TWO = struct.Struct(">LL")
_SETTING = struct.Struct(">HL")


class Code(enum.IntEnum):
    """Section 7."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class ConnectionFault(Exception):
    """Nothing more can be done with this connection (section 5.4.1)."""

    def __init__(self, code: Code, words: str) -> None:
        super().__init__(words)
        self.code = code


class StreamFault(Exception):
    """One stream is reset, the others go on (section 5.4.2)."""

    def __init__(self, stream: int, code: Code, words: str) -> None:
        super().__init__(words)
        self.stream = stream
        self.code = code


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One whole frame."""
    length = len(payload)
    return FRAME.pack(length >> 8, length & 255, kind, flags, stream) + payload


def frame_head(kind: int, flags: int, stream: int, length: int) -> bytes:
    """What stands before a payload of `length` bytes."""
    return FRAME.pack(length >> 8, length & 255, kind, flags, stream)


def before_stream(kind: int, flags: int, length: int) -> bytes:
    """As `frame_head`, up to the stream."""
    return frame_head(kind, flags, 0, length)[:BEFORE_STREAM]


def header_frames(stream: int, block: bytes, *, ends: bool, most: int) -> bytes:
    """HEADERS, and CONTINUATION as far as `block` is larger than the peer's largest frame."""
    flags = END_STREAM if ends else 0
    if len(block) <= most:
        return frame(HEADERS, flags | END_HEADERS, stream, block)
    pieces = [block[start : start + most] for start in range(0, len(block), most)]
    frames = [frame(HEADERS, flags, stream, pieces[0])]
    frames += [frame(CONTINUATION, 0, stream, piece) for piece in pieces[1:-1]]
    return b"".join((*frames, frame(CONTINUATION, END_HEADERS, stream, pieces[-1])))


def settings(values: dict[int, int]) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*item) for item in values.items()))


def reset(stream: int, code: int) -> bytes:
    """RST_STREAM."""
    return frame(RST_STREAM, 0, stream, _LONG.pack(code))


def goaway(last: int, code: Code, words: str = "") -> bytes:
    """GOAWAY: streams above `last` were not looked at."""
    return frame(GOAWAY, 0, 0, _TWO.pack(last, code) + words.encode("ascii", "replace"))


def window_update(stream: int, bytes_: int) -> bytes:
    """WINDOW_UPDATE."""
    return frame(WINDOW_UPDATE, 0, stream, _LONG.pack(bytes_))


def read_settings(payload: bytes) -> dict[int, int]:
    """The last value of each. Raises ConnectionFault (section 6.5.2)."""
    if len(payload) % 6:
        raise ConnectionFault(Code.FRAME_SIZE_ERROR, "SETTINGS of a length that is no multiple of 6")
    values = dict(_SETTING.iter_unpack(payload))
    if values.get(ENABLE_PUSH, 0) > 1:
        raise ConnectionFault(Code.PROTOCOL_ERROR, "ENABLE_PUSH is neither 0 nor 1")
    if values.get(INITIAL_WINDOW_SIZE, 0) > MAX_WINDOW:
        raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE above 2^31-1")
    if not FRAME_BYTES <= values.get(MAX_FRAME_SIZE, FRAME_BYTES) < 1 << 24:
        raise ConnectionFault(Code.PROTOCOL_ERROR, "MAX_FRAME_SIZE out of bounds")
    return values


def unpadded(flags: int, payload: bytes, extra: int = 0) -> bytes:
    """`payload` without its padding, of which `extra` bytes have to be left. Raises ConnectionFault (section 6.1)."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] + 1 + extra > len(payload):
        raise ConnectionFault(Code.PROTOCOL_ERROR, "more padding than payload")
    return payload[1 : len(payload) - payload[0]]


def number(payload: bytes, start: int = 0) -> int:
    """31 bits, the reserved one left out."""
    return int.from_bytes(payload[start : start + 4], "big") & MAX_WINDOW
