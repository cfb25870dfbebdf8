"""AMF0, both ways, with AMF3 values inside it (Adobe AMF 0 and AMF 3 specifications). Sans-IO.

A publisher's AMF is taken as far as it makes sense and never raises: `decode` gives the values up to the
first fault, and says what the fault is. Containers that are open at that point are closed with what they
have, so an object without its end marker, or an ECMA array with a wrong count, is simply read.

    AMF                                      Python
    number, date (ms since 1970), integer    float
    boolean                                  bool
    string, long string, XML                 str (bytes that are no UTF-8 are replaced)
    null, undefined, unsupported             None
    object, typed object, ECMA array         dict[str, Value]
    strict array, AMF3 dense array, vector   list[Value]
    AMF3 byte array                          bytes
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .amf3 import Amf3Reader
from .amf_source import Known, Source, Value


class Marker(enum.IntEnum):
    """AMF0 type markers (AMF 0 section 2.1)."""

    NUMBER = 0x00
    BOOLEAN = 0x01
    STRING = 0x02
    OBJECT = 0x03
    MOVIECLIP = 0x04
    NULL = 0x05
    UNDEFINED = 0x06
    REFERENCE = 0x07
    ECMA_ARRAY = 0x08
    OBJECT_END = 0x09
    STRICT_ARRAY = 0x0A
    DATE = 0x0B
    LONG_STRING = 0x0C
    UNSUPPORTED = 0x0D
    RECORDSET = 0x0E
    XML_DOCUMENT = 0x0F
    TYPED_OBJECT = 0x10
    AVMPLUS = 0x11


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a message's AMF says."""

    values: list[Value]
    fault: str | None
    """Why reading stopped before the end, in plain words; None when it did not."""


def decode(data: bytes) -> Decoded:
    """All AMF0 values of `data`, at most `limits.AMF_NODES` and `limits.AMF_DEPTH` deep."""
    reader = Amf0Reader(Source(data))
    values: list[Value] = []
    source = reader.source
    while source.more():
        value = reader.value(0)
        if source.whole(value):
            values.append(value)
    return Decoded(values, source.fault)


class Amf0Reader:
    """Reads AMF0 values off a `Source`."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._table: list[Known] = []

    def value(self, depth: int) -> Value:
        """The next value; None after a fault."""
        source = self.source
        if not source.spend(depth):
            return None
        marker = source.uint(1)
        match marker:
            case Marker.NUMBER:
                return source.double()
            case Marker.BOOLEAN:
                return source.uint(1) != 0
            case Marker.STRING:
                return source.text(source.uint(2))
            case Marker.LONG_STRING | Marker.XML_DOCUMENT:
                return source.text(source.uint(4))
            case Marker.NULL | Marker.UNDEFINED | Marker.UNSUPPORTED:
                return None
            case Marker.DATE:
                moment = source.double()
                source.take(2)  # AMF 0 section 2.13: the time zone is reserved and not used
                return moment
            case Marker.REFERENCE:
                return source.recall(self._table, source.uint(2), depth)
            case Marker.AVMPLUS:
                return self._amf3(depth)
        return self._complex(marker, depth)

    def _complex(self, marker: int, depth: int) -> Value:
        source = self.source
        mark = source.begin(depth)
        slot = len(self._table)
        self._table.append(Known(None))  # references are numbered in the order in which objects open
        result: Value
        match marker:
            case Marker.OBJECT:
                result = self._members(depth)
            case Marker.ECMA_ARRAY:
                source.take(4)  # the count is a hint that encoders get wrong; the end marker rules
                result = self._members(depth)
            case Marker.TYPED_OBJECT:
                source.text(source.uint(2))
                result = self._members(depth)
            case Marker.STRICT_ARRAY:
                result = self._items(source.uint(4), depth)
            case _:
                source.fail(f"unknown AMF0 marker {marker}")
                return None
        self._table[slot] = source.measure(result, mark, depth)
        return result

    def _members(self, depth: int) -> dict[str, Value]:
        """Name and value pairs up to the end marker, the end of the data, or a fault."""
        source = self.source
        members: dict[str, Value] = {}
        while source.more():
            name = source.text(source.uint(2))
            if not source.failed() and source.data[source.at : source.at + 1] == b"\x09" and name == "":
                source.at += 1
                break
            value = self.value(depth + 1)
            if source.whole(value):
                members[name] = value
        return members

    def _items(self, count: int, depth: int) -> list[Value]:
        source = self.source
        items: list[Value] = []
        while len(items) < count and source.more():
            item = self.value(depth + 1)
            if source.whole(item):
                items.append(item)
        return items

    def _amf3(self, depth: int) -> Value:
        # Enhanced RTMP v2, "AMF3 commands": the switch holds for one value; the tables start anew.
        return Amf3Reader(self.source).value(depth)


def encode(*values: object) -> bytes:
    """AMF0 of numbers, bool, str, None, mappings with str keys (objects) and sequences (strict arrays).

    Raises:
        TypeError: another type.
    """
    return b"".join(map(_encode, values))


def _encode(value: object) -> bytes:
    match value:
        case None:
            return bytes((Marker.NULL,))
        case bool():
            return bytes((Marker.BOOLEAN, value))
        case int() | float():
            return struct.pack(">Bd", Marker.NUMBER, value)
        case str():
            raw = value.encode("utf-8", "replace")
            if len(raw) > 0xFFFF:
                return struct.pack(">BI", Marker.LONG_STRING, len(raw)) + raw
            return struct.pack(">BH", Marker.STRING, len(raw)) + raw
        case Mapping():
            members = b"".join(_name(str(name)) + _encode(member) for name, member in value.items())
            return bytes((Marker.OBJECT,)) + members + b"\x00\x00" + bytes((Marker.OBJECT_END,))
        case Sequence() if not isinstance(value, bytes | bytearray | memoryview):
            return struct.pack(">BI", Marker.STRICT_ARRAY, len(value)) + b"".join(map(_encode, value))
    raise TypeError(f"no AMF0 for {type(value).__name__}")


def _name(name: str) -> bytes:
    raw = name.encode("utf-8", "replace")[:0xFFFF]
    return len(raw).to_bytes(2) + raw
