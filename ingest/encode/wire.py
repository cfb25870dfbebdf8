"""Messages between host and worker as bytes. Sans-IO.

    length u32, kind u8, body          big-endian; `length` counts kind and body

Samples, which are nearly all of the traffic, have a fixed head and their payload as it is; everything else is JSON,
with bytes in base 64 and fractions as `[numerator, denominator]`. Both ends are the same build: there is no version.
"""

from __future__ import annotations

import base64
import json
import struct
import types
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from fractions import Fraction
from typing import Any

from headwater.ingest.media import Cut, Hole, Rendition, Sample, TrackEnded, TrackStarted

from .model import (
    Adjust,
    Configure,
    Drain,
    Drained,
    Failed,
    FromWorker,
    Note,
    Opened,
    Picture,
    Progress,
    Resume,
    ToWorker,
)

MAX_MESSAGE = 64 * 1024 * 1024
"""Bytes of one message. Why: eight times the largest RTMP message that ingest takes by default."""

_HEAD = struct.Struct(">IB")
_SAMPLE = struct.Struct(">qqIBdB")
_EXACT, _INDEPENDENT = 1, 2
_SAMPLE_KIND = 0
_PICTURE_KIND = 1
_KINDS: dict[int, type[Any]] = dict(
    enumerate(
        (
            Configure,
            Resume,
            Adjust,
            Drain,
            TrackStarted,
            TrackEnded,
            Cut,
            Hole,
            Opened,
            Progress,
            Drained,
            Failed,
            Note,
        ),
        2,
    )
)
_NUMBERS = {message: kind for kind, message in _KINDS.items()}

Message = ToWorker | FromWorker


class WireError(Exception):
    """The bytes are no message: the other end is broken, and what follows cannot be read."""


def encode(message: Message) -> list[bytes]:
    """The buffers of one message, to be written in this order; a payload is not copied."""
    if isinstance(message, Sample):
        name = message.rendition.encode()
        flags = _EXACT * message.exact | _INDEPENDENT * message.independent
        head = _SAMPLE.pack(message.dts, message.pts, message.duration, flags, message.arrived, len(name)) + name
        return _framed(_SAMPLE_KIND, head, message.payload)
    if isinstance(message, Picture):
        head = json.dumps([message.content_type, message.time]).encode()
        return _framed(_PICTURE_KIND, len(head).to_bytes(2, "big") + head, message.data)
    return _framed(_NUMBERS[type(message)], json.dumps(_plain(message)).encode())


def _framed(kind: int, head: bytes, payload: bytes = b"") -> list[bytes]:
    frame = _HEAD.pack(1 + len(head) + len(payload), kind) + head
    return [frame, payload] if payload else [frame]


class Decoder:
    """Bytes in any pieces -> messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive_data(self, data: bytes) -> list[Message]:
        """The messages that are whole now. Raises WireError; nothing can be read after that."""
        self._buffer += data
        return list(self._messages())

    def _messages(self) -> Iterator[Message]:
        buffer, at = self._buffer, 0
        try:
            while len(buffer) - at >= _HEAD.size:
                length, kind = _HEAD.unpack_from(buffer, at)
                if not 1 <= length <= MAX_MESSAGE:
                    raise WireError(f"a message of {length} bytes")
                end = at + 4 + length
                if len(buffer) < end:
                    break
                body = bytes(memoryview(buffer)[at + _HEAD.size : end])
                at = end
                yield _decode(kind, body)
        finally:
            del buffer[:at]


def _decode(kind: int, body: bytes) -> Message:
    try:
        if kind == _SAMPLE_KIND:
            dts, pts, duration, flags, arrived, length = _SAMPLE.unpack_from(body)
            start = _SAMPLE.size + length
            name = Rendition(body[_SAMPLE.size : start].decode())
            exact, independent = bool(flags & _EXACT), bool(flags & _INDEPENDENT)
            return Sample(name, dts, pts, duration, exact, independent, body[start:], arrived)
        if kind == _PICTURE_KIND:
            end = 2 + int.from_bytes(body[:2], "big")
            content_type, time = json.loads(body[2:end])
            return Picture(content_type, time, body[end:])
        message: Message = _built(_KINDS[kind], json.loads(body))
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise WireError(f"message of kind {kind} cannot be read: {error}") from error
    return message


def _plain(value: Any) -> Any:
    """`value` as JSON can carry it."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Fraction):
        return [value.numerator, value.denominator]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def _built(kind: Any, value: Any) -> Any:
    """The inverse of `_plain` for an annotation of the messages' fields."""
    origin = typing.get_origin(kind)
    if origin is types.UnionType:
        present = [choice for choice in typing.get_args(kind) if choice is not types.NoneType]
        return None if value is None else _built(present[0], value)
    if origin is tuple:
        return tuple(_built(typing.get_args(kind)[0], item) for item in value)
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return typing.cast(Any, kind)(**{name: _built(hints[name], item) for name, item in value.items()})
    if kind is Fraction:
        return Fraction(*value)
    if kind is bytes:
        return base64.b64decode(value)
    return kind(value) if isinstance(kind, type) and issubclass(kind, Enum) else value
