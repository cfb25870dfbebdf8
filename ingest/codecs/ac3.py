"""AC-3 and E-AC-3: dac3, dec3 and syncframe headers (ETSI TS 102 366 4.3, E.1.2, annex F). Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .bits import BitReader
from .errors import BadConfig
from .headers import AudioHeader

_SYNC = b"\x0b\x77"
_RATES = (48_000, 44_100, 32_000)
_CHANNELS = (2, 1, 2, 3, 3, 4, 4, 5)
"""acmod: full-bandwidth channels."""
_BIT_RATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
"""kbit/s by bit_rate_code (table 4.13)."""
_BLOCKS = (1, 2, 3, 6)
"""numblkscod (E.1.3.1.4)."""
_BLOCK_SAMPLES = 256
FRAME_SAMPLES = 1_536
"""Samples of an AC-3 syncframe, and of an MP4 sample of E-AC-3."""
_LOCATIONS = {5: 0, 6: 1, 7: 2, 8: 3, 9: 4, 10: 5, 11: 6, 12: 7, 14: 8}
"""Bit of chanmap (from the left, table E.1.4) -> bit of chan_loc (F.6.2.13)."""
_MAX_FRAMES = 64
"""Syncframes read per packet; 6 blocks of 8 + 8 substreams stay below."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """One E-AC-3 syncframe's header."""

    size: int
    dependent: bool
    substream: int
    rate: int
    samples: int
    fscod: int
    acmod: int
    lfe: int
    bsid: int
    channel_map: int
    """chanmap of a dependent substream; 0 = none."""


def read_ac3_config(config: bytes) -> AudioHeader:
    """Read a dac3 body (3 bytes), or make one from a whole syncframe.

    Raises:
        BadConfig: it is neither.
    """
    body = _ac3_record(config) if config.startswith(_SYNC) else config[:3]
    bits = BitReader(body)
    fscod, bsid = bits.read(2), bits.read(5)
    bits.skip(3)
    acmod, lfe, rate_code = bits.read(3), bits.read(1), bits.read(5)
    if fscod == 3 or bsid > 8 or rate_code >= len(_BIT_RATES):
        raise BadConfig("AC-3 header has reserved values")
    return AudioHeader(body, "ac-3", _RATES[fscod], _CHANNELS[acmod] + lfe, FRAME_SAMPLES)


def _ac3_record(frame: bytes) -> bytes:
    """syncinfo and bsi (4.3.1, 4.3.2) -> AC3SpecificBox body (F.4)."""
    bits = BitReader(frame[4:16])
    fscod, size_code = bits.read(2), bits.read(6)
    bsid, bsmod, acmod = bits.read(5), bits.read(3), bits.read(3)
    if acmod & 1 and acmod != 1:
        bits.skip(2)  # cmixlev
    if acmod & 4:
        bits.skip(2)  # surmixlev
    if acmod == 2:
        bits.skip(2)  # dsurmod
    lfe = bits.read(1)
    packed = fscod << 22 | bsid << 17 | bsmod << 14 | acmod << 11 | lfe << 10 | (size_code >> 1) << 5
    return packed.to_bytes(3)


def read_eac3_config(config: bytes) -> AudioHeader:
    """Read a dec3 body, or make one from a whole access unit (all its substreams).

    Raises:
        BadConfig: it is neither.
    """
    if config.startswith(_SYNC):
        return _eac3_from_frames(config)
    bits = BitReader(config)
    bits.skip(16)
    fscod, bsid = bits.read(2), bits.read(5)
    bits.skip(5)
    acmod, lfe = bits.read(3), bits.read(1)
    bits.skip(3)
    dependents = bits.read(4)
    extra = _location_channels(bits.read(9)) if dependents else 0
    if fscod == 3 or not 11 <= bsid <= 16:
        raise BadConfig("E-AC-3 header has reserved values")
    return AudioHeader(config, "ec-3", _RATES[fscod], _CHANNELS[acmod] + lfe + extra, FRAME_SAMPLES)


def _eac3_from_frames(payload: bytes) -> AudioHeader:
    """Build an EC3SpecificBox body (F.6) for independent substream 0 and its dependents."""
    frames = list(_frames(payload))
    if not frames or frames[0].dependent or frames[0].substream:
        raise BadConfig("E-AC-3 access unit does not start with independent substream 0")
    first = frames[0]
    dependents: set[int] = set()
    location = 0
    program = 0
    for frame in frames:
        if not frame.dependent:
            program = frame.substream
        elif program == 0:
            # E.1.3.1.2: a dependent substream belongs to the independent one before it.
            dependents.add(frame.substream)
            location |= _chan_loc(frame.channel_map)
    samples = _count_samples(frames)
    size = sum(frame.size for frame in frames)
    kbits = min(size * 8 * first.rate // (samples * 1_000), 0x1FFF)
    packed = kbits << 3  # num_ind_sub - 1 = 0
    packed = packed << 7 | first.fscod << 5 | first.bsid
    packed = packed << 5  # reserved, asvc, bsmod 0 (complete main)
    packed = packed << 4 | first.acmod << 1 | first.lfe
    packed = packed << 7 | min(len(dependents), 8)
    # F.6.1: chan_loc stands only behind a count of dependents; else one reserved bit.
    packed = packed << 9 | location if dependents else packed << 1
    body = packed.to_bytes(6 if dependents else 5)
    channels = _CHANNELS[first.acmod] + first.lfe + (_location_channels(location) if dependents else 0)
    return AudioHeader(body, "ec-3", first.rate, channels, samples)


def _chan_loc(channel_map: int) -> int:
    return sum(1 << to for bit, to in _LOCATIONS.items() if channel_map >> (15 - bit) & 1)


def _location_channels(location: int) -> int:
    """Channels of chan_loc: pairs, but Cs, Ts, Cvh and LFE2 (bits 2, 3, 7, 8) are single."""
    return sum(1 if bit in (2, 3, 7, 8) else 2 for bit in range(9) if location >> bit & 1)


def _frames(payload: bytes) -> Iterator[_Frame]:
    """The E-AC-3 syncframes of an access unit, up to damage or the end."""
    at = 0
    for _ in range(_MAX_FRAMES):
        if payload[at : at + 2] != _SYNC:
            return
        frame = _read_frame(payload[at : at + 32])
        if frame is None:
            return
        yield frame
        at += frame.size


def _read_frame(data: bytes) -> _Frame | None:
    """syncinfo and the start of bsi (E.1.2.1, E.1.2.2)."""
    try:
        bits = BitReader(data[2:])
        kind, substream, size = bits.read(2), bits.read(3), (bits.read(11) + 1) * 2
        fscod = bits.read(2)
        if fscod == 3:
            fscod2 = bits.read(2)
            if fscod2 == 3:
                return None
            rate, blocks = _RATES[fscod2] // 2, 6
        else:
            rate, blocks = _RATES[fscod], _BLOCKS[bits.read(2)]
        acmod, lfe, bsid = bits.read(3), bits.read(1), bits.read(5)
        if kind == 3 or not 11 <= bsid <= 16:
            return None
        channel_map = _read_channel_map(bits, acmod) if kind == 1 else 0
    except BadConfig:
        return None
    samples = blocks * _BLOCK_SAMPLES
    return _Frame(size, kind == 1, substream, rate, samples, fscod, acmod, lfe, bsid, channel_map)


def _read_channel_map(bits: BitReader, acmod: int) -> int:
    for _ in range(2 if acmod == 0 else 1):
        bits.skip(5)  # dialnorm
        if bits.flag():
            bits.skip(8)  # compr
    return bits.read(16) if bits.flag() else 0


def _count_samples(frames: list[_Frame]) -> int:
    return sum(frame.samples for frame in frames if not frame.dependent and frame.substream == 0)


def packet_samples(payload: bytes) -> int:
    """Samples of one E-AC-3 packet: those of independent substream 0; 0 when it has none."""
    return _count_samples(list(_frames(payload)))


HEADER_BYTES = 16
"""Bytes of a syncframe that its readers need at most; every syncframe is longer."""


def is_enhanced(frame: bytes) -> bool:
    """Whether a syncframe of at least 6 bytes is E-AC-3 (bsid above 10, E.1.3.1.6)."""
    return frame[5] >> 3 > 10


def access_unit_size(data: bytes, at: int) -> int | None:
    """Bytes of the access unit at `at`: an AC-3 syncframe, or those of E-AC-3 that make 6 blocks (annex F.5.1).

    Returns:
        0: none starts there. None: where it ends is only seen with more bytes than `data` has; data that ends with
        a syncframe is taken to end with the access unit.
    """
    if data[at : at + 2] != _SYNC:
        return 0
    if not is_enhanced(data[at : at + HEADER_BYTES]):
        return _ac3_size(data[at + 4])
    start, samples = at, 0
    while at < len(data):
        if len(data) < at + HEADER_BYTES:
            return None
        frame = _read_frame(data[at : at + 32]) if data[at : at + 2] == _SYNC else None
        if frame is None:
            return at - start if samples >= FRAME_SAMPLES else 0
        leads = not frame.dependent and frame.substream == 0
        if leads and samples >= FRAME_SAMPLES:
            return at - start
        if at == start and not leads:
            return 0
        samples += frame.samples if leads else 0
        at += frame.size
    return at - start if at == len(data) and samples >= FRAME_SAMPLES else None


def _ac3_size(code: int) -> int:
    """Bytes of an AC-3 syncframe by its fscod and frmsizecod (table 4.13); 0 when they are reserved."""
    fscod, rate_code = code >> 6, (code & 63) >> 1
    if fscod == 3 or rate_code >= len(_BIT_RATES):
        return 0
    rate = _BIT_RATES[rate_code]
    if fscod == 1:
        return 2 * (rate * 1_000 * FRAME_SAMPLES // 44_100 // 16 + (code & 1))
    return rate * (4 if fscod == 0 else 6)


def fingerprint(payload: bytes) -> bytes:
    """What must stay the same for a configuration that was made from a frame to hold; `b""` when it is no frame."""
    # AC-3: fscod, frmsizecod, bsid, bsmod, acmod. E-AC-3 (bsid above 10): fscod, numblkscod, acmod, lfeon, bsid;
    # its dialnorm shares the next byte and may change.
    if len(payload) < 7 or not payload.startswith(_SYNC):
        return b""
    if payload[5] >> 3 > 10:
        return bytes((payload[4], payload[5] & 0xF8))
    return bytes((payload[4], payload[5], payload[6] & 0xE0))
