"""Opus: OpusHead, dOps and packet durations (RFC 7845 5.1, Opus in ISOBMFF 4.3.2, RFC 6716 3.1). Sans-IO."""

from __future__ import annotations

from .bits import ByteReader
from .errors import BadConfig
from .headers import AudioHeader, check_audio

_MAGIC = b"OpusHead"
RATE = 48_000
"""Hz; Opus always counts at 48 kHz, whatever the input was."""
_MAX_SAMPLES = 5_760
"""120 ms: the longest packet (RFC 6716 3.2.5)."""
_FRAME_SAMPLES = (
    *(480, 960, 1_920, 2_880) * 3,  # SILK: 10, 20, 40, 60 ms
    *(480, 960) * 2,  # hybrid
    *(120, 240, 480, 960) * 4,  # CELT: 2.5, 5, 10, 20 ms
)
"""Samples per frame by the TOC's `config` (RFC 6716 table 2)."""


def read_config(config: bytes) -> AudioHeader:
    """Read an OpusHead (RFC 7845) or a dOps body; the header's `config` is the dOps body.

    Raises:
        BadConfig: it is neither, or has no channels.
    """
    little = config.startswith(_MAGIC)  # RFC 7845 is little-endian, MP4 big-endian
    record = ByteReader(config[len(_MAGIC) :] if little else config)
    version = record.number(1)
    # RFC 7845 5.1: versions 0 to 15 are compatible. dOps: version 0.
    if version > 15 or (not little and version != 0):
        raise BadConfig("unknown version of the Opus header")
    channels = record.number(1)
    pre_skip, rate, gain = record.take(2), record.take(4), record.take(2)
    if little:
        pre_skip, rate, gain = pre_skip[::-1], rate[::-1], gain[::-1]
    family = record.number(1)
    # The mapping table is there exactly when the family is not 0.
    mapping = record.take(2 + channels) if family else b""
    if family == 0 and channels > 2:
        raise BadConfig("Opus mapping family 0 has at most 2 channels")
    check_audio(RATE, channels)
    body = bytes((0, channels)) + pre_skip + rate + gain + bytes((family,)) + mapping
    return AudioHeader(body, "opus", RATE, channels, 0)


def packet_samples(payload: bytes) -> int:
    """Samples at 48 kHz of one packet, by its TOC byte (RFC 6716 3.1, 3.2); 0 when it is malformed."""
    if not payload:
        return 0
    toc = payload[0]
    frames = (1, 2, 2, 0)[toc & 3]
    if not frames:
        frames = payload[1] & 63 if len(payload) > 1 else 0
    samples = frames * _FRAME_SAMPLES[toc >> 3]
    return samples if samples <= _MAX_SAMPLES else 0
