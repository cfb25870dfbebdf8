"""SCTE-35 (ANSI/SCTE 35 9.6, 9.7): the time that a splice_info_section is about, and nothing else. Sans-IO."""

from __future__ import annotations

from headwater.ingest.codecs import BadConfig
from headwater.ingest.codecs.bits import BitReader

from .pes import WRAP

_SPLICE_INSERT, _TIME_SIGNAL = 5, 6


def splice_time(section: bytes) -> int | None:
    """Presentation time of the splice, 33 bits of 90 kHz; None when it says none, is at once, or is encrypted."""
    bits = BitReader(section[3:])
    try:
        bits.skip(8)  # protocol_version
        if bits.flag():  # encrypted_packet
            return None
        bits.skip(6)
        adjustment = bits.read(33)
        bits.skip(8 + 12 + 12)  # cw_index, tier, splice_command_length
        command = bits.read(8)
        if command == _SPLICE_INSERT and not _skip_insert(bits):
            return None
        if command not in (_SPLICE_INSERT, _TIME_SIGNAL) or not bits.flag():  # time_specified_flag
            return None
        bits.skip(6)
        return (bits.read(33) + adjustment) % WRAP
    except BadConfig:
        return None


def _skip_insert(bits: BitReader) -> bool:
    """splice_insert up to its splice_time (9.7.3); False when it has none."""
    bits.skip(32)  # splice_event_id
    if bits.flag():  # splice_event_cancel_indicator
        return False
    bits.skip(7 + 1)  # reserved, out_of_network_indicator
    program, _, immediate = bits.flag(), bits.flag(), bits.flag()
    bits.skip(4)
    return program and not immediate
