"""Opus in MPEG-TS ("OpusTS" of Xiph, as FFmpeg and GStreamer write it): control headers, channels. Sans-IO."""

from __future__ import annotations

from functools import partial

from headwater.ingest.codecs import BadConfig
from headwater.ingest.media import Codec

from .framing import MORE, Unit

_START_TRIM, _END_TRIM, _EXTENSION = 0x10, 0x08, 0x04
"""Flags in the second byte of opus_control_header."""
_MAX_UNIT = 1 << 16
"""Bytes; an Opus packet of 8 channels and 120 ms at the highest rate has less."""
_STREAMS = (1, 1, 1, 2, 2, 3, 4, 4, 5)
_COUPLED = (1, 0, 1, 1, 2, 2, 2, 3, 3)
"""Streams, and coupled ones, by channel_config_code: 0 is dual mono, 1 to 8 are Vorbis' layouts."""
_MAPPINGS = ("", "\0", "\0\1", "\0\2\1", "\0\1\2\3", "\0\4\1\2\3", "\0\4\1\2\3\5", "\0\4\1\2\3\5\6", "\0\6\1\2\3\4\5\7")
"""Channel mapping of family 1 by channels (RFC 7845 5.1.1.2)."""


class OpusFraming:
    """Access units, each behind its opus_control_header.

    Args:
        channels: channel_config_code of the descriptor.
    """

    codec = Codec.OPUS
    sync = b"\x7f"

    def __init__(self, channels: int) -> None:
        self._channels = channels

    def size(self, data: bytes, at: int) -> int:
        """See `framing.Framing`."""
        found = _read_control(data, at)
        return found if found <= 0 else self._bounds(data, at)[1] - at

    def read(self, frame: bytes) -> list[Unit]:
        """See `framing.Framing`."""
        start, end = self._bounds(frame, 0)
        payload = frame[start:end]
        code = self._channels
        return [Unit(Codec.OPUS, payload, bytes((code,)), partial(dops, code))] if payload else []

    def _bounds(self, data: bytes, at: int) -> tuple[int, int]:
        start = at + _read_control(data, at)
        size, position = 0, at + 2
        while data[position] == 255:
            size += 255
            position += 1
        return start, start + size + data[position]


def _read_control(data: bytes, at: int) -> int:
    """Bytes of the control header at `at`; 0 when there is none, MORE when it is not whole."""
    if len(data) < at + 3:
        return MORE
    # control_header_prefix: 11 bits, 0x3FF.
    if data[at] != 0x7F or data[at + 1] & 0xE0 != 0xE0:
        return 0
    position = at + 2
    while data[position] == 255:
        position += 1
        if position >= len(data):
            return MORE if position - at < _MAX_UNIT // 255 else 0
    position += 1
    flags = data[at + 1]
    position += 2 * (bool(flags & _START_TRIM) + bool(flags & _END_TRIM))
    if flags & _EXTENSION:
        if position >= len(data):
            return MORE
        position += 1 + data[position]
    return position - at


def dops(code: int) -> bytes:
    """A dOps body for a channel_config_code (Opus in ISOBMFF 4.3.2).

    The pre-skip is 0: a receiver joins at any time, and the start of the encoder is not there to be skipped.

    Raises:
        BadConfig: the code is none of the layouts that have one meaning.
    """
    if code >= len(_STREAMS):
        raise BadConfig(f"Opus channel configuration {code} is not supported")
    channels = code or 2
    head = bytes((0, channels)) + b"\x00\x00" + (48_000).to_bytes(4) + b"\x00\x00"
    if 1 <= code <= 2:
        return head + b"\x00"
    mapping = _MAPPINGS[channels].encode("latin-1") if code else b"\x00\x01"
    if not code:
        # Dual mono: two streams that are not coupled, each its own channel.
        return head + b"\xff\x02\x00" + mapping
    return head + bytes((1, _STREAMS[code], _COUPLED[code])) + mapping
