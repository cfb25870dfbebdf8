"""AAC in LATM/LOAS (ISO/IEC 14496-3 1.7): AudioSyncStream to raw AAC frames and AudioSpecificConfig. Sans-IO."""

from __future__ import annotations

from functools import partial

from headwater.ingest.codecs import BadConfig
from headwater.ingest.codecs.aac import specific_bits
from headwater.ingest.codecs.bits import BitReader
from headwater.ingest.media import Codec

from .framing import MORE, Unit

_HEADER = 3


class LatmFraming:
    """AudioSyncStream() frames (1.7.2), each of which holds an AudioMuxElement(1). Keeps the StreamMuxConfig."""

    codec = Codec.AAC
    sync = b"\x56"

    def __init__(self) -> None:
        self._config = b""
        self._frames = 0
        """Payloads in each element: numSubFrames + 1."""

    def size(self, data: bytes, at: int) -> int:
        """See `framing.Framing`."""
        if len(data) < at + _HEADER:
            return MORE
        # syncword 0x2B7 of 11 bits, audioMuxLengthBytes of 13.
        if data[at] != 0x56 or data[at + 1] & 0xE0 != 0xE0:
            return 0
        size = (data[at + 1] & 31) << 8 | data[at + 2]
        return _HEADER + size if size else 0

    def read(self, frame: bytes) -> list[Unit]:
        """See `framing.Framing`. Frames before the first StreamMuxConfig give nothing."""
        bits = BitReader(frame[_HEADER:])
        if not bits.flag():  # useSameStreamMux
            self._read_config(bits)
        if not self._frames:
            return []
        config = self._config
        units = []
        for _ in range(self._frames):
            # PayloadLengthInfo (1.7.3.1) of one program with one layer.
            size = 0
            while (byte := bits.read(8)) == 255:
                size += 255
            size += byte
            payload = bits.read(8 * size).to_bytes(size)
            if payload:
                units.append(Unit(Codec.AAC, payload, config, partial(bytes, config)))
        return units

    def _read_config(self, bits: BitReader) -> None:
        """StreamMuxConfig (1.7.3.1)."""
        self._frames = 0
        version = bits.read(1)
        if version and bits.flag():
            raise BadConfig("LATM with audioMuxVersionA is not supported")
        if version:
            _read_value(bits)  # taraBufferFullness
        if not bits.flag():  # allStreamsSameTimeFraming
            raise BadConfig("LATM with streams of different time framing is not supported")
        frames = bits.read(6) + 1
        if bits.read(4) or bits.read(3):
            raise BadConfig("LATM with several programs or layers is not supported")
        limit = _read_value(bits) if version else bits.left
        count, config = _take_config(bits, limit, exact=bool(version))
        bits.skip(count)
        if bits.read(3):  # frameLengthType
            raise BadConfig("LATM with frames of fixed length is not supported")
        bits.skip(8)  # latmBufferFullness
        if bits.flag():  # otherDataPresent
            self._skip_other_length(bits, version)
        if bits.flag():  # crcCheckPresent
            bits.skip(8)
        self._config, self._frames = config, frames

    def _skip_other_length(self, bits: BitReader, version: int) -> None:
        # The other data stands behind the payloads, where nothing is read any more.
        if version:
            _read_value(bits)
            return
        while bits.flag():
            bits.skip(8)
        bits.skip(8)


def _take_config(bits: BitReader, limit: int, exact: bool) -> tuple[int, bytes]:
    """(bits that the AudioSpecificConfig takes, the config); `exact`: it has `limit` bits."""
    if limit > bits.left:
        raise BadConfig("LATM configuration is truncated")
    rest = bits.peek(limit)
    used = specific_bits((rest << (-limit % 8)).to_bytes((limit + 7) // 8))
    if used > limit:
        raise BadConfig("LATM configuration is truncated")
    kept = limit if exact else used
    value = rest >> (limit - kept)
    return kept, (value << (-kept % 8)).to_bytes((kept + 7) // 8)


def _read_value(bits: BitReader) -> int:
    """LatmGetValue (1.7.3.1)."""
    return bits.read(8 * (bits.read(2) + 1))
