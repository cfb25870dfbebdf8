"""What the stream looks like: durations, sizes, renditions, names. Sans-IO.

The stream is a function of the clock: part N is due at Unix time (N + 1) x its length and belongs to segment
N // parts. So a restart goes on above everything that was published before.
"""

from __future__ import annotations

import enum
import math
import struct
from dataclasses import dataclass
from functools import cached_property

NAME = "bad"
ROOT = f"/live/{NAME}"
HISTORY_S = 20
"""How far the list reaches back beyond six target durations, which CAN-SKIP-UNTIL needs."""
KEPT_TARGETS = 3
"""Target durations for which parts stay listed (rule 57)."""


class ShapeError(ValueError):
    """A number of the stream is out of its bounds; the message says which."""


class Rendition(enum.StrEnum):
    """The media playlists."""

    HD = "hd"
    SD = "sd"
    AUDIO = "audio"


SIZES = {Rendition.HD: 1.0, Rendition.SD: 0.5, Rendition.AUDIO: 0.1}
"""Bytes of a part of each rendition, of `part_bytes`."""


@dataclass(frozen=True)
class Shape:
    """Lengths are milliseconds."""

    part_ms: int = 500
    parts: int = 4
    """Of a segment."""
    part_bytes: int = 20_000
    """Of the largest rendition."""

    def __post_init__(self) -> None:
        if not 200 <= self.part_ms <= 1_000:
            raise ShapeError("a part is 200 to 1000 ms long")
        if not 1 <= self.parts <= 20:
            raise ShapeError("a segment has 1 to 20 parts")
        if not 200 <= self.part_bytes <= 1 << 20:
            raise ShapeError("a part has 200 bytes to 1 MiB")

    @property
    def segment_ms(self) -> int:
        """Length of a segment."""
        return self.part_ms * self.parts

    @property
    def target_duration(self) -> int:
        """EXT-X-TARGETDURATION, whole seconds."""
        return math.ceil(self.segment_ms / 1000)

    @cached_property
    def bodies(self) -> dict[Rendition, bytes]:
        """A part of each rendition; made when the stream is, before anything is served."""
        return {rendition: filler(round(self.part_bytes * share)) for rendition, share in SIZES.items()}

    @cached_property
    def window(self) -> int:
        """Complete segments in a playlist: six target durations (CAN-SKIP-UNTIL) and a little more."""
        return math.ceil(1000 * (6 * self.target_duration + HISTORY_S) / self.segment_ms)

    def bits_per_second(self, rendition: Rendition) -> int:
        """Of the rendition alone."""
        return math.ceil(8_000 * len(self.bodies[rendition]) / self.part_ms)


def filler(size: int) -> bytes:
    """One `free` box (ISO/IEC 14496-12, section 8.1.2) of `size` bytes."""
    return struct.pack(">I4s", size, b"free") + bytes(size - 8)


def part_name(number: int) -> str:
    """Of part `number`, in all renditions."""
    return f"p{number}.m4s"


def segment_name(msn: int) -> str:
    """Of a segment."""
    return f"s{msn}.m4s"


INIT = "init.mp4"
PLAYLIST = "index.m3u8"
