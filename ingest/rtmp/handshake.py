"""The server's side of the RTMP handshake: plain (RTMP 1.0 section 5.2) and with digests (Flash Player 9+).

The digest form is not in the specification: C1 hides an HMAC-SHA256 at a place that four of its bytes
name; the server proves itself with a digest in S1 and a signature at the end of S2. Peers that send one
may check ours, so it is answered in kind; a peer that sends none gets C1 echoed. Sans-IO: the entropy of
S1 and S2 is handed in.
"""

from __future__ import annotations

import enum
import hashlib
import hmac

from .errors import HandshakeError

VERSION = 3
ENCRYPTED = (6, 8)
"""C0 of RTMPE and of its XTEA variant."""
SIZE = 1536
"""Bytes of C1, C2, S1 and S2."""

PLAYER_KEY = b"Genuine Adobe Flash Player 001"
SERVER_KEY = b"Genuine Adobe Flash Media Server 001"
SIGNATURE_KEY = SERVER_KEY + bytes.fromhex("f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae")
"""The server key with the 32 bytes that both sides know."""
SERVER_VERSION = bytes((13, 14, 10, 13))
"""S1 bytes 4..7 in the digest form: a version of 3 or more, so that peers look for the digest."""

DIGEST_BASES = (772, 8)
"""Where the four bytes that name the digest's place may start: scheme 1, then scheme 0."""
DIGEST_SIZE = 32


class Phase(enum.Enum):
    """What the handshake waits for."""

    C0_C1 = enum.auto()
    C2 = enum.auto()
    DONE = enum.auto()


class ServerHandshake:
    """Takes C0 C1 C2 in any segmentation and gives S0 S1 S2.

    Args:
        entropy: unpredictable bytes, 16 or more; everything random in S1 and S2 is drawn from them.
    """

    def __init__(self, entropy: bytes) -> None:
        self.phase = Phase.C0_C1
        self.with_digest = False
        """The peer sent a digest, and got one."""
        self._noise = hashlib.shake_256(b"rtmp handshake" + entropy).digest(2 * SIZE)
        self._buffer = bytearray()
        self._left = SIZE

    @property
    def done(self) -> bool:
        """C2 is complete: chunks follow."""
        return self.phase is Phase.DONE

    def receive(self, data: bytes) -> tuple[bytes, bytes]:
        """Take bytes of the peer; return (bytes to send, bytes that follow the handshake).

        At most 1537 bytes are kept. The second part is empty until `phase` is DONE.

        Raises:
            HandshakeError: the first byte is not version 3; nothing is answered.
        """
        out = b""
        if self.phase is Phase.C0_C1:
            if not self._buffer and data:
                _check_version(data[0])
            take = 1 + SIZE - len(self._buffer)
            self._buffer += data[:take]
            if len(self._buffer) <= SIZE:
                return b"", b""
            out = self._answer(bytes(self._buffer[1:]))
            data = data[take:]
            self._buffer.clear()
            self.phase = Phase.C2
        # RTMP 1.0 section 5.2.4: C2 echoes S1. Many peers send something else: it is counted, never compared.
        skipped = min(self._left, len(data))
        self._left -= skipped
        if self._left == 0:
            self.phase = Phase.DONE
        return out, data[skipped:]

    def _answer(self, c1: bytes) -> bytes:
        """S0, S1 and S2 for `c1`."""
        found = find_digest(c1, PLAYER_KEY)
        # RTMP 1.0 section 5.2.3: bytes 4..7 of C1 are zero; a version there announces the digest form.
        if found is None or c1[4:8] == bytes(4):
            s1 = bytes(8) + self._noise[: SIZE - 8]
            return bytes((VERSION,)) + s1 + c1
        self.with_digest = True
        base, digest = found
        s1 = write_digest(bytes(4) + SERVER_VERSION + self._noise[: SIZE - 8], base, SERVER_KEY)
        s2 = self._noise[SIZE : 2 * SIZE - DIGEST_SIZE]
        key = hmac.digest(SIGNATURE_KEY, digest, hashlib.sha256)
        return bytes((VERSION,)) + s1 + s2 + hmac.digest(key, s2, hashlib.sha256)


def _check_version(version: int) -> None:
    if version == VERSION:
        return
    if version in ENCRYPTED:
        raise HandshakeError("RTMPE is not offered; use RTMPS")
    if version == 0x16:
        raise HandshakeError("TLS on the plain RTMP port; RTMPS has its own")
    if chr(version) in "GPHOD":
        raise HandshakeError("HTTP on the RTMP port")
    raise HandshakeError(f"RTMP version {version}; only 3 is spoken")


def digest_offset(block: bytes, base: int) -> int:
    """Where in C1 or S1 the digest stands, when the four bytes at `base` name its place."""
    return sum(block[base : base + 4]) % 728 + base + 4


def _digest(block: bytes, at: int, key: bytes) -> bytes:
    return hmac.digest(key, block[:at] + block[at + DIGEST_SIZE :], hashlib.sha256)


def find_digest(block: bytes, key: bytes) -> tuple[int, bytes] | None:
    """(base, digest) of the digest made with `key` in the 1536 bytes `block`; None when there is none."""
    for base in DIGEST_BASES:
        at = digest_offset(block, base)
        digest = block[at : at + DIGEST_SIZE]
        if hmac.compare_digest(digest, _digest(block, at, key)):
            return base, digest
    return None


def write_digest(block: bytes, base: int, key: bytes) -> bytes:
    """`block` with its digest by `key` written at the place that `base` names."""
    at = digest_offset(block, base)
    return block[:at] + _digest(block, at, key) + block[at + DIGEST_SIZE :]
