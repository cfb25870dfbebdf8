"""What a publish session tells its shell about its tracks, whatever its protocol. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass

from .media import Packet, Track, TrackId


@dataclass(frozen=True, slots=True)
class TrackConfigured:
    """A track's first configuration, or another one than before (never a repetition)."""

    track: Track


@dataclass(frozen=True, slots=True)
class TrackRefused:
    """A track that cannot be taken; the other tracks go on. Said once per track and reason."""

    track: TrackId
    codec: str
    """The field's name of the codec, such as `mp3`, `vvc1`, `h264`."""
    reason: str
    """Plain words for the log."""


@dataclass(frozen=True, slots=True)
class TrackFinished:
    """The publisher ended the track. When packets follow, TrackConfigured comes again before them."""

    track: TrackId


@dataclass(frozen=True, slots=True)
class TracksAnnounced:
    """The tracks that the publisher says it sends, before their configurations are known. Said when they change."""

    tracks: frozenset[TrackId]


TrackEvent = TrackConfigured | TrackRefused | TrackFinished | Packet
"""TrackConfigured, then packets and changed configurations, perhaps TrackFinished; per track, in this order."""
