"""What one SRT port, one address and one peer may cost. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20

TICK_S = 0.01
"""The grid of all timers, and the ACK period (draft section 4.8.1).

Why a grid: fifty callers with timers of their own would wake the loop thousands of times a second.
"""
LIGHT_ACK_PACKETS = 64
"""A light ACK after that many packets (draft section 4.8.1)."""
MIN_NAK_INTERVAL_S = 0.02
"""The shortest time between periodic loss reports (draft section 5.1.2)."""
KEEPALIVE_S = 1.0
"""A keep-alive after that much silence of ours (draft section 3.2.3)."""
HANDSHAKE_RETRY_S = 0.25
"""A caller repeats an unanswered handshake that often, as libsrt does."""
MAX_STREAM_ID_BYTES = 512
"""Draft section 3.2.1.3."""
MIN_MTU = 128
"""Smallest MTU that a peer may announce: below it no TS packet fits."""
MAX_LATENCY_FIELD_MS = 0xFFFF
"""The latency fields of the handshake have 16 bits (draft section 3.2.1.1)."""

REQUEST_COST = 1.0
"""What one question to the shell takes of an address's allowance."""
REJECTION_COST = 4.0
"""What a rejected one takes on top. Why: libsrt callers with a wrong passphrase try again for ever.

One that tries every 3 s stays within `Limits.allowance_per_s`; one that loops without a pause does not.
"""
DEBT = 0.1
"""How far below zero an allowance goes, as a share of the full one: 10 s of quiet pay it back."""
REFUSED_EVENTS = 64
"""Most `CallerRefused` events that wait; further ones are counted only."""
SETTLED_S = 10.0
"""How long the answer to a refused or closed connection is remembered for late copies of its conclusion.

Why: libsrt repeats a conclusion for 3 s; the network may hold one back for seconds.
"""
SETTLED_ENTRIES = 2_048
"""Most such answers; the oldest go first."""
ALLOWANCES = 4_096
"""Most addresses whose allowance is remembered; the one that was not seen for longest goes first."""
INDUCTION_BUCKETS = 1_024
"""Addresses share this many counters of inductions: a constant size, however many addresses a flood invents."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a listener or caller, and what it negotiates. Every time is in seconds."""

    latency_s: float = 0.12
    """Least latency: how long a missing packet is waited for. 0.12 is libsrt's default; a peer may ask for more."""
    max_latency_s: float = 8.0
    """Most latency that a peer gets, and so the longest that a hole can hold back what follows it."""
    early_release: bool = True
    """Hand out packets as soon as they are in order; else at the time that the sender's pace asks for (draft 4.5)."""
    idle_s: float = 5.0
    """Silence after which a peer is gone: libsrt's default."""
    answer_s: float = 10.0
    """How long the shell may think about a request. The caller itself gives up earlier: libsrt after 3 s."""
    connect_s: float = 3.0
    """How long `Caller` waits for the listener: libsrt's default."""
    flow_window: int = 25_600
    """Packets between the first missing and the newest one, at most: libsrt's default. At 25 Mbit/s they are 10 s."""
    buffer_bytes: int = 12 * MIB
    """Payload that waits in one session, at most: as much as libsrt's receive buffer. At 8 Mbit/s it is 12 s."""
    sessions: int = 256
    """Connections of the port, waiting ones included."""
    sessions_per_address: int = 64
    """Connections of one address (IPv6: of one /64)."""
    half_open: int = 128
    """Requests that wait for the shell."""
    half_open_per_address: int = 64
    """Of these, of one address."""
    inductions_per_s: int = 2_000
    """First handshakes that are answered, over all addresses; the rest is dropped. An answer costs 20 microseconds."""
    inductions_per_address_per_s: int = 200
    """The same for one address, roughly: addresses share INDUCTION_BUCKETS counters."""
    allowance: float = 200.0
    """Requests that one address may make at once; each costs REQUEST_COST, a rejected one REJECTION_COST more."""
    allowance_per_s: float = 2.0
    """How fast an address's allowance comes back."""
    undecryptable_in_a_row: int = 8_192
    """Packets without a usable key before the session is closed: keys are announced 4 000 packets ahead."""
    outgoing: int = 4_096
    """Datagrams that wait for the shell; further ones are dropped, as the network would."""
