"""AMF0 (amf0-file-format-specification): the values that publishing needs, out and in. Sans-IO."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import TypeAlias, Union

Value: TypeAlias = Union[float, bool, str, Mapping[str, "Value"], Sequence["Value"], None]  # noqa: UP007 (recursive)

MAX_DEPTH = 8
"""Nested values of a reply. Why 8: real replies nest 2; the bound keeps a hostile one off the stack."""


class BadAmf(ValueError):
    """Bytes that are no AMF0, or a type that no server sends to a publisher."""


def _short_string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


def encode(value: Value) -> bytes:
    """One value: numbers are doubles, mappings are objects. Strings and names have at most 65,535 bytes."""
    match value:
        case None:
            return b"\x05"  # 2.7
        case bool():
            return b"\x01\x01" if value else b"\x01\x00"  # 2.3
        case float() | int():
            return b"\x00" + struct.pack(">d", value)  # 2.2
        case str():
            return b"\x02" + _short_string(value)  # 2.4
        case Mapping():
            body = b"".join(_short_string(name) + encode(item) for name, item in value.items())
            return b"\x03" + body + b"\x00\x00\x09"  # 2.5
        case _:
            return b"\x0a" + struct.pack(">I", len(value)) + b"".join(map(encode, value))  # 2.12


def encode_all(*values: Value) -> bytes:
    """The body of a command message."""
    return b"".join(map(encode, values))


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.data):
            raise BadAmf("value is cut short")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def text(self, length_size: int) -> str:
        return self.take(self.number(length_size)).decode("utf-8", "replace")

    def pairs(self, depth: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while True:
            name = self.text(2)
            # 2.11 object end: an empty name followed by the end marker.
            if not name and self.data[self.at : self.at + 1] == b"\x09":
                self.at += 1
                return found
            found[name] = self.value(depth + 1)

    def value(self, depth: int = 0) -> Value:
        if depth > MAX_DEPTH:
            raise BadAmf("values nest too deep")
        marker = self.number(1)
        match marker:
            case 0x00:
                return float(struct.unpack(">d", self.take(8))[0])
            case 0x01:
                return self.number(1) != 0
            case 0x02:
                return self.text(2)
            case 0x03:
                return self.pairs(depth)
            case 0x05 | 0x06:
                return None
            case 0x08:  # 2.10 ECMA array: the count is a hint
                self.take(4)
                return self.pairs(depth)
            case 0x0A:
                # Each value takes a byte at least, so a lying count ends in "cut short" within the message.
                return [self.value(depth + 1) for _ in range(self.number(4))]
            case 0x0B:  # 2.13 date: milliseconds, reserved time zone
                moment = float(struct.unpack(">d", self.take(8))[0])
                self.take(2)
                return moment
            case 0x0C:
                return self.text(4)
        raise BadAmf(f"unknown type {marker:#04x}")


def decode_all(data: bytes) -> list[Value]:
    """All values of a command message. Raises BadAmf."""
    reader = _Reader(data)
    values: list[Value] = []
    while reader.at < len(data):
        values.append(reader.value())
    return values
