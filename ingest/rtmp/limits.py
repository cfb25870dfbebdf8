"""What one RTMP peer may cost. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

KIB = 1 << 10
MIB = 1 << 20

MAX_CHUNK_SIZE = 10 * MIB
"""Largest chunk size a peer may set. RTMP 1.0 section 5.4.1 allows 16777215; encoders stay below 64 KiB."""

AMF_DEPTH = 16
"""Deepest nesting of AMF values. `connect` and `onMetaData` of real encoders need 3."""

AMF_NODES = 1_000
"""Most AMF values in one message, references counted in full."""

UNPUBLISHED_MESSAGES = 1_000
"""Most messages of one connection while nothing is published: empty ones cost time, not bytes. Encoders need 10."""

BAD_TAGS_IN_A_ROW = 256
"""Malformed audio and video messages in a row before the connection is closed: it is no media stream then."""


class RtmpLimits(Protocol):
    """The bounds a session keeps; `headwater.config.settings.RtmpLimits` has them all, and says why."""

    @property
    def handshake_s(self) -> float:
        """Seconds from accept to the end of the handshake."""

    @property
    def publish_s(self) -> float:
        """Seconds from the handshake to an accepted publish."""

    @property
    def ping_s(self) -> float:
        """Seconds between pings; a peer that is silent that long after one is gone."""

    @property
    def message_bytes(self) -> int:
        """Largest message."""

    @property
    def command_bytes(self) -> int:
        """Largest command, control or metadata message."""

    @property
    def pre_publish_bytes(self) -> int:
        """All that is read before publish is accepted."""

    @property
    def partial_bytes(self) -> int:
        """Sum of unfinished messages."""

    @property
    def outgoing_bytes(self) -> int:
        """Replies that were not collected with `data_to_send`."""

    @property
    def chunk_streams(self) -> int:
        """Chunk streams of one connection."""

    @property
    def tracks_per_kind(self) -> int:
        """Video tracks, and audio tracks."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The default bounds, for tools and tests that have no settings."""

    handshake_s: float = 10
    publish_s: float = 10
    ping_s: float = 20
    message_bytes: int = 8 * MIB
    command_bytes: int = 64 * KIB
    pre_publish_bytes: int = 256 * KIB
    partial_bytes: int = 16 * MIB
    outgoing_bytes: int = 256 * KIB
    chunk_streams: int = 64
    tracks_per_kind: int = 8
