"""What one transport stream may cost. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20

MAX_REFUSALS = 64
"""TrackRefused events per publisher; what is refused beyond is only counted."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds that a demultiplexer keeps. Memory: at most `streams` x `pes_bytes`, in practice one picture."""

    programs: int = 64
    """Programs of a PAT that are looked at. Why: a contribution feed has one, a whole DVB multiplex about 20."""
    streams: int = 64
    """Elementary streams of the program; those beyond are refused. Why: encoders send fewer than 10."""
    tracks_per_kind: int = 8
    """Video tracks, and audio tracks, as over RTMP."""
    pes_bytes: int = 8 * MIB
    """Largest PES packet, so largest picture. Why: as `ingest.rtmp.message_bytes`; an IDR at 50 Mbit/s has 2 MiB."""
