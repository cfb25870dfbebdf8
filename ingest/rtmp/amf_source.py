"""What the AMF0 and AMF3 readers share: the values they give, and the bytes and budget they read from. Sans-IO."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TypeAlias, Union

from .limits import AMF_DEPTH, AMF_NODES

Value: TypeAlias = Union[bool, float, str, bytes, "list[Value]", "dict[str, Value]", None]
"""See `amf` for what stands for what."""


@dataclass(frozen=True, slots=True)
class Known:
    """An object or array that references may name."""

    value: Value
    """None while it is open."""
    nodes: int = 1
    """Values in it, itself included."""
    height: int = 0
    """Levels below it."""


class Source:
    """Bytes with a read position, a budget of values, and the first fault.

    After a fault every read gives zeros and every loop over it ends: readers need no error paths.
    """

    __slots__ = ("at", "data", "deepest", "fault", "nodes")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.nodes = AMF_NODES
        self.deepest = 0
        """Deepest value accounted for, since `begin`."""
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
        self.deepest = max(self.deepest, depth)
        if depth > AMF_DEPTH:
            self.fail(f"values are nested deeper than {AMF_DEPTH}")
        elif self.nodes < 0:
            self.fail(f"more than {AMF_NODES} values")
        return self.fault is None

    def begin(self, depth: int) -> tuple[int, int]:
        """An object or array opens at `depth`; hand the result to `measure`."""
        mark = (self.nodes, self.deepest)
        self.deepest = depth
        return mark

    def measure(self, value: Value, mark: tuple[int, int], depth: int) -> Known:
        """The object or array that opened at `mark` is complete: what a reference to it costs."""
        nodes, deepest = mark
        known = Known(value, nodes - self.nodes + 1, self.deepest - depth)
        self.deepest = max(self.deepest, deepest)
        return known

    def recall(self, table: list[Known], index: int, depth: int) -> Value:
        """The object that a reference at `depth` names, charged in full; one that is open would be a cycle: None."""
        if index >= len(table):
            self.fail("a reference to an object that is not there")
            return None
        known = table[index]
        return known.value if self.spend(depth + known.height, known.nodes) else None
