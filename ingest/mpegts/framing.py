"""What the audio formats of a transport stream have in common: frames found by their headers. Sans-IO."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from headwater.ingest.codecs import BadConfig, ac3, mpa
from headwater.ingest.media import Codec

MORE = -1
"""Size of a frame that is not known before more bytes are there."""


@dataclass(slots=True)
class Unit:
    """One packet of audio, as MP4 holds it."""

    codec: Codec
    payload: bytes
    mark: bytes
    """Equal for two units that share a configuration."""
    config: Callable[[], bytes]
    """Makes what `codecs.audio_track` reads; called when `mark` is new. Raises BadConfig."""


class Framing(Protocol):
    """How the frames of one format are found and read."""

    @property
    def codec(self) -> Codec:
        """Its name in a refusal."""

    @property
    def sync(self) -> bytes:
        """First byte of every frame."""

    def size(self, data: bytes, at: int) -> int:
        """Bytes of the frame at `at`; 0 when none starts there, MORE when too few bytes are there to say."""

    def read(self, frame: bytes) -> list[Unit]:
        """The units of a whole frame. Raises BadConfig when it says something that we cannot carry."""


class MpaFraming:
    """MPEG audio, layers II and III (ISO/IEC 13818-3)."""

    codec = Codec.MP2
    sync = b"\xff"

    def size(self, data: bytes, at: int) -> int:
        """See `Framing`."""
        if len(data) < at + 4:
            return MORE
        frame = mpa.read_frame(data, at)
        return frame.size if frame is not None else 0

    def read(self, frame: bytes) -> list[Unit]:
        """See `Framing`."""
        header = mpa.read_frame(frame)
        if header is None:
            raise BadConfig("MPEG audio frame has no header")
        mark = bytes((frame[1], frame[2] & 0x0C, header.channels))
        return [Unit(header.codec, frame, mark, lambda: frame)]


class Ac3Framing:
    """AC-3 and E-AC-3 (ETSI TS 102 366): the frames themselves say which."""

    codec = Codec.AC3
    sync = b"\x0b"

    def size(self, data: bytes, at: int) -> int:
        """See `Framing`. E-AC-3: all frames of one MP4 sample."""
        if len(data) < at + ac3.HEADER_BYTES:
            return MORE
        size = ac3.access_unit_size(data, at)
        return MORE if size is None else size

    def read(self, frame: bytes) -> list[Unit]:
        """See `Framing`."""
        codec = Codec.EAC3 if ac3.is_enhanced(frame) else Codec.AC3
        return [Unit(codec, frame, ac3.fingerprint(frame), lambda: frame)]
