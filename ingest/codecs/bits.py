"""Bits of codec headers: fixed width, Exp-Golomb, emulation prevention. Sans-IO."""

from __future__ import annotations

from .errors import BadConfig

_MAX_GOLOMB_ZEROS = 32


class BitReader:
    """Reads `data` bit by bit, most significant first. Every read raises `BadConfig` at the end of the data."""

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._end = len(data) * 8

    @property
    def left(self) -> int:
        """Bits not read yet."""
        return self._end - self._at

    def read(self, count: int) -> int:
        """The next `count` bits as an unsigned integer (`u(n)`)."""
        end = self._at + count
        if end > self._end:
            raise BadConfig("header is truncated")
        last = (end + 7) >> 3
        value = int.from_bytes(self._data[self._at >> 3 : last]) >> (last * 8 - end)
        self._at = end
        return value & ((1 << count) - 1)

    def peek(self, count: int) -> int:
        """The next `count` bits, which are read again."""
        value = self.read(count)
        self._at -= count
        return value

    def flag(self) -> bool:
        """The next bit."""
        return self.read(1) == 1

    def skip(self, count: int) -> None:
        """Pass over `count` bits."""
        if self._at + count > self._end:
            raise BadConfig("header is truncated")
        self._at += count

    def align(self) -> None:
        """Go on at the next whole byte."""
        self._at = (self._at + 7) & ~7

    def unsigned(self) -> int:
        """Exp-Golomb `ue(v)` (H.264 9.1), also AV1's `uvlc()` (4.10.3): at most 32 bits of value."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > _MAX_GOLOMB_ZEROS:
                raise BadConfig("Exp-Golomb code is too long")
        return (1 << zeros) - 1 + self.read(zeros)

    def signed(self) -> int:
        """Exp-Golomb `se(v)` (H.264 9.1.1)."""
        code = self.unsigned()
        return (code + 1) // 2 if code & 1 else -(code // 2)


class ByteReader:
    """Reads big-endian fields of a configuration record. Every read raises `BadConfig` at the end of the data."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > self.left:
            raise BadConfig("record is truncated")
        start = self._at
        self._at += count
        return self._data[start : self._at]

    def number(self, size: int) -> int:
        """The next `size` bytes as an unsigned integer."""
        return int.from_bytes(self.take(size))


def unescape(unit: bytes) -> bytes:
    """A NAL unit without its emulation prevention bytes (H.264 7.3.1, HEVC 7.3.1.1)."""
    return unit.replace(b"\x00\x00\x03", b"\x00\x00")
