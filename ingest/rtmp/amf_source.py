"""What the AMF0 and AMF3 readers share: the values they give, and the bytes and budget they read from. Sans-IO."""

from __future__ import annotations

import struct
from typing import TypeAlias, Union

from .limits import AMF_DEPTH, AMF_NODES

Value: TypeAlias = Union[bool, float, str, bytes, "list[Value]", "dict[str, Value]", None]
"""See `amf` for what stands for what."""


class Source:
    """Bytes with a read position, a budget of values, and the first fault.

    After a fault every read gives zeros and every loop over it ends: readers need no error paths.
    """

    __slots__ = ("at", "data", "fault", "nodes")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.nodes = AMF_NODES
        self.fault: str | None = None

    def failed(self) -> bool:
        """A fault was met."""
        return self.fault is not None

    def more(self) -> bool:
        """There are bytes left and no fault was met."""
        return self.fault is None and self.at < len(self.data)

    def fail(self, why: str) -> None:
        """Note the first fault."""
        if self.fault is None:
            self.fault = why

    def whole(self, value: Value) -> bool:
        """Whether the value just read is worth keeping: a scalar that met the fault is not, a container is."""
        return self.fault is None or isinstance(value, dict | list)

    def take(self, size: int) -> bytes:
        """The next `size` bytes; b"" and a fault when there are fewer."""
        end = self.at + size
        if self.fault is not None or end > len(self.data):
            self.fail("the data ends in the middle of a value")
            return b""
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def uint(self, size: int) -> int:
        """A big-endian unsigned integer of `size` bytes; 0 after a fault."""
        return int.from_bytes(self.take(size))

    def double(self) -> float:
        """A 64-bit float; 0 after a fault."""
        raw = self.take(8)
        return float(struct.unpack(">d", raw)[0]) if raw else 0.0

    def text(self, size: int) -> str:
        """`size` bytes of UTF-8."""
        return self.take(size).decode("utf-8", "replace")

    def spend(self, depth: int, nodes: int = 1) -> bool:
        """Account for `nodes` values at `depth`; False, with a fault, when that is too much."""
        self.nodes -= nodes
        if depth > AMF_DEPTH:
            self.fail(f"values are nested deeper than {AMF_DEPTH}")
        elif self.nodes < 0:
            self.fail(f"more than {AMF_NODES} values")
        return self.fault is None
