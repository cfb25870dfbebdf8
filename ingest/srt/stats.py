"""Counts of one session and of a port. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """What a session counts as it runs."""

    packets: int = 0
    """Data packets that came in, copies included."""
    octets: int = 0
    """Their bytes, headers included."""
    retransmitted: int = 0
    """Of them, marked as retransmitted."""
    lost: int = 0
    """Packets that were missing when a later one came in."""
    belated: int = 0
    """Came after their place was handed out or given up."""
    duplicate: int = 0
    """Were there already."""
    dropped: int = 0
    """Given up: `PacketsLost` says so."""
    undecryptable: int = 0
    """No usable key, or plain on an encrypted connection."""
    out_of_window: int = 0
    """Too far ahead of the first missing one."""
    naks: int = 0
    """Loss reports that were sent."""
    acks: int = 0
    """Full ACKs that were sent."""
    malformed: int = 0
    """Control packets that break their own lengths."""


@dataclass(frozen=True, slots=True)
class Stats:
    """A session at one moment: its counters, and what it measures."""

    packets: int
    octets: int
    retransmitted: int
    lost: int
    belated: int
    duplicate: int
    dropped: int
    undecryptable: int
    out_of_window: int
    naks: int
    rtt_s: float
    """0.1 before the first measurement."""
    rtt_var_s: float
    bits_per_s: float
    """Received, headers included, over the last half second."""
    buffer_s: float
    """How old the oldest packet is that waits."""
    buffer_packets: int
    buffer_bytes: int
    latency_s: float
    """As negotiated."""
    encrypted: bool

    @classmethod
    def of(
        cls,
        counters: Counters,
        *,
        rtt_s: float,
        rtt_var_s: float,
        bits_per_s: float,
        buffer_s: float,
        buffer_packets: int,
        buffer_bytes: int,
        latency_s: float,
        encrypted: bool,
    ) -> Stats:
        """The counters as they are now, and measurements."""
        return cls(
            packets=counters.packets,
            octets=counters.octets,
            retransmitted=counters.retransmitted,
            lost=counters.lost,
            belated=counters.belated,
            duplicate=counters.duplicate,
            dropped=counters.dropped,
            undecryptable=counters.undecryptable,
            out_of_window=counters.out_of_window,
            naks=counters.naks,
            rtt_s=rtt_s,
            rtt_var_s=rtt_var_s,
            bits_per_s=bits_per_s,
            buffer_s=buffer_s,
            buffer_packets=buffer_packets,
            buffer_bytes=buffer_bytes,
            latency_s=latency_s,
            encrypted=encrypted,
        )


@dataclass(slots=True)
class PortCounters:
    """What a listener dropped or refused before there was a session."""

    malformed: int = 0
    """Datagrams that are no SRT packets."""
    unknown: int = 0
    """For a session that does not exist."""
    wrong_address: int = 0
    """For a session, but from another address than its caller's."""
    inductions: int = 0
    """First handshakes that were answered."""
    inductions_throttled: int = 0
    bad_cookies: int = 0
    """Conclusions without a cookie of ours."""
    repeated: int = 0
    """Copies of a conclusion that is known: answered again, or waiting."""
    throttled: int = 0
    """Conclusions of addresses that went on asking when their allowance was spent: not answered."""
    refused: int = 0
    """Callers turned away without asking the shell."""
    requests: int = 0
    """Questions to the shell."""
    rejected: int = 0
    """Of them, rejected by it."""
    outgoing_dropped: int = 0
    """Datagrams that the shell did not fetch in time."""
