"""What a listener or a caller tells its shell. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass

from .addresses import Address
from .errors import CloseReason, RejectCode
from .keys import KeyRequest
from .streamid import StreamId

SessionId = int
"""Our socket id of a connection: unpredictable, 1 .. 2^30 - 1, never used for two at a time."""


@dataclass(frozen=True, slots=True)
class ConnectionRequested:
    """A caller with a valid cookie asks; `Listener.accept` or `reject` answers, within `Limits.answer_s`."""

    session: SessionId
    address: Address
    stream_id: StreamId
    encrypted: KeyRequest | None
    """The caller encrypts: `accept` needs the key that is derived from the passphrase and this."""
    latency_s: float
    """The latency that the connection gets."""
    version: str
    """SRT version of the caller, such as `1.5.4`."""


@dataclass(frozen=True, slots=True)
class CallerRefused:
    """A caller with a valid cookie was turned away without asking the shell; for the log and a metric."""

    address: Address
    code: RejectCode
    detail: str


@dataclass(frozen=True, slots=True)
class Connected:
    """`Caller` only: the listener accepted."""

    session: SessionId
    latency_s: float
    encrypted: bool
    version: str
    """SRT version of the listener."""


@dataclass(frozen=True, slots=True)
class KeyRefreshRequested:
    """The sender announced a key that the known one does not open: another salt. `answer_key` answers.

    It is rare: libsrt keeps the salt, and such changes are made without asking.
    """

    session: SessionId
    request: KeyRequest


@dataclass(frozen=True, slots=True)
class DataReceived:
    """Payload, in order: whole packets, joined as they came in since the last drain."""

    session: SessionId
    data: bytes
    arrived: float
    """When the newest of the packets came in."""


@dataclass(frozen=True, slots=True)
class PacketsLost:
    """So many packets are missing between the data before and the data after this."""

    session: SessionId
    count: int


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """Always the last event of a session, except after `reject`, which has none."""

    session: SessionId
    reason: CloseReason
    detail: str
    """Plain words for the log, without anything that the peer wrote."""
    code: RejectCode | None = None
    """`Caller` only: what the listener gave as its reason."""


Event = (
    ConnectionRequested | CallerRefused | Connected | KeyRefreshRequested | DataReceived | PacketsLost | SessionClosed
)
"""ConnectionRequested (or Connected), then (data, losses, key refreshes), SessionClosed."""
