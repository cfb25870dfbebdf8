"""HPACK, receiving (RFC 7541): header blocks -> fields. Sans-IO.

What a field means is found out once, when it is first read; an indexed field costs a look-up. Strings come again
within a connection and across all of them (every player asks for the same playlist), so their Huffman form is
remembered with what it stands for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from .huffman import HuffmanError, decode

STATIC: tuple[tuple[bytes, bytes], ...] = (
    (b":authority", b""), (b":method", b"GET"), (b":method", b"POST"), (b":path", b"/"), (b":path", b"/index.html"),
    (b":scheme", b"http"), (b":scheme", b"https"), (b":status", b"200"), (b":status", b"204"), (b":status", b"206"),
    (b":status", b"304"), (b":status", b"400"), (b":status", b"404"), (b":status", b"500"), (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"), (b"accept-language", b""), (b"accept-ranges", b""), (b"accept", b""),
    (b"access-control-allow-origin", b""), (b"age", b""), (b"allow", b""), (b"authorization", b""),
    (b"cache-control", b""), (b"content-disposition", b""), (b"content-encoding", b""), (b"content-language", b""),
    (b"content-length", b""), (b"content-location", b""), (b"content-range", b""), (b"content-type", b""),
    (b"cookie", b""), (b"date", b""), (b"etag", b""), (b"expect", b""), (b"expires", b""), (b"from", b""),
    (b"host", b""), (b"if-match", b""), (b"if-modified-since", b""), (b"if-none-match", b""), (b"if-range", b""),
    (b"if-unmodified-since", b""), (b"last-modified", b""), (b"link", b""), (b"location", b""),
    (b"max-forwards", b""), (b"proxy-authenticate", b""), (b"proxy-authorization", b""), (b"range", b""),
    (b"referer", b""), (b"refresh", b""), (b"retry-after", b""), (b"server", b""), (b"set-cookie", b""),
    (b"strict-transport-security", b""), (b"transfer-encoding", b""), (b"user-agent", b""), (b"vary", b""),
    (b"via", b""), (b"www-authenticate", b""),
)  # fmt: skip
"""Appendix A; the first one has index 1."""

TABLE_BYTES = 4_096
"""SETTINGS_HEADER_TABLE_SIZE as it is by default. Why: what players repeat fits in."""
ENTRY_BYTES = 32
"""Section 4.1: what an entry counts beside its strings."""
MAX_STRINGS, MAX_STRING_BYTES = 8_192, 512
"""Huffman strings that are remembered, and their size."""
MAX_INTEGER_BYTES = 4
"""Behind the prefix: 28 bits, far more than any string here may have."""

_STRINGS: dict[bytes, bytes] = {}

T = TypeVar("T")


class HpackError(ValueError):
    """The block cannot be decoded: the connection has no common state any more (section 2.2 of RFC 9113)."""


class Decoder(Generic[T]):
    """Of one connection. `make` gives what stands for a field: its result is shared by all who refer to the entry."""

    __slots__ = ("_entries", "_made", "_make", "_most", "_size", "_static", "version")

    def __init__(self, make: Callable[[bytes, bytes], T], static: tuple[tuple[T, bytes, int], ...]) -> None:
        """`static`: from `static_table`."""
        self._make = make
        self._static = static
        self._entries: list[tuple[T, bytes, int]] = []
        """What was made, its name, its size; the newest last."""
        self._size = 0
        self._most = TABLE_BYTES
        self.version = 0
        """Changes when the dynamic table does: while it stands, the same block means the same."""

    def decode(self, block: bytes, most: int) -> tuple[list[T], bool]:
        """The fields in their order, and whether all are there: such as make the list larger than `most` bytes
        (RFC 9113, 6.5.2) are left out, but the table is kept as the peer has it. Raises HpackError."""
        found: list[T] = []
        total = position = 0
        end = len(block)
        first = True
        try:
            while position < end:
                byte = block[position]
                if byte & 0x80:
                    index = byte & 0x7F
                    position += 1
                    if index == 0x7F:
                        index, position = _integer(block, position, 0x7F)
                    entry = self._static[index - 1] if 0 < index <= 61 else self._entry(index)
                elif byte & 0xE0 == 0x20:
                    if not first:
                        raise HpackError("a table size update behind a field")
                    position = self._resize(block, position)
                    continue
                else:
                    entry, position = self._literal(block, position, byte)
                first = False
                total += entry[2]
                if total <= most:
                    found.append(entry[0])
        except IndexError:
            raise HpackError("ends inside a field") from None
        except HuffmanError as error:
            raise HpackError(str(error)) from None
        return found, total <= most

    def _entry(self, index: int) -> tuple[T, bytes, int]:
        back = index - 61
        if index == 0 or back > len(self._entries):
            raise HpackError("an index that is not in the table")
        return self._entries[-back]

    def _literal(self, block: bytes, position: int, byte: int) -> tuple[tuple[T, bytes, int], int]:
        """Sections 6.2.1 to 6.2.3."""
        keep = bool(byte & 0x40)
        mask = 0x3F if keep else 0x0F
        index = byte & mask
        position += 1
        if index == mask:
            index, position = _integer(block, position, mask)
        if index == 0:
            name, position = _string(block, position)
        else:
            name = STATIC[index - 1][0] if index <= 61 else self._entry(index)[1]
        value, position = _string(block, position)
        entry = (self._make(name, value), name, len(name) + len(value) + ENTRY_BYTES)
        if keep:
            self._add(entry)
        return entry, position

    def _add(self, entry: tuple[T, bytes, int]) -> None:
        """Section 4.4: what does not fit empties the table."""
        self.version += 1
        self._entries.append(entry)
        self._size += entry[2]
        self._evict()

    def _evict(self) -> None:
        gone = 0
        while self._size > self._most:
            self._size -= self._entries[gone][2]
            gone += 1
        if gone:
            del self._entries[:gone]

    def _resize(self, block: bytes, position: int) -> int:
        size = block[position] & 0x1F
        position += 1
        if size == 0x1F:
            size, position = _integer(block, position, 0x1F)
        if size > TABLE_BYTES:
            raise HpackError("a table larger than it may be")
        self.version += 1
        self._most = size
        self._evict()
        return position


def static_table(make: Callable[[bytes, bytes], T]) -> tuple[tuple[T, bytes, int], ...]:
    """The static table as `Decoder` wants it."""
    return tuple((make(name, value), name, len(name) + len(value) + ENTRY_BYTES) for name, value in STATIC)


def _integer(block: bytes, position: int, value: int) -> tuple[int, int]:
    """Section 5.1, behind a full prefix of `value`."""
    for shift in range(0, 7 * MAX_INTEGER_BYTES, 7):
        byte = block[position]
        position += 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise HpackError("an integer that is too large")


def _string(block: bytes, position: int) -> tuple[bytes, int]:
    """Section 5.2."""
    head = block[position]
    length = head & 0x7F
    position += 1
    if length == 0x7F:
        length, position = _integer(block, position, 0x7F)
    end = position + length
    raw = block[position:end]
    if len(raw) != length:
        raise HpackError("ends inside a string")
    if head < 0x80:
        return raw, end
    known = _STRINGS.get(raw)
    if known is None:
        known = decode(raw)
        if length <= MAX_STRING_BYTES:
            if len(_STRINGS) >= MAX_STRINGS:
                _STRINGS.clear()
            _STRINGS[raw] = known
    return known, end
