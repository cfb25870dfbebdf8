"""How an RTMP conversation fails. Sans-IO.

    RtmpError                   ends the connection; `reason` is the label for metrics
      HandshakeError            not RTMP, or RTMPE
      ChunkError                the chunk stream lost sync
      CommandError              a command that no publisher sends
      LimitExceeded             the peer costs more than `Limits` allows
    WrongState                  a mistake of the shell, never of the peer

None of the first group leaves `PublishSession`: it becomes the `Closed` event.
"""

from __future__ import annotations

import enum


class CloseReason(enum.StrEnum):
    """Why a session ended: a closed set, used as a metric label."""

    PEER = "peer"
    """The peer closed the connection."""
    HANDSHAKE = "handshake"
    """Not an RTMP handshake, or RTMPE."""
    PROTOCOL = "protocol"
    """The chunk stream or a command cannot be read."""
    LIMIT = "limit"
    """One of `Limits` was exceeded."""
    TIMEOUT = "timeout"
    """Handshake or publish took too long."""
    PING = "ping"
    """Nothing was heard for a ping interval after a ping."""
    REJECTED = "rejected"
    """The shell rejected the publish."""
    PLAY = "play"
    """The peer wanted to play."""
    MEDIA = "media"
    """Nothing but malformed audio and video messages."""
    SERVER = "server"
    """The shell ended it: takeover, idle media, shutdown."""


class RtmpError(Exception):
    """The conversation cannot go on. The message is plain words and never holds a peer's secret."""

    reason = CloseReason.PROTOCOL


class HandshakeError(RtmpError):
    """The first bytes are no RTMP handshake that is spoken here."""

    reason = CloseReason.HANDSHAKE


class ChunkError(RtmpError):
    """The bytes are no chunk stream (any more)."""


class CommandError(RtmpError):
    """A command that makes no sense where it stands."""


class LimitExceeded(RtmpError):
    """The peer sent more, or larger, than `Limits` allows."""

    reason = CloseReason.LIMIT


class WrongState(RuntimeError):
    """The shell answered a publish request that does not exist."""
