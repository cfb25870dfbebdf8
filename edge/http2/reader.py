"""Bytes -> frames, with no more held than the largest frame. Sans-IO."""

from __future__ import annotations

from collections.abc import Callable

from .frames import FRAME, FRAME_BYTES, HEAD_BYTES, MAX_WINDOW, PREFACE, Code, ConnectionFault

Take = Callable[[int, int, int, bytes], None]
"""Told of each frame: type, flags, stream, payload."""


class Reader:
    """Of one connection."""

    __slots__ = ("_need", "_preface", "_rest", "_take", "frames", "partial")

    def __init__(self, take: Take) -> None:
        self._take = take
        self._preface = PREFACE
        self._rest = bytearray()
        self._need = HEAD_BYTES
        self.frames = 0
        """Whole ones that came."""
        self.partial = True
        """Part of the preface or of a frame is there, or nothing at all yet."""

    def feed(self, data: bytes) -> None:
        """Take what came. Raises ConnectionFault, its own and those of whoever takes the frames."""
        if self._preface:
            data = self._take_preface(data)
        if self._rest:
            self._rest += data
            if len(self._rest) < self._need:
                return
            data = bytes(self._rest)
            self._rest.clear()
        position, end = 0, len(data)
        while end - position >= HEAD_BYTES:
            high, low, kind, flags, number = FRAME.unpack_from(data, position)
            length = high << 8 | low
            if length > FRAME_BYTES:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a frame larger than allowed")
            stop = position + HEAD_BYTES + length
            if stop > end:
                self._need = stop - position
                break
            self.frames += 1
            self._take(kind, flags, number & MAX_WINDOW, data[position + HEAD_BYTES : stop])
            position = stop
        else:
            self._need = HEAD_BYTES
        self.partial = position < end or bool(self._preface)
        if position < end:
            self._rest += data[position:]

    def _take_preface(self, data: bytes) -> bytes:
        """Section 3.4."""
        length = min(len(data), len(self._preface))
        if data[:length] != self._preface[:length]:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "not the preface of HTTP/2")
        self._preface = self._preface[length:]
        return data[length:]

    def close(self) -> None:
        """Let go of whoever takes the frames, and of what is held."""
        self._take = _nobody
        self._rest.clear()


def _nobody(kind: int, flags: int, number: int, payload: bytes) -> None:
    """Nothing is read any more."""
