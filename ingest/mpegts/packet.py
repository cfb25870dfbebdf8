"""Transport packets (ISO/IEC 13818-1 2.4.3): found in a byte stream, and their adaptation field. Sans-IO.

Packets of 188 bytes stand alone, with a 4-byte time code before each (192, Blu-ray and recorders), or with 16 bytes of
parity behind each (204, DVB modulators).
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from functools import lru_cache

SIZE = 188
BODY = SIZE - 4
"""Bytes of payload in a packet without adaptation field."""
SYNC = 0x47
NULL_PID = 0x1FFF
_STRIDES = (188, 192, 204)
_LOOK_AHEAD = 2 * _STRIDES[-1] + 1
"""Bytes from a sync byte that show whether two more follow at one of the distances. Why three: 0x47 stands at a given
place of random bytes once in 256 times, so twice more once in 20,000."""
_FOUND = re.compile(b"|".join(rb"G(?=.{%d}G.{%d}G)" % (stride - 1, stride - 1) for stride in _STRIDES), re.DOTALL)


class Framer:
    """Finds whole packets. Holds less than three of them."""

    __slots__ = ("_skip", "_stride", "_tail", "skipped_bytes")

    def __init__(self) -> None:
        self.skipped_bytes = 0
        """Bytes passed over; only ever grows."""
        self._tail = b""
        self._stride = 0
        """Bytes from one sync byte to the next; 0 while packets are searched."""
        self._skip = 0
        """Bytes to come that belong to no packet: time code or parity."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes in any pieces; returns runs of whole packets of 188 bytes, each of which starts with 0x47."""
        if self._stride == SIZE and not self._tail:
            count, rest = divmod(len(data), SIZE)
            if data[::SIZE] == b"G" * (count + (rest > 0)):
                if not rest:
                    return [data] if count else []
                self._tail = data[-rest:]
                return [data[:-rest]] if count else []
        return self._search(self._tail + data)

    def lose(self) -> None:
        """Bytes are missing here: what was begun is dropped, and the next packet is searched."""
        self.skipped_bytes += len(self._tail)
        self._tail = b""
        self._stride = self._skip = 0

    def _search(self, data: bytes) -> list[bytes]:
        runs: list[bytes] = []
        at = min(self._skip, len(data))
        self._skip -= at
        while at < len(data):
            if not self._stride:
                found = self._find(data, at)
                self.skipped_bytes += found - at
                at = found
                if not self._stride:
                    break
            at, whole = self._take(data, at, runs)
            if whole:
                break
        self._skip += max(0, at - len(data))
        self._tail = data[at:]
        return runs

    def _take(self, data: bytes, at: int, runs: list[bytes]) -> tuple[int, bool]:
        """The packets from `at` on up to one without sync byte; where it stopped, and whether all was well."""
        stride = self._stride
        count = (len(data) - at + stride - SIZE) // stride
        syncs = data[at : at + count * stride : stride]
        good = count if syncs == b"G" * count else next(i for i, byte in enumerate(syncs) if byte != SYNC)
        if good:
            run = data[at : at + good * stride]
            if stride != SIZE:
                run = b"".join(run[start : start + SIZE] for start in range(0, len(run), stride))
            runs.append(run)
        at += good * stride
        # A packet that has only begun shows its sync byte too.
        if good == count and (at >= len(data) or data[at] == SYNC):
            return at, True
        self._stride = 0
        return at, False

    def _find(self, data: bytes, at: int) -> int:
        """Where the next packet may begin. Sets the stride when enough follows to know that one does."""
        known = len(data) - _LOOK_AHEAD + 1
        found = _FOUND.search(data, at)
        if found is not None and found.start() < known:
            start = found.start()
            self._stride = next(
                stride for stride in _STRIDES if data[start + stride] == SYNC and data[start + 2 * stride] == SYNC
            )
            return start
        start = data.find(b"G", max(at, known))
        return start if start >= 0 else len(data)


_WORDS = SIZE // 4
"""A packet in words of 4 bytes, of which the first is its header."""
CYCLE = 16
"""Packets of one PID after which its continuity counter is the same again."""
_RUN = 8 * CYCLE
"""Packets that are compared at once, at most."""


def later(head: int, count: int) -> int:
    """The header of the packet that is `count` packets of the same PID behind one with `head`."""
    return head & ~15 | (head + count) & 15


def headers(words: array[int]) -> bytes:
    """The 4 bytes of header of each packet in a run of whole packets, `array("I", packets)`."""
    return words[::_WORDS].tobytes()


def continued(heads: bytes, head: int, most: int) -> int:
    """How many packets from the first of `heads` on have the same header, but for the counter that goes on; 1 or more.

    Args:
        heads: see `headers`.
        head: the first of them.
        most: packets to look at, 1 or more.
    """
    most = min(most, _RUN)
    seen, expected = heads[: 4 * most], _counting(head)[: 4 * most]
    if seen == expected:
        return most
    # The first packet that differs holds the highest bit that does.
    differ = int.from_bytes(seen) ^ int.from_bytes(expected)
    return most - 1 - (differ.bit_length() - 1) // 32


def payloads(words: array[int], index: int, count: int) -> bytes:
    """The payloads, joined, of `count` packets without adaptation field. `words`: see `headers`."""
    packets = words[index * _WORDS : (index + count) * _WORDS]
    del packets[::_WORDS]
    return packets.tobytes()


@lru_cache(maxsize=1024)
def _counting(first: int) -> bytes:
    """The headers of `_RUN` packets, of which this is the first."""
    return b"".join(later(first, step).to_bytes(4) for step in range(CYCLE)) * (_RUN // CYCLE)


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What an adaptation field says (2.4.3.4)."""

    end: int
    """Where the payload begins, relative to the packet; at most 188."""
    stuffed: bool
    """It holds bytes for filling up: the payload ends something."""
    discontinuity: bool
    """discontinuity_indicator: continuity counter or clock start anew here."""
    pcr: int | None
    """Program clock reference, ticks of 90 kHz, 33 bits."""


_EMPTY = Adaptation(5, True, False, None)


def read_adaptation(block: bytes, packet: int) -> Adaptation:
    """The adaptation field of the packet at `packet`, which has one. A length beyond the packet leaves no payload."""
    length = block[packet + 4]
    if not length:
        return _EMPTY
    flags = block[packet + 5]
    at = packet + 6
    limit = packet + SIZE
    pcr = None
    if flags & 0x10:
        if length >= 7:
            pcr = int.from_bytes(block[at : at + 5]) >> 7
        at += 6
    if flags & 0x08:  # OPCR
        at += 6
    if flags & 0x04:  # splice_countdown
        at += 1
    for bit in (0x02, 0x01):  # transport_private_data, adaptation_field_extension
        if flags & bit and at < limit:
            at += 1 + block[at]
    end = packet + 5 + length
    # A field that says nothing is there to fill up, too.
    return Adaptation(min(5 + length, SIZE), end > at or not flags, bool(flags & 0x80), pcr)
