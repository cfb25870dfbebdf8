"""How an SRT conversation fails. Sans-IO.

    SrtError                    something that a peer sent cannot be used
      PacketError               a datagram that is no SRT packet, or breaks its own lengths: dropped and counted
      HandshakeRefused          a caller is turned away; `code` goes to it on the wire
      StreamIdError             a stream id that cannot be read: refused with BAD_REQUEST
      KeyMaterialError          a key material message that cannot be read
      WrongSecret               the key does not open the key material: another passphrase
    WrongState                  a mistake of the shell, never of the peer

None of the first group leaves `Listener` or `Caller`: it becomes an event, a counter, or both.
"""

from __future__ import annotations

import enum


class CloseReason(enum.StrEnum):
    """Why a session ended: a closed set, used as a metric label."""

    PEER = "peer"
    """The peer sent SHUTDOWN."""
    IDLE = "idle"
    """Nothing was heard for `Limits.idle_s`."""
    SERVER = "server"
    """The shell ended it: takeover, idle media, shutdown."""
    REJECTED = "rejected"
    """The shell, or the listener that was called, rejected the connection."""
    SECRET = "secret"  # noqa: S105 - a reason, no secret
    """The passphrase is wrong, or only one side has one."""
    UNANSWERED = "unanswered"
    """The shell did not answer a request, or the listener did not answer the caller, in time."""
    UNDECRYPTABLE = "undecryptable"
    """`Limits.undecryptable_in_a_row` packets could not be decrypted."""
    PROTOCOL = "protocol"
    """The other side's handshake makes no sense."""


class RejectCode(enum.IntEnum):
    """Why a connection is refused: the handshake type that says so (draft section 4.3, table 7).

    From 2000 on they are the HTTP-like codes of libsrt's access control guidelines, plus 1000.
    """

    UNKNOWN = 1000
    SYSTEM = 1001
    PEER = 1002
    RESOURCE = 1003
    """No room for another connection."""
    ROGUE = 1004
    """The handshake cannot be read, or is of a kind that is not offered (rendezvous)."""
    BACKLOG = 1005
    """Too many connections wait for an answer."""
    IPE = 1006
    CLOSE = 1007
    """The listener is closing."""
    VERSION = 1008
    """Handshake version 4, or an SRT before 1.3."""
    RDVCOOKIE = 1009
    BADSECRET = 1010
    """Another passphrase."""
    UNSECURE = 1011
    """Only one side has a passphrase."""
    MESSAGEAPI = 1012
    """Buffer mode, where live mode is needed."""
    CONGESTION = 1013
    """Another congestion control than `live`."""
    FILTER = 1014
    """A packet filter (forward error correction)."""
    GROUP = 1015
    """A bonding group."""
    TIMEOUT = 1016
    CRYPTO = 1017
    """Another cipher than AES-CTR."""
    BAD_REQUEST = 2400
    """The stream id cannot be read."""
    UNAUTHORIZED = 2401
    OVERLOAD = 2402
    """Too many connections or attempts of this address."""
    FORBIDDEN = 2403
    NOTFOUND = 2404
    BAD_MODE = 2405
    """The caller wants to receive, or only a caller that receives is served."""
    UNACCEPTABLE = 2406
    CONFLICT = 2409
    """Somebody else publishes this stream."""
    NOTSUP_MEDIA = 2415
    LOCKED = 2423
    FAILED_DEPEND = 2424
    ISE = 2500
    UNIMPLEMENTED = 2501
    GATEWAY = 2502
    DOWN = 2503
    """The service is down, or going down."""

    @classmethod
    def of(cls, value: int) -> RejectCode:
        """The code with this number; UNKNOWN when it has no name here."""
        try:
            return cls(value)
        except ValueError:
            return cls.UNKNOWN


class SrtError(Exception):
    """What a peer sent cannot be used. The message is plain words and never holds a peer's secret."""


class PacketError(SrtError):
    """The datagram is no SRT packet."""


class HandshakeRefused(SrtError):
    """The caller is turned away with `code`."""

    def __init__(self, code: RejectCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class StreamIdError(SrtError):
    """The stream id cannot be read."""


class KeyMaterialError(SrtError):
    """The key material message cannot be read, or asks for something that is not offered."""


class WrongSecret(SrtError):
    """The key does not open the key material."""


class WrongState(RuntimeError):
    """The shell named a session that does not exist, or calls twice."""
