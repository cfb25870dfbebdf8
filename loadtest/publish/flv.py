"""Splits an FLV byte stream (video_file_format_spec_v10_1, annex E) into tags. Sans-IO."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

FILE_HEADER_BYTES = 9
TAG_HEADER_BYTES = 11
SIZE_FIELD_BYTES = 4


class TagKind(IntEnum):
    """E.4.1 TagType, which is also the RTMP message type."""

    AUDIO = 8
    VIDEO = 9
    SCRIPT = 18


class Tag(NamedTuple):
    """One tag; `timestamp` in ms."""

    kind: TagKind
    timestamp: int
    payload: bytes


class BadFlv(ValueError):
    """The bytes are no FLV."""


class TagSplitter:
    """Takes FLV in any pieces, gives whole tags. Only for our own muxer's output: sizes are not bounded here."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._header_seen = False

    def feed(self, data: bytes) -> list[Tag]:
        """Tags completed by `data`, in order. Raises BadFlv."""
        self._buffer += data
        tags: list[Tag] = []
        at = 0
        if not self._header_seen:
            at = FILE_HEADER_BYTES + SIZE_FIELD_BYTES  # E.2 header, E.3 PreviousTagSize0
            if len(self._buffer) < at:
                return tags
            if self._buffer[:3] != b"FLV":
                raise BadFlv("no FLV signature")
            self._header_seen = True
        while len(self._buffer) - at >= TAG_HEADER_BYTES:
            size = int.from_bytes(self._buffer[at + 1 : at + 4], "big")
            end = at + TAG_HEADER_BYTES + size
            if len(self._buffer) < end + SIZE_FIELD_BYTES:
                break
            try:
                kind = TagKind(self._buffer[at] & 0x1F)
            except ValueError as error:
                raise BadFlv(str(error)) from None
            # E.4.1: TimestampExtended is the upper byte and comes last.
            timestamp = int.from_bytes(self._buffer[at + 4 : at + 7], "big") | self._buffer[at + 7] << 24
            tags.append(Tag(kind, timestamp, bytes(self._buffer[at + TAG_HEADER_BYTES : end])))
            at = end + SIZE_FIELD_BYTES
        del self._buffer[:at]
        return tags
