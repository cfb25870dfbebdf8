"""What a publish session tells its shell, and what the shell may answer. Sans-IO."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from headwater.ingest.media import Packet
from headwater.ingest.tracks import TrackConfigured, TrackFinished, TrackRefused

from .amf_source import Value
from .errors import CloseReason


class RejectCode(enum.StrEnum):
    """Why a publish is rejected: the code of the onStatus that says it.

    These four are what OBS and librtmp act on; the connection is closed after any of them.
    """

    BAD_NAME = "NetStream.Publish.BadName"
    """The name is busy, or is none."""
    DENIED = "NetStream.Publish.Denied"
    """The publish key is missing or wrong, or there is no room."""
    INVALID_APP = "NetConnection.Connect.InvalidApp"
    """There is no such application."""
    REJECTED = "NetConnection.Connect.Rejected"
    """The server takes nobody now."""


@dataclass(frozen=True, slots=True)
class PublishRequested:
    """A publisher asks; nothing further is read until `accept` or `reject`.

    The text form leaves the query out: it holds the publish key.
    """

    app: str
    name: str
    """May be empty or anything else: the shell checks it."""
    query: dict[str, str] = field(repr=False)
    """Parameters with their percent-encoding as sent."""
    encoder: str = ""
    """`flashVer` of the publisher, printable, at most 64 characters."""


@dataclass(frozen=True, slots=True)
class MetadataReceived:
    """`onMetaData`: hints of the publisher, never a condition for anything."""

    values: dict[str, Value]


@dataclass(frozen=True, slots=True)
class PublishEnded:
    """The accepted publish is over; the connection may ask again, or close."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Always the last event: drain `data_to_send`, then close the connection (FIN, not RST)."""

    reason: CloseReason
    detail: str
    """Plain words for the log, without anything that the peer wrote."""


SessionEvent = (
    PublishRequested
    | TrackConfigured
    | TrackRefused
    | TrackFinished
    | Packet
    | MetadataReceived
    | PublishEnded
    | Closed
)
"""PublishRequested, then (tracks, packets, metadata), PublishEnded; perhaps again; Closed."""
