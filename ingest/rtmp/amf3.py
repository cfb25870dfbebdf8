"""AMF3 values as they stand inside AMF0 (Adobe AMF 3 specification). Reading only. Sans-IO.

The shapes, the bounds and the way of failing are those of `amf`.
"""

from __future__ import annotations

import enum

from .amf_source import Known, Source, Value


class Marker3(enum.IntEnum):
    """AMF3 type markers (AMF 3 section 3.1)."""

    UNDEFINED = 0x00
    NULL = 0x01
    FALSE = 0x02
    TRUE = 0x03
    INTEGER = 0x04
    DOUBLE = 0x05
    STRING = 0x06
    XML_DOCUMENT = 0x07
    DATE = 0x08
    ARRAY = 0x09
    OBJECT = 0x0A
    XML = 0x0B
    BYTE_ARRAY = 0x0C
    VECTOR_INT = 0x0D
    VECTOR_UINT = 0x0E
    VECTOR_DOUBLE = 0x0F
    VECTOR_OBJECT = 0x10
    DICTIONARY = 0x11


class _Traits:
    """The shape of a class: sealed member names, and whether further ones may follow."""

    __slots__ = ("dynamic", "externalizable", "names")

    def __init__(self, names: list[str], dynamic: bool, externalizable: bool) -> None:
        self.names = names
        self.dynamic = dynamic
        self.externalizable = externalizable


class Amf3Reader:
    """Reads AMF3 values off a `Source`; one reader per value, because its tables are per value."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._strings: list[str] = []
        self._objects: list[Known] = []
        self._traits: list[_Traits] = []

    def value(self, depth: int) -> Value:
        """The next value; None after a fault."""
        source = self.source
        if not source.spend(depth):
            return None
        marker = source.uint(1)
        match marker:
            case Marker3.UNDEFINED | Marker3.NULL:
                return None
            case Marker3.FALSE:
                return False
            case Marker3.TRUE:
                return True
            case Marker3.INTEGER:
                number = self._u29()
                # AMF 3 section 3.6: 29 bits, two's complement.
                return float(number - (1 << 29) if number & 1 << 28 else number)
            case Marker3.DOUBLE:
                return source.double()
            case Marker3.STRING:
                return self._string()
        return self._by_reference(marker, depth)

    def _u29(self) -> int:
        """A variable-length integer of 1 to 4 bytes (AMF 3 section 1.3.1)."""
        number = 0
        for _ in range(3):
            byte = self.source.uint(1)
            number = number << 7 | byte & 0x7F
            if byte < 0x80:
                return number
        return number << 8 | self.source.uint(1)

    def _string(self) -> str:
        head = self._u29()
        if not head & 1:
            index = head >> 1
            if index < len(self._strings):
                return self._strings[index]
            self.source.fail("a reference to a string that is not there")
            return ""
        text = self.source.text(head >> 1)
        if text:  # AMF 3 section 1.3.2: the empty string is never sent by reference
            self._strings.append(text)
        return text

    def _by_reference(self, marker: int, depth: int) -> Value:
        """The types that begin with a reference or a length."""
        source = self.source
        if marker > Marker3.DICTIONARY:
            source.fail(f"unknown AMF3 marker {marker}")
            return None
        head = self._u29()
        if source.failed():
            return None
        if not head & 1:
            return source.recall(self._objects, head >> 1, depth)
        mark = source.begin(depth)
        slot = len(self._objects)
        self._objects.append(Known(None))
        result = self._body(marker, head >> 1, depth)
        self._objects[slot] = source.measure(result, mark, depth)
        return result

    def _body(self, marker: int, size: int, depth: int) -> Value:
        source = self.source
        match marker:
            case Marker3.DATE:
                return source.double()
            case Marker3.XML | Marker3.XML_DOCUMENT:
                return source.text(size)
            case Marker3.BYTE_ARRAY:
                return source.take(size)
            case Marker3.ARRAY:
                return self._array(size, depth)
            case Marker3.OBJECT:
                return self._object(size, depth)
            case Marker3.VECTOR_OBJECT:
                source.take(1)  # "fixed length" says nothing about the values
                self._string()
                return self._items(size, depth)
            case Marker3.DICTIONARY:
                source.take(1)  # "weak keys" likewise
                return self._pairs(size, depth)
        source.take(1)
        return self._numbers(marker, size, depth)

    def _array(self, size: int, depth: int) -> Value:
        """AMF 3 section 3.11: named members up to the empty name, then `size` dense ones."""
        named = self._named(depth)
        items = self._items(size, depth)
        if not named:
            return items
        named.update((str(index), item) for index, item in enumerate(items))
        return named

    def _named(self, depth: int) -> dict[str, Value]:
        members: dict[str, Value] = {}
        while self.source.more():
            name = self._string()
            if name == "":
                break
            value = self.value(depth + 1)
            if self.source.whole(value):
                members[name] = value
        return members

    def _items(self, size: int, depth: int) -> list[Value]:
        items: list[Value] = []
        while len(items) < size and self.source.more():
            item = self.value(depth + 1)
            if self.source.whole(item):
                items.append(item)
        return items

    def _numbers(self, marker: int, size: int, depth: int) -> list[Value]:
        source = self.source
        numbers: list[Value] = []
        while len(numbers) < size and source.spend(depth + 1):
            if marker == Marker3.VECTOR_DOUBLE:
                numbers.append(source.double())
                continue
            raw = source.take(4)
            numbers.append(float(int.from_bytes(raw, signed=marker == Marker3.VECTOR_INT)))
        return numbers

    def _pairs(self, size: int, depth: int) -> dict[str, Value]:
        pairs: dict[str, Value] = {}
        while len(pairs) < size and self.source.more():
            key = self.value(depth + 1)
            # A key may be any value; a container's text could be long, its type says enough.
            name = type(key).__name__ if isinstance(key, list | dict | bytes) else str(key)
            pairs[name] = self.value(depth + 1)
        return pairs

    def _object(self, head: int, depth: int) -> Value:
        """AMF 3 section 3.12. `head`: what follows the object's own flag."""
        traits = self._read_traits(head)
        if traits is None or traits.externalizable:
            # Its bytes are known to its class alone: nothing after it can be read.
            self.source.fail("an externalizable AMF3 object")
            return None
        members: dict[str, Value] = {}
        for name in traits.names:
            if self.source.failed():
                break
            value = self.value(depth + 1)
            if self.source.whole(value):
                members[name] = value
        if traits.dynamic:
            members.update(self._named(depth))
        return members

    def _read_traits(self, head: int) -> _Traits | None:
        if not head & 1:
            index = head >> 1
            if index < len(self._traits):
                return self._traits[index]
            self.source.fail("a reference to traits that are not there")
            return None
        externalizable = bool(head & 2)
        self._string()  # the class name
        names: list[str] = []
        while len(names) < head >> 3 and self.source.spend(0):
            names.append(self._string())
        traits = _Traits(names, bool(head & 4), externalizable)
        self._traits.append(traits)
        return traits
