"""MPEG audio layers II and III: frame headers (ISO/IEC 11172-3 2.4.1.3, 13818-3 2.4.2.3). Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass

from headwater.ingest.media import Codec

from .errors import BadConfig
from .headers import AudioHeader

_RATES = (44_100, 48_000, 32_000)
"""Hz of MPEG-1 by sampling_frequency; MPEG-2 has half of it, MPEG-2.5 a quarter."""
_DIVISORS = {3: 1, 2: 2, 0: 4}
"""By the two bits of the version: MPEG-1, MPEG-2, MPEG-2.5."""
_LAYERS = {2: Codec.MP2, 1: Codec.MP3}
_BIT_RATES = {
    (Codec.MP2, True): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (Codec.MP3, True): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (Codec.MP2, False): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (Codec.MP3, False): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""kbit/s by bitrate_index - 1; the flag: MPEG-1."""
_MONO = 3


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame's header."""

    codec: Codec
    size: int
    """Bytes, header included."""
    rate: int
    channels: int
    samples: int


def read_frame(data: bytes, at: int = 0) -> Frame | None:
    """The header at `at`; None when there is none of layer II or III with a fixed bit rate."""
    if len(data) < at + 4 or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = data[at + 1] >> 3 & 3, data[at + 1] >> 1 & 3
    code, rate_code = data[at + 2] >> 4, data[at + 2] >> 2 & 3
    codec, divisor = _LAYERS.get(layer), _DIVISORS.get(version)
    # Index 0 is "free format", whose frames have no length of their own.
    if codec is None or divisor is None or rate_code == 3 or code in (0, 15):
        return None
    first = version == 3
    rate = _RATES[rate_code] // divisor
    # 13818-3 2.4.2.3: layer III has half as many samples at the low rates.
    samples = 576 if codec is Codec.MP3 and not first else 1_152
    size = samples // 8 * _BIT_RATES[codec, first][code - 1] * 1_000 // rate + (data[at + 2] >> 1 & 1)
    return Frame(codec, size, rate, 1 if data[at + 3] >> 6 == _MONO else 2, samples)


def read_mp2_config(frame: bytes) -> AudioHeader:
    """The header of a track of layer II, from one of its frames; there is no configuration to keep.

    Raises:
        BadConfig: it is no such frame.
    """
    return _header(frame, Codec.MP2, "mp4a.40.33")


def read_mp3_config(frame: bytes) -> AudioHeader:
    """As `read_mp2_config`, for layer III."""
    return _header(frame, Codec.MP3, "mp4a.40.34")


def _header(data: bytes, codec: Codec, codec_string: str) -> AudioHeader:
    frame = read_frame(data)
    if frame is None or frame.codec is not codec:
        raise BadConfig(f"{codec} frame has no header that we read")
    # 14496-3 table 1.17: object types 33 and 34 are layers II and III.
    return AudioHeader(b"", codec_string, frame.rate, frame.channels, frame.samples)
