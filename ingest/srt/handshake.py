"""The handshake packet (draft section 3.2.1): fields in and out. Sans-IO."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .errors import PacketError
from .packets import ControlType, control

FIXED = struct.Struct(">IHHIIIIII16s")
BYTES = FIXED.size
"""The part that every handshake has: 48 bytes."""

UDT_VERSION = 4
"""Handshake version of an induction, and of SRT before 1.3."""
SRT_VERSION = 5
MAGIC = 0x4A17
"""Extension field of an induction's answer (draft section 4.3.1.1)."""
UDT_DGRAM = 2
"""Extension field of an induction (draft section 4.3.1.1)."""

WAVEAHAND = 0
"""Opens a rendezvous (draft section 3.2.1, table 4)."""
INDUCTION = 1
CONCLUSION = 0xFFFF_FFFF
AGREEMENT = 0xFFFF_FFFE
DONE = 0xFFFF_FFFD
FIRST_REJECTION = 1000
"""From here on the type is a reason to reject (draft section 4.3, table 7)."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """One handshake packet."""

    version: int
    encryption: int
    """Length of the key in 8 bytes: 0, 2, 3 or 4 (table 2)."""
    extension: int
    sequence: int
    """Sequence number of the first data packet of who writes this."""
    mtu: int
    flow_window: int
    type: int
    socket_id: int
    """Of who writes this."""
    cookie: int
    peer_ip: bytes = bytes(16)
    """Address of the other side; nobody reads it."""
    extensions: bytes = b""
    """What stands behind the fixed part; see `extensions.split`."""

    def build(self, stamp: int, destination: int) -> bytes:
        """The packet. `destination` is 0 for a listener."""
        body = FIXED.pack(
            self.version,
            self.encryption,
            self.extension,
            self.sequence,
            self.mtu,
            self.flow_window,
            self.type,
            self.socket_id,
            self.cookie,
            self.peer_ip,
        )
        return control(ControlType.HANDSHAKE, stamp, destination, body=body + self.extensions)

    @property
    def rejects(self) -> bool:
        """It says that the connection is refused."""
        return FIRST_REJECTION <= self.type < DONE


def parse_handshake(body: bytes) -> Handshake:
    """Read the contents of a handshake packet.

    Raises:
        PacketError: it is shorter than the fixed part, or its sequence number has 32 bits.
    """
    if len(body) < BYTES:
        raise PacketError("a handshake that is too short")
    version, encryption, extension, sequence, mtu, window, kind, socket_id, cookie, ip = FIXED.unpack_from(body)
    if sequence >> 31:
        raise PacketError("a handshake with a number that is no sequence number")
    return Handshake(version, encryption, extension, sequence, mtu, window, kind, socket_id, cookie, ip, body[BYTES:])
