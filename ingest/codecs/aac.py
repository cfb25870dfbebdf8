"""AAC: AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1, 4.4.1). Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass

from .bits import BitReader
from .errors import BadConfig
from .headers import AudioHeader, check_audio

_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
"""samplingFrequencyIndex (table 1.18)."""
_RATE_ESCAPE = 15
_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8, 11: 7, 12: 8, 14: 8}
"""channelConfiguration (table 1.19)."""
_MAIN, _LC, _SSR, _LTP, _SBR, _SCALABLE = 1, 2, 3, 4, 5, 6
_ER_LC, _LD, _PS, _ELD, _ESCAPE = 17, 23, 29, 39, 31
_GENERAL = frozenset({_MAIN, _LC, _SSR, _LTP, _SCALABLE, _ER_LC, _LD})
"""Object types that we take and whose configuration is a GASpecificConfig (4.4.1)."""
_SYNC_SBR, _SYNC_PS = 0x2B7, 0x548
"""syncExtensionType of the backward compatible signalling (1.6.5)."""


@dataclass(slots=True)
class _Config:
    object_type: int = 0
    rate: int = 0
    channels: int = 0
    frame_samples: int = 1024
    """At `rate`."""
    sbr_rate: int = 0
    """Output rate of explicitly signalled SBR; 0 = no SBR signalled."""
    parametric_stereo: bool = False


def read_config(config: bytes) -> AudioHeader:
    """Read an AudioSpecificConfig.

    Returns:
        The header. With SBR signalled, `sample_rate` is the output rate and `frame_samples` counts output
        samples (2048 for 1024 core samples at half the rate), so that frame durations are whole ticks.

    Raises:
        BadConfig: it is empty or malformed, or the object type is not an AAC that MP4 players take.
    """
    if not config:
        raise BadConfig("AudioSpecificConfig is empty")
    bits = BitReader(config)
    read = _Config()
    _read_types(bits, read)
    if read.object_type in _GENERAL:
        _read_general(bits, read)
    elif read.object_type == _ELD:
        read.frame_samples = 480 if bits.flag() else 512
    else:
        raise BadConfig(f"AAC object type {read.object_type} is not supported")
    if not read.sbr_rate and not read.parametric_stereo and read.object_type != _ELD:
        _read_sync_extension(bits, read)
    check_audio(read.rate, read.channels)
    return _header(config, read)


def specific_bits(config: bytes) -> int:
    """Bits of the AudioSpecificConfig at the start of `config`, without the backward compatible signalling.

    Raises:
        BadConfig: as `read_config`.
    """
    bits = BitReader(config)
    read = _Config()
    _read_types(bits, read)
    if read.object_type not in _GENERAL:
        raise BadConfig(f"AAC object type {read.object_type} is not supported")
    _read_general(bits, read)
    return 8 * len(config) - bits.left


def _header(config: bytes, read: _Config) -> AudioHeader:
    rate, samples, object_type = read.rate, read.frame_samples, read.object_type
    if read.sbr_rate:
        check_audio(read.sbr_rate, read.channels)
        if read.sbr_rate not in (rate, 2 * rate):
            # 4.6.18.2: SBR doubles the rate, or keeps it (downsampled).
            raise BadConfig("SBR rate is neither the core rate nor twice it")
        samples = samples * read.sbr_rate // rate
        rate = read.sbr_rate
        object_type = _PS if read.parametric_stereo else _SBR
    channels = 2 if read.parametric_stereo and read.channels == 1 else read.channels
    # RFC 6381 3.3: object type indication 40 (ISO/IEC 14496-3), then the audio object type.
    return AudioHeader(config, f"mp4a.40.{object_type}", rate, channels, samples)


def _read_types(bits: BitReader, read: _Config) -> None:
    """AudioSpecificConfig up to the object type's own part (1.6.2.1)."""
    read.object_type = _object_type(bits)
    read.rate = _rate(bits)
    channels = bits.read(4)
    if read.object_type in (_SBR, _PS):
        # Hierarchical signalling: SBR or PS first, the core after it.
        read.parametric_stereo = read.object_type == _PS
        read.sbr_rate = _rate(bits)
        read.object_type = _object_type(bits)
    if channels and channels not in _CHANNELS:
        raise BadConfig("unknown AAC channel configuration")
    read.channels = _CHANNELS.get(channels, 0)


def _object_type(bits: BitReader) -> int:
    value = bits.read(5)
    return 32 + bits.read(6) if value == _ESCAPE else value


def _rate(bits: BitReader) -> int:
    index = bits.read(4)
    if index == _RATE_ESCAPE:
        return bits.read(24)
    if index >= len(_RATES):
        raise BadConfig("unknown AAC sampling frequency index")
    return _RATES[index]


def _read_general(bits: BitReader, read: _Config) -> None:
    """GASpecificConfig (4.4.1)."""
    short = bits.flag()  # frameLengthFlag
    read.frame_samples = 960 if short else 1024
    if read.object_type == _LD:
        read.frame_samples = 480 if short else 512
    if bits.flag():  # dependsOnCoreCoder
        bits.skip(14)
    extension = bits.flag()
    if not read.channels:
        read.channels = _read_program_config(bits)
    if read.object_type == _SCALABLE:
        bits.skip(3)
    if extension:
        if read.object_type in (_ER_LC, _LD):
            bits.skip(3)
        bits.skip(1)
    if read.object_type in (_ER_LC, _LD):
        bits.skip(2)  # epConfig


def _read_program_config(bits: BitReader) -> int:
    """program_config_element (4.4.1.1); returns the number of channels."""
    bits.skip(10)
    counts = [bits.read(4) for _ in range(3)]  # front, side, back
    lfe, data, coupling = bits.read(2), bits.read(3), bits.read(4)
    if bits.flag():  # mono mixdown
        bits.skip(4)
    if bits.flag():  # stereo mixdown
        bits.skip(4)
    if bits.flag():  # matrix mixdown
        bits.skip(3)
    channels = lfe
    for _ in range(sum(counts)):
        channels += 2 if bits.flag() else 1  # element_is_cpe
        bits.skip(4)
    bits.skip(4 * (lfe + data) + 5 * coupling)
    bits.align()
    bits.skip(8 * bits.read(8))  # comment
    return channels


def _read_sync_extension(bits: BitReader, read: _Config) -> None:
    """The backward compatible signalling behind the core's configuration (1.6.2.1)."""
    try:
        if bits.read(11) != _SYNC_SBR or _object_type(bits) != _SBR or not bits.flag():
            return
        rate = _rate(bits)
        if rate not in (read.rate, 2 * read.rate):
            return
        read.sbr_rate = rate
        if bits.left >= 12 and bits.read(11) == _SYNC_PS:
            read.parametric_stereo = bits.flag()
    except BadConfig:
        # Optional and often cut short: the core alone is a valid configuration.
        return
