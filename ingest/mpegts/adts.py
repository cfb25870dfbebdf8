"""AAC in ADTS frames (ISO/IEC 14496-3 1.A.2.2): header to AudioSpecificConfig. Sans-IO."""

from __future__ import annotations

from functools import partial

from headwater.ingest.codecs import BadConfig
from headwater.ingest.codecs.bits import BitReader
from headwater.ingest.media import Codec

from .framing import MORE, Unit

_HEADER = 7
_CRC = 2
_PROGRAM_CONFIG = 5
"""id_syn_ele of a program_config_element (table 4.85)."""
_ESCAPE_RATE = 13
"""sampling_frequency_index from here on is reserved in ADTS."""


class AdtsFraming:
    """Frames of adts_frame()."""

    codec = Codec.AAC
    sync = b"\xff"

    def size(self, data: bytes, at: int) -> int:
        """See `framing.Framing`."""
        if len(data) < at + _HEADER:
            return MORE
        # syncword 0xFFF, layer 0; a frame is longer than its header.
        if data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0 or data[at + 2] >> 2 & 15 >= _ESCAPE_RATE:
            return 0
        size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        return size if size > _HEADER else 0

    def read(self, frame: bytes) -> list[Unit]:
        """See `framing.Framing`."""
        if frame[6] & 3:
            # Their borders inside the frame are only known to a decoder.
            raise BadConfig("ADTS frames with several raw data blocks are not supported")
        start = _HEADER if frame[1] & 1 else _HEADER + _CRC
        raw = frame[start:]
        if not raw:
            return []
        mark = bytes((frame[2] & 0xFD, frame[3] & 0xC0))
        return [Unit(Codec.AAC, raw, mark, partial(specific_config, mark, raw))]


def specific_config(fixed: bytes, raw: bytes) -> bytes:
    """The AudioSpecificConfig of an ADTS frame.

    Args:
        fixed: third and fourth byte of the header.
        raw: the raw data block; read when the header leaves the channels to a program_config_element in it.

    Raises:
        BadConfig: the channels are said nowhere.
    """
    object_type, rate = (fixed[0] >> 6) + 1, fixed[0] >> 2 & 15
    channels = (fixed[0] & 1) << 2 | fixed[1] >> 6
    # audioObjectType, samplingFrequencyIndex, channelConfiguration, GASpecificConfig of 1,024 samples.
    head = object_type << 11 | rate << 7 | channels << 3
    if channels:
        return head.to_bytes(2)
    value, count, comment = _program_config(raw)
    # In the configuration the element stands at a byte's start, so its end is filled up to a byte.
    fill = -count % 8
    return head.to_bytes(2) + (value << fill).to_bytes((count + fill) // 8) + comment


def _program_config(raw: bytes) -> tuple[int, int, bytes]:
    """program_config_element (4.4.1.1) up to its alignment as a number of so many bits; then the comment field."""
    bits = BitReader(raw)
    if bits.read(3) != _PROGRAM_CONFIG:
        raise BadConfig("ADTS says no channels, and the frame has no program_config_element")
    before = bits.left
    bits.skip(10)
    front, side, back = bits.read(4), bits.read(4), bits.read(4)
    lfe, data, coupling = bits.read(2), bits.read(3), bits.read(4)
    for size in (4, 4, 3):  # mono, stereo, matrix mixdown
        if bits.flag():
            bits.skip(size)
    bits.skip(5 * (front + side + back) + 4 * (lfe + data) + 5 * coupling)
    count = before - bits.left
    again = BitReader(raw)
    again.skip(3)
    value = again.read(count)
    bits.align()
    length = bits.read(8)
    return value, count, bytes((length, *(bits.read(8) for _ in range(length))))
