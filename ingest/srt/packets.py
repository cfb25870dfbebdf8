"""SRT packets as bytes: headers and the control packets that a receiver reads and writes (draft section 3). Sans-IO."""

from __future__ import annotations

import enum
import struct
from collections.abc import Sequence
from typing import Final

from .errors import PacketError

HEADER = struct.Struct(">IIII")
"""Two words whose meaning depends on the kind, timestamp, destination socket id (draft section 3)."""
HEADER_BYTES: Final = 16
MAX_DATAGRAM = 1500
"""Longest datagram that is read: the MTU of Ethernet; libsrt never sends more than 1472 bytes."""
UDP_OVERHEAD = 28
"""Bytes of IPv4 and UDP headers that an MTU of the handshake includes."""

CONTROL: Final = 0x8000_0000
"""F: bit 0 of a control packet (draft section 3)."""
KEY_SHIFT: Final = 27
"""KK, two bits of the second word of a data packet: 0 plain, 1 even key, 2 odd key (draft section 3.1)."""
RETRANSMITTED: Final = 1 << 26
"""R, in the same word."""

MAX_LOSS_WORDS = (MAX_DATAGRAM - UDP_OVERHEAD - HEADER_BYTES) // 4
"""Words of one loss list: what fits in a datagram."""
RANGE: Final = 0x8000_0000
"""Marks the first number of a range in a loss list (draft appendix A)."""


class ControlType(enum.IntEnum):
    """Kinds of control packets (draft section 3.2, table 1)."""

    HANDSHAKE = 0x0000
    KEEPALIVE = 0x0001
    ACK = 0x0002
    NAK = 0x0003
    CONGESTION = 0x0004
    SHUTDOWN = 0x0005
    ACKACK = 0x0006
    DROPREQ = 0x0007
    PEERERROR = 0x0008
    USER = 0x7FFF


class UserType(enum.IntEnum):
    """Subtypes of USER; the same numbers name handshake extensions (draft section 3.2.1, table 5)."""

    KMREQ = 3
    KMRSP = 4


NO_FIELDS = bytes(4)
"""The body of a packet without fields. Why: libsrt takes a control packet that ends with its header for broken."""


def control(
    kind: ControlType, stamp: int, destination: int, *, specific: int = 0, subtype: int = 0, body: bytes = NO_FIELDS
) -> bytes:
    """A control packet. `stamp` is in microseconds modulo 2^32, `specific` the type-specific word."""
    return HEADER.pack(CONTROL | kind << 16 | subtype, specific, stamp, destination) + body


def control_type(word: int) -> int:
    """The kind of a control packet from its first word; may be none of `ControlType`."""
    return word >> 16 & 0x7FFF


def full_ack(stamp: int, destination: int, number: int, sequence: int, fields: Sequence[int]) -> bytes:
    """A full acknowledgement (draft section 3.2.4).

    Args:
        number: of this ACK; the peer's ACKACK names it.
        sequence: the first packet that is still missing.
        fields: RTT and its variance in microseconds, free buffer in packets, packets per second, estimated link
            capacity in packets per second, bytes per second; six of them, each 0 .. 2^32 - 1.
    """
    body = struct.pack(">7I", sequence, *fields)
    return control(ControlType.ACK, stamp, destination, specific=number, body=body)


def light_ack(stamp: int, destination: int, sequence: int) -> bytes:
    """A light acknowledgement: only the first missing packet, and no number (draft section 3.2.4)."""
    return control(ControlType.ACK, stamp, destination, body=sequence.to_bytes(4))


def nak(stamp: int, destination: int, words: Sequence[int]) -> bytes:
    """A loss report; `words` from `loss.encode`, at most MAX_LOSS_WORDS of them (draft section 3.2.5)."""
    return control(ControlType.NAK, stamp, destination, body=struct.pack(f">{len(words)}I", *words))


def keepalive(stamp: int, destination: int) -> bytes:
    """Draft section 3.2.3."""
    return control(ControlType.KEEPALIVE, stamp, destination)


def shutdown(stamp: int, destination: int) -> bytes:
    """Draft section 3.2.7."""
    return control(ControlType.SHUTDOWN, stamp, destination)


def parse_drop_request(body: bytes) -> tuple[int, int]:
    """First and last sequence number of a drop request (draft section 3.2.9).

    Raises:
        PacketError: fewer than two words, or a number with its highest bit set.
    """
    if len(body) < 8:
        raise PacketError("a drop request without its range")
    first, last = struct.unpack_from(">II", body)
    if (first | last) & RANGE:
        raise PacketError("a drop request with a number that is no sequence number")
    return first, last
