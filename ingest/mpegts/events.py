"""What a transport stream tells its shell beside tracks and packets. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass, field

from headwater.ingest.tracks import TrackEvent, TracksAnnounced


@dataclass(frozen=True, slots=True)
class CueReceived:
    """A SCTE-35 section whose CRC is right (ANSI/SCTE 35 9.6). It is handed on as it came."""

    pts: int
    """The time that the cue is about, else that of its arrival: raw 33-bit ticks of the program's clock at 90 kHz."""
    section: bytes = field(repr=False)
    """The whole splice_info_section, table_id to CRC_32."""


TsEvent = TracksAnnounced | TrackEvent | CueReceived
"""All that `demux.Demuxer` says: TracksAnnounced whenever the table of streams changes them, then as `TrackEvent`."""


@dataclass(slots=True)
class Counters:
    """What was found and left out, for metrics and the log; only ever grows."""

    packets: int = 0
    """Transport packets."""
    skipped_bytes: int = 0
    """Bytes between transport packets: garbage, or what was passed to find them again."""
    errored: int = 0
    """Packets that the sender's receiver marked as damaged (transport_error_indicator)."""
    scrambled: int = 0
    """Encrypted packets, of transport or PES."""
    duplicates: int = 0
    """Packets sent twice, of which one was taken."""
    discontinuities: int = 0
    """Times that the continuity counter of a stream said packets are missing."""
    damaged: int = 0
    """PES packets that were cut short or left out because bytes of them are missing."""
    oversized: int = 0
    """PES packets above the bound."""
    malformed: int = 0
    """PES packets, sections and frames that cannot be read."""
    before_config: int = 0
    """Access units of a track that has no usable configuration yet."""
    without_time: int = 0
    """Access units before the first time stamp of their track."""
    refused: int = 0
    """Streams, PES packets and sections that are not taken."""
    pcr_jumps: int = 0
    """Announced discontinuities of the program's clock (discontinuity_indicator on the PCR)."""
