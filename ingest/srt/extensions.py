"""What stands behind a handshake: blocks of a type, a length in words, and contents (draft section 3.2.1). Sans-IO."""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

from .errors import HandshakeRefused, RejectCode
from .limits import MAX_STREAM_ID_BYTES

MAX_BLOCKS = 16
"""Most extensions of one handshake; there are eight types."""
SRT_VERSION = 0x01_05_04
"""The version that we give: 1.5.4, whose wire format this is."""
MIN_SRT_VERSION = 0x01_03_00
"""The first SRT with handshake version 5 (draft section 4.3)."""


class ExtensionType(enum.IntEnum):
    """Draft section 3.2.1, table 5."""

    HSREQ = 1
    HSRSP = 2
    KMREQ = 3
    KMRSP = 4
    SID = 5
    CONGESTION = 6
    FILTER = 7
    GROUP = 8


class Present(enum.IntFlag):
    """The extension field of a conclusion: what stands behind it (draft section 3.2.1, table 3)."""

    HSREQ = 1
    KMREQ = 2
    CONFIG = 4


class Features(enum.IntFlag):
    """SRT flags of HSREQ and HSRSP (draft section 3.2.1.1.1)."""

    TSBPDSND = 0x01
    TSBPDRCV = 0x02
    CRYPT = 0x04
    TLPKTDROP = 0x08
    PERIODICNAK = 0x10
    REXMITFLG = 0x20
    STREAM = 0x40
    PACKET_FILTER = 0x80


OURS = (
    Features.TSBPDSND
    | Features.TSBPDRCV
    | Features.CRYPT
    | Features.TLPKTDROP
    | Features.PERIODICNAK
    | Features.REXMITFLG
)
"""What we say of ourselves: live mode with everything but a packet filter."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """HSREQ or HSRSP: version, flags, and the latencies in milliseconds (draft section 3.2.1.1)."""

    version: int
    flags: int
    receiver_ms: int
    """For what the writer of this message receives."""
    sender_ms: int
    """For what it sends."""

    def build(self) -> bytes:
        return struct.pack(">IIHH", self.version, self.flags, self.receiver_ms, self.sender_ms)

    @property
    def version_text(self) -> str:
        """Such as `1.5.4`."""
        return f"{self.version >> 16 & 0xFF}.{self.version >> 8 & 0xFF}.{self.version & 0xFF}"


def split(body: bytes) -> list[tuple[int, bytes]]:
    """The extensions of a handshake as (type, contents), in order.

    Raises:
        HandshakeRefused: a block is longer than what is there, or there are too many.
    """
    blocks: list[tuple[int, bytes]] = []
    at = 0
    while at + 4 <= len(body):
        kind, words = struct.unpack_from(">HH", body, at)
        end = at + 4 + words * 4
        if end > len(body):
            raise HandshakeRefused(RejectCode.ROGUE, "an extension that is longer than the handshake")
        blocks.append((kind, body[at + 4 : end]))
        at = end
        if len(blocks) > MAX_BLOCKS:
            raise HandshakeRefused(RejectCode.ROGUE, "too many extensions")
    return blocks


def block(kind: ExtensionType, contents: bytes) -> bytes:
    """One extension; `contents` are whole words."""
    return struct.pack(">HH", kind, len(contents) // 4) + contents


def parse_capabilities(contents: bytes) -> Capabilities:
    """Read HSREQ or HSRSP.

    Raises:
        HandshakeRefused: it is too short.
    """
    if len(contents) < 12:
        raise HandshakeRefused(RejectCode.ROGUE, "a handshake extension message that is too short")
    return Capabilities(*struct.unpack_from(">IIHH", contents))


def swap_words(data: bytes) -> bytes:
    """Each word reversed: strings are written as little-endian words (draft section 3.2.1.3)."""
    words = len(data) // 4
    return struct.pack(f"<{words}I", *struct.unpack(f">{words}I", data))


def parse_text(contents: bytes) -> str:
    """Read a string of an extension.

    Raises:
        HandshakeRefused: it is too long, or no UTF-8.
    """
    if len(contents) > MAX_STREAM_ID_BYTES:
        raise HandshakeRefused(RejectCode.ROGUE, "a text that is too long")
    try:
        return swap_words(contents).rstrip(b"\0").decode()
    except UnicodeDecodeError:
        raise HandshakeRefused(RejectCode.ROGUE, "a text that is no UTF-8") from None


def build_text(text: str) -> bytes:
    """A string of an extension, filled up to whole words."""
    data = text.encode()
    return swap_words(data.ljust((len(data) + 3) // 4 * 4, b"\0"))
